"""Apical: cli."""
