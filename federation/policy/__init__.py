"""Labels, sharing decisions and their reasons."""
