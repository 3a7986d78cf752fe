"""Reports for people: plots, tables and HTML pages."""
