"""The table of links without a board."""

import importlib

import pytest
from device_case import CONFIG, drive

from apical.boards.host.device import Device
from apical.boards.host.link_kinds import LINK_KINDS, link_kind
from apical.cli import main
from apical.golden.errors import MisuseError


@pytest.mark.parametrize("name", LINK_KINDS)
def test_every_link_has_a_port(name):
    pytest.importorskip("amaranth")
    kind = LINK_KINDS[name]
    module, _, port = kind.port.partition(":")
    port = getattr(importlib.import_module(module), port)
    assert all(callable(getattr(port, what))
               for what in ("write", "read", "image", "stop"))
    assert kind.name == name


def test_a_link_of_the_table_drives_an_engine():
    link = link_kind("golden").open(CONFIG)
    assert link.name == "the fixed executor"
    drive(Device.open(link, CONFIG), 2)


def test_an_unknown_link_names_the_known_ones(capsys):
    with pytest.raises(MisuseError, match="^unknown link 'jtag'; known: golden, pysim, sim$"):
        link_kind("jtag")
    assert main(["run", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for kind in LINK_KINDS.values():
        assert f"{kind.name}, {kind.help}" in told
