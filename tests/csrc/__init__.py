"""Kernels, by themselves: each against the reference, for every ISA."""
