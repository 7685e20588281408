"""The bench plays every command and records every trace record, on all simulators."""

import numpy as np
import pytest

from apical.golden.errors import MisuseError
from apical.sim.bench import commands
from apical.sim.bench.harness import PUBLIC, harness, harness_component
from apical.sim.bench.streams import Field, Stream, dump_streams, load_streams, state_stream
from apical.sim.simulators.runner import lint


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_every_answer_and_every_record_arrives(simulator, toy_build, environment, tmp_path):
    result = toy_build(simulator).run("bench_toy", environment, tmp_path, seed=11, timeout=60)
    assert result.tests == 4
    assert result.waves is None


def test_visits_at_every_edge(toy_build, environment, tmp_path):
    build = toy_build("verilator")
    result = build.run("bench_toy", environment | {"TOY_EDGES": 1}, tmp_path, visit_edges=True,
                       timeout=60)
    assert result.tests == 5


def test_bare_model_plays_the_same(toy_build, tmp_path):
    build = toy_build("bare")
    words = commands.join(
        commands.reset(), commands.writes(0, np.arange(100, 400)), commands.reads(0, 300),
        commands.write(0x800001, 1500), commands.quiet(6), commands.idle(3))
    told = build.play(words, tmp_path, record=True, limit=5000)
    assert told["status"] == 0 and told["position"] == len(words)
    assert 2100 < told["cycles"] < 2250
    answers = np.fromfile(tmp_path / "answers.bin", "<u4")
    np.testing.assert_array_equal(answers, np.arange(100, 400))
    # 1500 records in files of 700: the last file was begun anew twice.
    stream = state_stream(5)
    assert (tmp_path / stream.file).stat().st_size == 100 * stream.dtype.itemsize


def test_bare_model_gives_up(toy_build, tmp_path):
    told = toy_build("bare").play(commands.wait(3, 1), tmp_path, limit=200)
    assert told["status"] == 1 and told["position"] == 1 and told["cycles"] < 250


def test_commands_are_packed():
    words = commands.join(commands.write(0x123456, 0xDEADBEEF), commands.read(7),
                          commands.wait(1, 2), commands.match(3, 4), commands.idle(5),
                          commands.quiet(6), commands.reset(8))
    assert [f"{int(word):016x}" for word in words] == [
        "00123456deadbeef", "1000000700000000", "2000000100000002", "3000000300000004",
        "4000000000000005", "5000000000000006", "6000000000000008"]
    assert [commands.describe(word) for word in words] == [
        "write 0x123456, 0xdeadbeef", "read 0x7", "wait 0x1, 0x2", "match 0x3, 0x4", "idle 5",
        "quiet 6", "reset 8"]


def test_lists_of_commands():
    np.testing.assert_array_equal(commands.writes(10, [[1, -1], [3, 4]]),
                                  commands.writes([10, 11, 12, 13], [1, 0xFFFFFFFF, 3, 4]))
    np.testing.assert_array_equal(commands.reads(5, 3), commands.reads([5, 6, 7]))
    assert len(commands.writes([], [])) == 0


@pytest.mark.parametrize("call", [
    lambda: commands.write(1 << 24, 0), lambda: commands.write(-1, 0),
    lambda: commands.write(0, 1 << 32), lambda: commands.write(0, -(1 << 31) - 1)])
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(MisuseError, match="must fit"):
        call()


def test_unequal_lists_are_refused():
    with pytest.raises(MisuseError, match="2 addresses for 3 words"):
        commands.writes([1, 2], [1, 2, 3])


def test_records_have_whole_words():
    stream = Stream("s", "v", (Field("a", "pa", 1), Field("b", "pb", 6, lanes=3, signed=True),
                               Field("c", "pc", 40)))
    assert stream.dtype.itemsize == 16 == stream.width // 8
    assert stream.dtype["b"].shape == (3,)
    assert load_streams(dump_streams([stream])) == (stream,)


def test_odd_widths_are_widened(toy_build, cache, tmp_path):
    """Lanes of 6 and 18 bits, signed and not, through the recorder of a real simulator."""
    from apical.sim.simulators.runner import build

    pattern = 0x2D5A_93C7_1E68_B4F0
    verilog = f"""
module dut(input clk, input rst, input host_valid, input host_write, input [23:0] host_address,
           input [31:0] host_write_data, output host_ready, output host_read_valid,
           output [31:0] host_read_data, output busy, output v, output flag,
           output [17:0] six, output [35:0] wide, output [39:0] long);
assign host_ready = 1; assign host_read_valid = 0; assign host_read_data = 0; assign busy = 0;
reg [63:0] x = 64'd{pattern}; reg [3:0] n = 0;
always @(posedge clk) if (n != 10) begin n <= n + 1; x <= {{x[50:0], x[63:51]}}; end
assign v = n != 10; assign flag = x[3]; assign six = x; assign wide = x; assign long = x;
endmodule
"""
    ports = {name: ("in", width) for name, width in
             (("clk", 1), ("rst", 1), ("host_valid", 1), ("host_write", 1), ("host_address", 24),
              ("host_write_data", 32))}
    ports |= {name: ("out", width) for name, width in
              (("host_ready", 1), ("host_read_valid", 1), ("host_read_data", 32), ("busy", 1),
               ("v", 1), ("flag", 1), ("six", 18), ("wide", 36), ("long", 40))}
    fields = (Field("flag", "flag", 1), Field("negative", "flag", 1, signed=True),
              Field("six", "six", 6, lanes=3), Field("signed_six", "six", 6, lanes=3, signed=True),
              Field("wide", "wide", 18, lanes=2, signed=True), Field("long", "long", 40))
    stream = Stream("odd", "v", fields)
    toy_build("bare")  # skips without a compiler
    made = build(harness(verilog, ports, [stream]), "bare", cache=cache)
    made.play(commands.idle(30), tmp_path, record=True)
    records = np.fromfile(tmp_path / stream.file, stream.dtype)
    assert list(records["cycle"]) == list(range(10))
    x = pattern

    def signed(value, width):
        value &= (1 << width) - 1
        return value - (value >> width - 1 << width)

    for record in records:
        assert record["flag"] == x >> 3 & 1 and record["negative"] == -(x >> 3 & 1)
        assert list(record["six"]) == [x >> 6 * i & 63 for i in range(3)]
        assert list(record["signed_six"]) == [signed(x >> 6 * i, 6) for i in range(3)]
        assert list(record["wide"]) == [signed(x >> 18 * i, 18) for i in range(2)]
        assert record["long"] == x & (1 << 40) - 1
        x = (x << 13 | x >> 51) & (1 << 64) - 1


def test_bench_is_clean_verilog(toy_bench):
    bad = [line for line in lint(toy_bench.verilog, "bench")
           if not any(word in line for word in ("WIDTH", "CASEINCOMPLETE"))]
    assert not bad
    assert set(PUBLIC) <= set(toy_bench.public)


def test_designs_without_the_port_are_refused():
    from toy import Toy

    with pytest.raises(MisuseError, match="needs a port host_valid"):
        harness("", {"clk": ("in", 1)})
    with pytest.raises(MisuseError, match="stream state needs an output trace_valid of 1 bits"):
        harness_component(Toy(3, trace=False), [state_stream(3)])
    with pytest.raises(MisuseError, match="trace_values of 64 bits"):
        harness_component(Toy(3), [state_stream(4)])
