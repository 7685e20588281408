"""Links that need no board: one record each.  Nothing here imports an executor or a simulator."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from ...golden.errors import MisuseError


@dataclass(frozen=True)
class LinkKind:
    """One way to run an engine without a board.

    Attributes
    ----------
    name : str
        Value of ``--link``.
    title : str
        Name of the device in messages.
    help : str
        Description in a few words.
    port : str
        ``module:class`` of its host port, made of an engine configuration.
    gateware : bool
        Whether it runs gateware: only then it counts cycles.
    """

    name: str
    title: str
    help: str
    port: str
    gateware: bool = True

    def open(self, config, **options):
        """A :class:`~apical.boards.host.links.Link` to an engine of this configuration.

        Parameters
        ----------
        config : EngineConfig
        options
            Of :class:`~apical.boards.host.links.Link`.
        """
        from .links import Link

        module, _, name = self.port.partition(":")
        port = getattr(importlib.import_module(module), name)
        return Link.over_port(port(config), config, self.title, **options)


LINK_KINDS = {kind.name: kind for kind in (
    LinkKind("golden", "the fixed executor", "the fixed executor",
             "apical.boards.host.golden_port:GoldenPort", gateware=False),
    LinkKind("pysim", "Amaranth's simulator", "Amaranth's simulator, for small engines",
             "apical.sim.simulators.ports:PysimPort"),
    LinkKind("sim", "the simulator", "Verilator", "apical.sim.simulators.ports:VerilatorPort"),
)}


def link_kind(name: str) -> LinkKind:
    """The kind of that name; `MisuseError` lists the known ones."""
    if name not in LINK_KINDS:
        raise MisuseError(f"unknown link '{name}'; known: {', '.join(LINK_KINDS)}")
    return LINK_KINDS[name]
