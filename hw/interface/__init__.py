"""Interface of an engine: instructions, registers, configuration, byte protocol.  No Amaranth."""
