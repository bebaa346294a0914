"""TAXII 2.1 resources, media types and paging."""
