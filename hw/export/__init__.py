"""Export: an engine as Verilog, and its synthesis."""
