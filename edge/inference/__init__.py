"""Reads one face: crop, contract, TFLite interpreter, classifier. Training shares all of it."""
