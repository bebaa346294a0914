"""Bytes of others' formats to drafts; pure."""
