"""Simulators: built from Verilog or Amaranth, and kept."""
