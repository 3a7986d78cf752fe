"""Datasets, networks under 10,000 parameters, training and evaluation: the desktop's half of emotiny."""
