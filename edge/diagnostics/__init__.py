"""What `check` does: it looks at everything a run needs and names the command that repairs it."""
