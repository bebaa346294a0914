"""People and machines that read or write here: tokens and grants."""
