"""Boards: their bitstreams, and the host that drives them."""
