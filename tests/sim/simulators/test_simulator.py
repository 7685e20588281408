"""What decides that the simulator of an engine is built anew."""

from apical.sim.simulators.simulator import source_digest, source_files


def test_the_engine_and_all_it_imports_decide():
    found = source_files("apical.hw.export.verilog")
    assert {"apical.hw.engine.engine", "apical.hw.engine.unit_pipeline", "apical.hw.interface.isa",
            "apical.golden.numbers.formats", "apical.golden.program.operation"} <= set(found)
    assert found["apical.hw.interface.isa"].name == "isa.py"


def test_learning_and_executors_do_not():
    found = source_files("apical.hw.export.verilog", "apical.hw.primitives.ecp5",
                         "apical.hw.export.synthesis")
    assert not [name for name in found if name.startswith((
        "apical.golden.learning", "apical.golden.executors", "apical.golden.claims",
        "apical.sim", "apical.boards", "apical.cli"))]


def test_a_changed_source_changes_the_digest(monkeypatch, tmp_path):
    files = source_files("apical.hw.export.verilog")
    monkeypatch.setattr("apical.sim.simulators.simulator.source_files", lambda *names: files)
    source_digest.cache_clear()
    before = source_digest()
    changed = tmp_path / "formats.py"
    changed.write_bytes(files["apical.golden.numbers.formats"].read_bytes() + b"\n")
    files["apical.golden.numbers.formats"] = changed
    source_digest.cache_clear()
    try:
        assert source_digest() != before
    finally:
        source_digest.cache_clear()


def test_every_family_of_cells_takes_part(monkeypatch):
    asked = []
    source_digest.cache_clear()
    monkeypatch.setattr("apical.sim.simulators.simulator.source_files",
                        lambda *names: asked.extend(names) or {})
    try:
        source_digest()
    finally:
        source_digest.cache_clear()
    assert {"apical.hw.primitives.ice40", "apical.hw.primitives.ecp5",
            "apical.hw.export.synthesis"} <= set(asked)
