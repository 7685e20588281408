"""Co-simulation: inference, learning systems and training, every bit compared."""
