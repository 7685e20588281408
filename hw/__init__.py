"""Apical: hw."""
