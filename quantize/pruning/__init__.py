"""Channel groups, importance, selection, surgery, and the pruning loop."""
