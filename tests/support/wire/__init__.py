"""What stands on the wire, built from PROTOCOL's text alone: no module here imports the product."""
