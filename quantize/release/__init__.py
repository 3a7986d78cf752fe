"""From runs to files in models/: candidates, conversion, model card, acceptance."""
