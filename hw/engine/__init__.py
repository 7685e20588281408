"""Engine: the gateware that runs programs."""
