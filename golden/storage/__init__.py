"""Files: written all or nothing, checked when they are read."""
