"""Assembler: a network and a program become the memories of an engine.  No Amaranth."""
