"""References: gradients and likelihoods computed another way, to compare the systems with."""
