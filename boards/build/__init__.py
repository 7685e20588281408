"""Build: from a board and an engine to a bitstream."""
