"""cocotb tests that run inside a simulator, started by `apical.sim.simulators.runner`."""
