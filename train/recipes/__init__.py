"""What is trained and how: the frozen recipe and the registry of recipes."""
