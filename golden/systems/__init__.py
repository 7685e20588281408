"""Systems: one file for each algorithm, from its equations to its record."""
