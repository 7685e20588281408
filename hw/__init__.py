"""Gateware: the engine, its interface, its assembler, its export."""
