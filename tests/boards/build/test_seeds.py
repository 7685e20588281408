"""Several seeds of the placer, and the router that makes no more progress."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from build_case import by_seed, make, routed

from apical.boards.build import routing
from apical.boards.build.build import synthesize_board, tools_for
from apical.cli import main
from apical.golden.errors import ApicalError

REPORTS = Path(__file__).parent / "reports"


def test_seeds_are_tried_until_the_clock_is_reached(tools, tmp_path):
    tools("nextpnr-ice40", by_seed({2: routed()}, routed(23.5)))
    made = make(tmp_path / "out", tries=3)
    assert made["seed"] == 2 and made["fmax_by_seed"] == {"1": 23.5, "2": 31.4}
    with pytest.raises(ApicalError, match="not met with seeds 3, 4: 23.5 MHz, 23.5 MHz, "):
        make(tmp_path / "late", seed=3, tries=2)


@pytest.mark.parametrize("jobs", [1, 3])
def test_of_all_seeds_the_best_is_kept(tools, tmp_path, jobs):
    mark = "; touch seed-of-{}"
    tools("nextpnr-ice40", by_seed({4: routed(23.0) + mark.format(4),
                                    5: routed(33.5) + mark.format(5),
                                    6: routed(30.0) + mark.format(6)}, routed(24.5)))
    made = make(tmp_path / "out", seed=4, tries=4, every=True, jobs=jobs, keep=tmp_path / "kept")
    assert made["seed"] == 5 and made["fmax_mhz"] == 33.5
    assert made["fmax_by_seed"] == {"4": 23.0, "5": 33.5, "6": 30.0, "7": 24.5}
    kept = tmp_path / "kept"
    assert (kept / "seed-of-5").is_file()
    assert (kept / "seed-6" / "seed-of-6").is_file()
    assert not (kept / "seed-5").exists()
    # The netlist is there once, not once a seed.
    assert [path.parent for path in kept.rglob("top.json")] == [kept]


def test_seeds_run_at_the_same_time(tools, tmp_path):
    """Each waits for the other: with one job neither would end."""
    meet = ("touch ../here-{0}; for i in $(seq 100); do test -e ../here-{1} && break; sleep 0.1; "
            "done; test -e ../here-{1} || exit 1; ")
    tools("nextpnr-ice40", by_seed({1: meet.format(1, 2) + routed(25.0)},
                                   meet.format(2, 1) + routed(26.0)))
    made = make(tmp_path / "out", tries=2, every=True, jobs=2)
    assert made["fmax_by_seed"] == {"1": 25.0, "2": 26.0} and made["seed"] == 2


def test_the_best_of_seeds_that_all_miss_the_clock_is_reported(tools, tmp_path):
    report = json.loads((REPORTS / "icebreaker.json").read_text())
    report["fmax"]["clk"]["achieved"] = 23.0
    (tmp_path / "report.json").write_text(json.dumps(report))
    tools("nextpnr-ice40", by_seed({2: f"cp {tmp_path}/report.json .; touch top.asc"},
                                   routed(22.0)))
    said = []
    with pytest.raises(ApicalError, match="seeds 1, 2: 22.0 MHz, 23.0 MHz, the board runs at 24; "
                                          "try --seed 3"):
        make(tmp_path / "out", tries=2, every=True, say=said.append)
    assert said[-1].startswith("slowest path of clk, seed 2: engine.engine.sequencer.")
    kept = json.loads((tmp_path / "out" / "icebreaker.failed" / "timing.json").read_text())
    assert kept["fmax_by_seed"] == {"1": 22.0, "2": 23.0} and kept["seed"] == 2
    assert kept["worst_paths"][0]["sink"] == "engine.engine.register_writes.mac_DSP.OLOADTOP"


def test_a_seed_that_fails_ends_the_others(tools, tmp_path):
    tools("nextpnr-ice40", by_seed({1: "sleep 0.3; echo ERROR: no room; exit 1"},
                                   "echo $$ > ../other; exec sleep 600"))
    with pytest.raises(ApicalError, match="nextpnr-ice40 failed: no room"):
        make(tmp_path / "out", tries=2, every=True, jobs=2)
    child = int((tmp_path / "out" / "icebreaker.failed" / "other").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.mark.parametrize("kill", [os.kill, os.killpg])
def test_interrupted_seeds_leave_no_file_and_no_process(tools, tmp_path, kill):
    """By a signal to the command, and to its group, as a terminal sends it."""
    tools("nextpnr-ice40", "echo $$ > pid; exec sleep 600")
    out = tmp_path / "out"
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from apical.cli import main; sys.exit(main())", "build",
         "--board", "icebreaker", "--tools", "native", "--seeds", "3", "--jobs", "2", "-o",
         str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    for _ in range(1200):
        started = [path for path in out.glob(".icebreaker-*/seed-*/pid") if path.read_text()]
        if len(started) == 2:
            break
        time.sleep(0.1)
    processes = [int(path.read_text()) for path in started]
    assert len(processes) == 2
    kill(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.decode().splitlines()[-1] == "apical: interrupted"
    assert list(out.iterdir()) == []
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_options(tools, tmp_path, capsys):
    common = ["build", "--board", "icebreaker", "--tools", "native", "-o", str(tmp_path / "out")]
    tools("nextpnr-ice40", by_seed({8: routed(33.0)}, routed(25.0)))
    assert main([*common, "--seed", "7", "--seeds", "3", "--jobs", "2", "--json",
                 str(tmp_path / "made.json")]) == 0
    told = capsys.readouterr()
    assert "fmax by seed: 7: 25.0 MHz, 8: 33.0 MHz (kept), 9: 25.0 MHz" in told.out
    assert json.loads((tmp_path / "made.json").read_text())["seed"] == 8
    assert main([*common, "--jobs", "2"]) == 2
    assert "--jobs is for --seeds" in capsys.readouterr().err
    for option, value in (("--seeds", "0"), ("--jobs", "0"), ("--seeds", "x")):
        assert main([*common, option, value]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_the_measurement_over_seeds_records_those_that_miss(tools, monkeypatch):
    """`bench.seeds` runs the same code, and keeps seeds below the clock and without a route."""
    from bench import seeds as measurement

    report = (REPORTS / "icebreaker.json").read_text().replace("25.426530838012695", "23.0")
    report = report.replace('"ICESTORM_DSP": {"used": 6', '"ICESTORM_DSP": {"used": 8')
    (tools.folder / "report.json").write_text(report)
    tools("nextpnr-ice40", by_seed({1: routed(23.5, 4), 3: f"echo '{rounds(ENDLESS)}' > "
                                    "nextpnr.log; exec sleep 600"},
                                   f"cp {tools.folder}/report.json .; touch top.asc"))
    monkeypatch.setattr(measurement, "tools_for", lambda place: tools_for(place, native=True))
    monkeypatch.setattr(measurement, "synthesize_board",
                        lambda place, config, work: synthesize_board(place, config, work, True))
    found = measurement.seeds("icebreaker", 3, jobs=3)
    assert found["fmax_mhz"] == [23.5, 23.0, None]
    assert (found["fmax_min"], found["fmax_max"], found["below_clock"]) == (23.0, 23.5, 3)
    assert list(found["worst_paths"]) == ["1", "2"]
    assert found["worst_paths"]["2"][0]["levels"] == 11


#: What nextpnr tells after a round of its router; below, one that ends and one that does not.
ROUND = "Info:     iter={} wires=600 overused={} overuse={} archfail=NA"
ENDING = [900, 300, 90, 9, 9, 8, *[9] * 12, 7, 1, *[1] * 9, 2, 0]
ENDLESS = [900, 300, 186, *range(187, 187 + routing.PATIENCE)]


def rounds(overused):
    return "\n".join(ROUND.format(number, count, count)
                     for number, count in enumerate(overused, 1))


def test_a_router_that_will_not_end_is_told_from_one_that_will(tmp_path):
    log = tmp_path / "nextpnr.log"
    assert routing.stalled(log) is None
    for text in ("Info: Routing..", rounds(ENDLESS[:-1]),
                 *(rounds(ENDING[:count]) for count in range(1, len(ENDING) + 1))):
        log.write_text(text)
        assert routing.stalled(log) is None
    log.write_text(rounds(ENDLESS))
    assert routing.stalled(log) == (f"routing does not end, {ENDLESS[-1]} wires are wanted by "
                                    "several nets, 186 were 20 rounds before")


def test_a_seed_whose_routing_does_not_end_gives_way_to_the_next(tools, tmp_path):
    tools("nextpnr-ice40", by_seed({2: f"sleep 3; {routed()}"},
                                   f"echo '{rounds(ENDLESS)}' > nextpnr.log; exec sleep 600"))
    told = []
    made = make(tmp_path / "out", tries=2, say=told.append)
    assert made["seed"] == 2 and made["fmax_by_seed"] == {"1": None, "2": 31.4}
    assert any(line.startswith("seed 1: nextpnr-ice40 was stopped: routing does not end, 206 ")
               for line in told)
    with pytest.raises(ApicalError, match="not met with seed 1: not routed, the board runs at 24"):
        make(tmp_path / "never")
