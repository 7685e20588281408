"""Bench: what surrounds a design in simulation, plays host commands and records writes."""
