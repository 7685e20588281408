"""What operations declare: refused where it is missing, true where it is there."""

from dataclasses import dataclass, fields

import pytest
from operation_kinds import kinds
from random_programs import case_of
from slow_reference import Machine

from apical.golden.program import (
    KINDS,
    STATE,
    Clear,
    Decide,
    Difference,
    Learn,
    Operation,
    Project,
    Relax,
    Residual,
    Sample,
    Snapshot,
    Update,
    describe,
    scaled_factors,
    stored,
    vectors_read,
    vectors_written,
    walk,
)

# Classes


def test_a_class_without_declarations_is_refused():
    for name, others in (("reads", {"writes": lambda self: ()}),
                         ("writes", {"reads": lambda self: ()})):
        with pytest.raises(TypeError, match=rf"^operation Silent does not declare what it {name}; "
                                            rf"define {name}\(\), with an empty tuple for nothing"):
            type("Silent", (Operation,), others)
    assert "Silent" not in KINDS


def test_two_operations_of_one_name_are_refused():
    nothing = {"reads": lambda self: (), "writes": lambda self: ()}
    with pytest.raises(TypeError, match=r"^operation Clear of elsewhere has the name of one in "
                                        r"apical\.golden\.program\.states; program files need"):
        type("Clear", (Operation,), {**nothing, "__module__": "elsewhere"})
    assert KINDS["Clear"] is Clear


def test_declarations_are_no_fields():
    """A name that is both would give the field a default."""
    declared = {name for name in vars(Operation) if not name.startswith("_")}
    for kind in kinds():
        assert not declared & {field.name for field in fields(kind)}, kind


def test_a_further_operation_is_named_by_its_first_field():
    @dataclass(frozen=True)
    class Toggle(Operation):
        population: str
        slot: str = STATE

        def reads(self):
            return ()

        def writes(self):
            return ((self.population, self.slot),)

    try:
        assert KINDS["Toggle"] is Toggle
        assert describe(Toggle("h1")) == "Toggle h1"
        assert describe(Toggle("h1", "a")) == "Toggle h1.a"
        assert list(walk((Toggle("h1"),))) == [Toggle("h1")]
    finally:
        del KINDS["Toggle"]


# What they declare, compared with what the slow reference does.


class Touched(dict):
    """A dict that remembers which of its entries were read or written."""

    def __init__(self, values):
        super().__init__(values)
        self.keys_used = set()

    def __getitem__(self, key):
        self.keys_used.add(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self.keys_used.add(key)
        super().__setitem__(key, value)


class Watched(Machine):
    """Compares what each operation touches with what it declares."""

    def __setattr__(self, name, value):
        super().__setattr__(name, Touched(value) if name in ("vectors", "sums", "weights")
                            else value)

    def observed(self, handler, op):
        """Run one operation; what it touched."""
        stores = self.vectors, self.sums, self.weights
        for store in stores:
            store.keys_used.clear()
        before = self.drawn, self.operations, self.prediction
        self.prediction = None
        result = handler(self, op)
        told = {"vectors": set(self.vectors.keys_used), "sums": set(self.sums.keys_used),
                "matrices": set(self.weights.keys_used), "draws": self.drawn > before[0],
                "writes": self.operations - before[1], "decides": self.prediction is not None}
        if self.prediction is None:
            self.prediction = before[2]
        return result, told

    def declared(self, op):
        network = self.network
        target = {one: network.projection(one.projection) for one in op.sums()}
        return {"vectors": {stored(network, pair) for pair in vectors_read(op, network)}
                | set(vectors_written(op, network)) | set(scaled_factors(op)),
                "sums": {(p.target, name) for one, p in target.items()
                         for name in (one.into, one.start) if name} | set(op.currents()),
                "matrices": {p.matrix for p in target.values()}
                | {learn.matrix for learn in op.learns()},
                "draws": op.draws(), "decides": op.decides,
                "writes": len(vectors_written(op, network)) + len(scaled_factors(op))
                + len(op.learns())}


def differences(seeds):
    """Operations that declare something else than they do, of random programs."""
    found, seen = [], set()

    def watch(kind, handler):
        def run(machine, op):
            result, told = machine.observed(handler, op)
            # A reseed lowers the count of draws, or raises it.
            told["draws"] &= kind.__name__ != "Reseed"
            seen.add(kind)
            if told != machine.declared(op):
                found.append((op, told, machine.declared(op)))
            return result
        return run

    Watched.handlers = {kind: handler if kind is Relax else watch(kind, handler)
                        for kind, handler in Machine.handlers.items()}
    for seed in seeds:
        network, program, weights, inputs, formats, _ = case_of(seed, 1)
        machine = Watched(network, weights, *formats, dict.fromkeys(weights, 1000))
        machine.image(program, {name: values[0] for name, values in inputs.items()})
    return found, seen


def test_declarations_are_true():
    found, seen = differences(range(24))
    assert found == []
    assert seen == {*kinds()} - {Relax}


@pytest.mark.parametrize(("kind", "name", "answer"), [
    (Update, "reads", lambda op: ()), (Update, "currents", lambda op: ()),
    (Update, "draws", lambda op: False), (Update, "draws", lambda op: True),
    (Sample, "writes", lambda op: ()), (Residual, "reads", lambda op: ()),
    (Snapshot, "reads", lambda op: ((op.population, STATE),)),
    (Difference, "reads", lambda op: op.operands[:1]), (Project, "sums", lambda op: ()),
    (Learn, "learns", lambda op: ()), (Decide, "decides", False)])
def test_a_false_declaration_is_found(kind, name, answer, monkeypatch):
    monkeypatch.setattr(kind, name, answer)
    found, _ = differences(range(24))
    assert found and {type(op) for op, *_ in found} == {kind}
