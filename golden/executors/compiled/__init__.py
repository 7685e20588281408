"""Compiled executor: programs on raw integers, one image at a time, the same to the bit."""
