"""Finding, restoring and archiving finished runs."""
