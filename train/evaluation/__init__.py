"""Numbers: metrics, temperature scaling, groups, saliency."""
