"""Slowest paths, from reports that nextpnr wrote of small engines."""

import copy
import json
from pathlib import Path

import pytest

from apical.boards.build.timing import describe, slowest_paths
from apical.cli import main

REPORTS = Path(__file__).parent / "reports"


def read(name):
    return json.loads((REPORTS / f"{name}.json").read_text())


@pytest.mark.parametrize(("name", "clock", "levels", "source", "sink"), [
    ("icebreaker", "clk", 11, "engine.engine.sequencer.started_SB_DFFSR_Q_D_SB_LUT4_O_LC.O",
     "engine.engine.register_writes.mac_DSP.OLOADTOP"),
    ("colorlight-i5", "$glbnet$engine.clk", 16, "engine.engine.unit.old_0_TRELLIS_FF_Q_9.Q",
     "engine.engine.unit.score0_TRELLIS_FF_Q_7.DI")])
def test_the_path_that_sets_the_clock(name, clock, levels, source, sink):
    report = read(name)
    path, = slowest_paths(report)
    assert (path["clock"], path["source"], path["sink"]) == (clock, source, sink)
    # The time of the path is the period that fmax is made of.
    assert path["delay_ns"] == pytest.approx(1000 / report["fmax"][clock]["achieved"], abs=0.01)
    assert path["delay_ns"] == pytest.approx(path["logic_ns"] + path["routing_ns"], abs=0.002)
    assert path["levels"] == levels
    routing = sum(s["delay"] for s in report["critical_paths"][0]["path"]
                  if s["type"] == "routing")
    assert 0 < path["routing_ns"] == pytest.approx(routing, abs=0.001)


def test_every_clock_has_one_and_the_slowest_comes_first():
    report = read("icebreaker")
    second = copy.deepcopy(report["critical_paths"][0])
    second["from"] = second["to"] = "posedge pixel"
    for segment in second["path"]:
        segment["delay"] *= 2
    crossing = copy.deepcopy(second) | {"to": "posedge clk"}
    report["critical_paths"] += [second, crossing]
    report["fmax"]["pixel"] = {"achieved": 12.7, "constraint": 12.0}
    found = slowest_paths(report)
    assert [path["clock"] for path in found] == ["pixel", "clk"]
    assert [path["fmax_mhz"] for path in found] == [12.7, 25.43]


def test_a_report_without_paths():
    """One of packing only."""
    assert slowest_paths({"utilization": {}, "fmax": {}}) == []


def test_a_path_in_words():
    path, = slowest_paths(read("icebreaker"))
    share = round(100 * path["routing_ns"] / path["delay_ns"])
    assert describe(path) == (f"{path['source']} to {path['sink']}, 39.3 ns: {100 - share} % logic "
                              f"(11 levels), {share} % routing")


def test_a_manifest_has_them_and_build_prints_them(tools, tmp_path, capsys):
    report = read("icebreaker")
    expected = slowest_paths(report)
    report["utilization"]["ICESTORM_DSP"]["used"] = 8
    (tmp_path / "report.json").write_text(json.dumps(report))
    tools("nextpnr-ice40", f"cp {tmp_path}/report.json .; touch top.asc")
    assert main(["build", "--board", "icebreaker", "--tools", "native", "-o",
                 str(tmp_path / "out"), "--json", str(tmp_path / "made.json")]) == 0
    assert f"slowest path of clk: {describe(expected[0])}" in capsys.readouterr().out
    for path in (tmp_path / "made.json", tmp_path / "out" / "icebreaker.json"):
        assert json.loads(path.read_text())["worst_paths"] == expected


def test_the_page_of_boards_shows_them_where_a_record_has_them(tmp_path, monkeypatch):
    from bench import docs_boards

    name = "build-icebreaker.json"
    record = json.loads((docs_boards.RECORDED / name).read_text())
    record["report"].pop("worst_paths", None)
    monkeypatch.setattr(docs_boards, "RECORDED", tmp_path)
    (tmp_path / name).write_text(json.dumps(record))
    assert "slowest path |" not in docs_boards.boards()
    path, = slowest_paths(read("icebreaker"))
    record["report"] |= {"worst_paths": [path], "fmax_by_seed": {"1": 25.43, "2": None}}
    (tmp_path / name).write_text(json.dumps(record))
    row = next(line for line in docs_boards.boards().splitlines() if describe(path) in line)
    assert row.startswith("| icebreaker | icebreaker-learning | clk | 25.43 |")
    assert row.endswith("| 1: 25.43, 2: not routed |")
