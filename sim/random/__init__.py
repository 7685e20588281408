"""Random networks, programs and engines."""
