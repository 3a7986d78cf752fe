"""Turns runs into files in models/: candidates, conversion, model card, acceptance."""
