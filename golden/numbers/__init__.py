"""Numbers: formats, bounds of accumulators, tables, addressed random words, quantization."""
