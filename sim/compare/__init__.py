"""Comparison of what an engine did with what the fixed executor said it would do."""
