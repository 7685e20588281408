"""Float executor: programs on real numbers, a batch of images at a time."""
