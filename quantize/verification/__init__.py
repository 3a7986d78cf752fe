"""Whether the int8 file is what the float network was: fidelity, SQNR, runtimes."""
