"""Simulation: the gateware in a simulator, compared with the fixed executor."""
