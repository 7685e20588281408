"""Learning: data, training runs of every executor, what trained machines are asked."""
