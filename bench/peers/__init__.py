"""Peers of the engine: what the same tools reach without one, and with another generator."""
