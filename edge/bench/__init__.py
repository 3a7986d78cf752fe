"""`python -m edge bench`: the loop measured against the ways others write it, on the same frames."""
