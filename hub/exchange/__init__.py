"""Publish, receive, read and withdraw: what goes through the feeds."""
