"""Pictures, tables and HTML for people."""
