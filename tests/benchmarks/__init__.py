"""What the node costs, measured on this machine; figures come with a ratio of the same run."""
