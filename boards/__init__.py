"""Apical: boards."""
