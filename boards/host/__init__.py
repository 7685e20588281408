"""Host: what a computer does with a board.  No Amaranth."""
