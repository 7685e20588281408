"""Training on a device: the run of `apical.golden.learning.fixed` with an engine as executor."""

from __future__ import annotations

from ...golden.errors import MisuseError
from ...golden.executors.fixed.executor import FixedResult
from ...hw.assembler.capability import unsupported
from .device import Device
from .workload import density


def check_engine(device: Device, system, network, config):
    """Raise `MisuseError`, with the reasons, for an engine that cannot train a system.

    Parameters
    ----------
    system : System
    network : Network
    config : FixedTrainingConfig or FixedFlowConfig
    """
    reasons = unsupported(network, system.program(network, config), device.config)
    if reasons:
        more = f" (and {len(reasons) - 1} reasons more)" if len(reasons) > 1 else ""
        raise MisuseError(f"the engine at {device.link.name} ({device.config.hash}) cannot train "
                          f"'{system.name}': {reasons[0]}{more}; train in the fixed executor "
                          "(--executor fixed), or co-simulate on an engine that has every unit "
                          "(apical cosim --system)")


class DeviceExecutor:
    """An engine in the place of the fixed executor: runs programs, keeps the weights.

    Parameters
    ----------
    device : Device
    network, weights, state, weight, update_frac
        As for :class:`~apical.golden.executors.fixed.executor.FixedExecutor`; formats and bits must
        be those of the engine.
    progress : callable, optional
        Called as ``progress(images done in this part, results of the last image)``.
    """

    def __init__(self, device: Device, network, weights, state, weight, update_frac,
                 progress=None):
        config = device.config
        assert (state, weight, update_frac) == (config.state, config.weight, config.update_frac)
        self.device, self.network, self.progress = device, network, progress
        self._first, self._program, self._rates, self._next = weights, None, None, None

    def run(self, program, inputs, seed=0, first_image=0, rates=None, collect=False,
            read=()) -> FixedResult:
        """Run a program on images, in order.

        Parameters
        ----------
        program, inputs, seed, first_image, rates
            As for :meth:`apical.golden.executors.fixed.executor.FixedExecutor.run`.
        collect : bool
            Not used: every vector that is wanted takes time on the line, so they are named.
        read : sequence of (population, slot)
            Vectors to be read back after each image, the states of the result.
        """
        device = self.device
        if program is not self._program:
            weights = self._first if self._program is None else device.weights()
            device.load(self.network, program, weights, seed=seed, first_image=first_image,
                        density=density(inputs), rates=rates)
            self._program, self._rates = program, rates
        elif rates != self._rates:
            device.set_rates(rates)
            self._rates = rates
        if self._next not in (None, first_image):
            device.set_register("image", first_image)
        found = device.run(inputs, self.progress, read)
        self._next = first_image + len(found.steps)
        return FixedResult(found.states, found.predictions, found.steps, None, found.writes,
                           found.saturations, found.signatures)

    @property
    def weights(self) -> dict:
        """The raw weights that the device holds."""
        return self._first if self._program is None else self.device.weights()
