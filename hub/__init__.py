"""The node: doors, rooms and the store, over the federation's rules."""
