"""Link: the gateware between a serial line and the host port of an engine."""
