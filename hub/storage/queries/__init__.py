"""Statements by subject. Each takes the open transaction first and returns frozen values."""
