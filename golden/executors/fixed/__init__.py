"""Fixed executor: programs on raw integers, a batch of images at a time; the reference."""
