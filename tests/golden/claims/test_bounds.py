"""Bounds of checks: derived from recorded seeds, never looser than the code says."""

import pytest

from apical.golden.claims import Row, bounds


@pytest.mark.parametrize(("tolerance", "values", "expected"), [
    ("< 9", [1.0, 2.0, 3.0], "<= 6"),
    ("> 0", [1.0, 2.0, 3.0], ">= -2"),
    ("< 9", [(0.0, 1.0), (2.0, 0.0), (3.0, 3.0)], "<= 6"),
    ("last < 9 and decreasing", [(5, 1), (7, 2), (8, 3)], "last <= 6 and decreasing"),
    ("-9 .. 9", [1.0, 2.0, 3.0], "-2 .. 6"),
    ("= 0", [0.0, 0.0], "= 0"),
    ("< 9", [1.0, 1.0], "<= 1"),
    ("< 9", [0.0, 0.0], "<= 0"),
    ("< 9", [0.12345, 0.12345], "<= 0.124"),
    ("> 0", [0.12345, 0.12345], ">= 0.123"),
    ("> -9", [-0.12345, -0.12345], ">= -0.124"),
    ("< 9000", [1234.5, 1234.5], "<= 1240"),
])
def test_the_worst_value_plus_three_deviations(tolerance, values, expected):
    assert bounds.derived(tolerance, values) == expected
    assert all(bounds.holds(value, expected) for value in values if "decreasing" not in tolerance)


@pytest.mark.parametrize(("own", "other", "expected"), [
    ("< 1", "<= 2", "< 1"), ("< 1", "<= 0.5", "<= 0.5"), ("> 1", ">= 2", ">= 2"),
    ("> 1", ">= 0.5", "> 1"), ("0 .. 4", "1 .. 9", "1 .. 4"), ("= 0", "= 0", "= 0"),
    ("decreasing and last < 1", "decreasing and last <= 0.5", "decreasing and last <= 0.5"),
])
def test_only_tighter_bounds_are_taken(own, other, expected):
    assert bounds.tighter(own, other) == expected


def test_every_row_says_why_its_bound_is_what_it_is(monkeypatch):
    entry = {"tolerance": "<= 0.5", "count": 10, "seeds": "0-9"}
    monkeypatch.setattr(bounds, "table", lambda: {"float": {"stdp/g": {"c": entry, "c #2": {
        **entry, "tolerance": "<= 3"}}}})
    found = bounds.Bounds("float", "stdp", "g")
    row = Row("stdp", "c", 0.7, "< 1.0", "s")
    first, second, third = (found.applied(row) for _ in range(3))
    assert (first.tolerance, first.passed) == ("<= 0.5", False)
    assert first.reason == "worst of 10 recorded seeds (0-9) plus three standard deviations"
    assert second.tolerance == "< 1.0" and second.reason.endswith(
        "worst of 10 recorded seeds (0-9) plus three standard deviations is looser: <= 3")
    assert third.tolerance == "< 1.0" and third.reason == bounds.UNRECORDED
    claim = Row("stdp", "c", 0.7, "< 1", "s", "claim: of the paper")
    assert bounds.Bounds("float", "stdp", "g").applied(claim) == claim
    exact = bounds.Bounds("float", "stdp", "g").applied(Row("stdp", "c", (2, 1), "decreasing", "s"))
    assert exact.reason == bounds.EXACT and not exact.limit


def test_keys_do_not_depend_on_counts_of_a_seed():
    seen = {}
    assert [bounds.key(check, seen) for check in ("a (3 / 17)", "b", "a (4 / 9)")] == [
        "a", "b", "a #2"]


def test_a_table_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    from apical.golden.errors import ApicalError
    monkeypatch.setattr(bounds, "FILE", tmp_path / "bounds.json")
    bounds.table.cache_clear()
    try:
        with pytest.raises(ApicalError, match="bounds of checks '.*' cannot be read: .*install"):
            bounds.table()
    finally:
        bounds.table.cache_clear()


def test_the_table_is_what_the_records_make_of_it():
    from bench import bounds as made
    assert made.derive(made.reports(), bounds.table())[0] == bounds.table()


def test_a_recorded_bound_never_gets_looser():
    from bench import bounds as made
    row = {"system": "s", "group": "g", "check": "c", "limit": "< 9", "values": [1.0] * 10}
    claim = {**row, "check": "d", "limit": "", "reason": "claim: so"}
    report = {"executor": "float", "seeds": list(range(10)), "rows": [row, claim]}
    table, kept = made.derive([report], {})
    assert table == {"float": {"s/g": {"c": {"tolerance": "<= 1", "count": 10, "seeds": "0-9"}}}}
    assert not kept
    worse = {**report, "rows": [{**row, "values": [2.0] * 10}]}
    again, kept = made.derive([worse], table)
    assert again == table and kept == ["float, s/g, c: stays <= 1; the records say <= 2"]
    assert made.spell([11, 12, 23]) == "11, 12, 23"
