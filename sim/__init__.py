"""Apical: sim."""
