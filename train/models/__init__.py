"""Networks: specs, builders, complexity, and a walk over a network's layers."""
