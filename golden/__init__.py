"""Apical: golden."""
