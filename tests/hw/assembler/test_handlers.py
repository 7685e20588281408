"""The assembler has a handler for every operation, and says so where it lacks one."""

import pytest

from apical.golden.errors import MisuseError
from apical.golden.network import layered
from apical.golden.program import KINDS, PLAIN, Clear, Program
from apical.hw.assembler.assembler import assemble, config_for, reasons
from apical.hw.assembler.capability import UNITS, units_needed
from apical.hw.assembler.handlers import HANDLERS, Handler
from apical.hw.interface.config import EngineConfig

NET = layered([2, 3, 2])
CLEAR = Program("p", (Clear("h1"),))


def lacking(table):
    return [kind.__name__ for kind in KINDS.values()
            if kind.__module__.startswith("apical.") and kind not in table]


def test_every_operation_has_a_handler():
    assert len(HANDLERS) >= 12
    assert lacking(HANDLERS) == []


@pytest.mark.parametrize("kind", list(HANDLERS))
def test_a_missing_handler_is_found(kind):
    assert lacking({k: v for k, v in HANDLERS.items() if k is not kind}) == [kind.__name__]


@pytest.mark.parametrize("use", [assemble, reasons])
def test_the_assembler_names_what_it_lacks(use, monkeypatch):
    monkeypatch.delitem(HANDLERS, Clear)
    with pytest.raises(MisuseError, match=r"^Clear h1: the assembler \(apical\.hw\.assembler\."
                                          r"handlers\.HANDLERS\) has no handler for operation "
                                          r"Clear; add one to the table$"):
        use(NET, CLEAR, EngineConfig(lanes=2, update_lanes=1))


@pytest.mark.parametrize(("needs", "fields", "told"), [
    ((("learning", "a toy"),), {}, ["a toy needs the learning unit, which this engine lacks"]),
    ((("plain", "a toy"),), {}, ["a toy needs the learning or table (smooth) unit, which this "
                                 "engine lacks"]),
    ((("plain", "a toy"),), {"smooth": True}, []),
    ((("noise", "a toy"), ("smooth", "a toy")), {"noise": True},
     ["a toy needs the table (smooth) unit, which this engine lacks"]),
    ((("quantum", "a toy"),), {}, ["a toy needs a quantum unit, which no engine has"]),
])
def test_units_are_what_operations_declare(needs, fields, told, monkeypatch):
    monkeypatch.setattr(Clear, "needs", lambda op: needs)
    config = EngineConfig(lanes=2, update_lanes=1, **fields)
    assert reasons(NET, CLEAR, config) == [f"Clear h1: {reason}" for reason in told]


def test_the_smallest_engine_has_the_units_that_are_needed(monkeypatch):
    for unit in UNITS:
        monkeypatch.setattr(Clear, "needs", lambda op, unit=unit: ((unit, "a toy"),))
        needed = units_needed(NET, CLEAR)
        assert needed == {name: name == ("learning" if unit == PLAIN else unit)
                          for name in ("learning", "smooth", "noise")}
        assert reasons(NET, CLEAR, config_for(NET, CLEAR, 2)) == []


def test_what_only_an_engine_cannot_do(monkeypatch):
    """Reasons, vectors and accumulators of a handler reach the placement."""
    handler = Handler(HANDLERS[Clear].emit, cannot=lambda network, op: [f"no {op.population}"])
    monkeypatch.setitem(HANDLERS, Clear, handler)
    assert reasons(NET, CLEAR, EngineConfig(lanes=2, update_lanes=1)) == ["Clear h1: no h1"]
    own = Handler(HANDLERS[Clear].emit, vectors=lambda network, op: [(op.population, "(own)")],
                  accumulators=lambda network, op: [(op.population, "(sum)")])
    monkeypatch.setitem(HANDLERS, Clear, own)
    made = assemble(NET, CLEAR, EngineConfig(lanes=2, update_lanes=1)).placement
    assert made.vectors["h1", "(own)"].blocks == made.accumulators["h1", "(sum)"].blocks == 2
