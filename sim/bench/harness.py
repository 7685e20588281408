"""The bench around a design: generated top level, host command player, trace recorders.

The top level is Verilog text, the same for all simulators, so that Amaranth designs, exported cores
and synthesized netlists run in the same bench. Its player and recorders (``bench.v``) exchange
files with Python; only a start toggle, a few counts and the wake signals pass through VPI. That
keeps Python asleep for millions of cycles: the simulator's speed is the design's.
"""

from dataclasses import dataclass, field
from importlib.resources import files

from ...golden.errors import MisuseError

HOST_PORTS = {
    "clk": ("in", 1),
    "host_valid": ("in", 1),
    "host_write": ("in", 1),
    "host_address": ("in", 24),
    "host_write_data": ("in", 32),
    "host_ready": ("out", 1),
    "host_read_valid": ("out", 1),
    "host_read_data": ("out", 32),
    "busy": ("out", 1),
}
"""Ports a design must have for `harness`; ``rst`` and ``done`` may be missing."""

PERIOD = 10
"""Clock period in time steps of the simulator (1 ns each)."""

_CONTROL = """\
    input             play_go,
    input      [31:0] play_limit,
    input             record_on,
    output            play_ack,
    output      [1:0] play_status,
    output     [31:0] play_position,
    output     [31:0] play_last,
    output     [63:0] cycle,
    output     [{wake}:0] wake
"""

PUBLIC = (
    "play_go",
    "play_limit",
    "record_on",
    "play_ack",
    "play_status",
    "play_position",
    "play_last",
    "cycle",
    "wake",
)


@dataclass(frozen=True)
class Bench:
    """Everything a simulator is built from.

    Parameters
    ----------
    verilog : str
        Text of all modules. Under ``APICAL_OWN_CLOCK`` the top level makes its own clock (Icarus);
        otherwise it has an input ``clk`` (Verilator).
    top : str
        Name of the top module. It needs an output ``wake``; a change of it wakes Python.
    public : tuple of str
        Ports of the top module that Python reads and writes.
    streams : tuple of Stream
        Trace streams that are recorded.
    """

    verilog: str
    top: str = "bench"
    public: tuple = PUBLIC
    streams: tuple = field(default=())

    @staticmethod
    def wave_time(cycle):
        """Return the time, in ns, of the clock edge that took a record with this cycle stamp."""
        return int(cycle) * PERIOD + PERIOD // 2


def component_ports(component):
    """Return the flat ports of an Amaranth component as ``{name: ("in" or "out", width)}``.

    Clock and reset, which a component does not list, are added.
    """
    from amaranth.hdl import Shape
    from amaranth.lib.wiring import Flow

    ports = {"clk": ("in", 1), "rst": ("in", 1)}
    for path, member, _value in component.signature.flatten(component):
        direction = "in" if member.flow is Flow.In else "out"
        ports["__".join(map(str, path))] = (direction, Shape.cast(member.shape).width)
    return ports


def component_verilog(component, name="dut"):
    """Return the Verilog of an Amaranth component, without paths of its source files."""
    from amaranth.back import verilog

    return verilog.convert(component, name=name, strip_internal_attrs=True, emit_src=False)


def harness_component(component, streams=(), **options):
    """Return the `Bench` of an Amaranth component; see `harness` for the options."""
    return harness(component_verilog(component), component_ports(component), streams, **options)


def harness(verilog, ports, streams=(), *, module="dut", records=65536, gap=4, ties=None):
    """Return the `Bench` of a design with the host port.

    Parameters
    ----------
    verilog : str
        Text of the design.
    ports : dict
        Its ports, ``{name: ("in" or "out", width)}``, among them `HOST_PORTS`.
    streams : sequence of Stream
        Trace streams to record; none for a design without a trace port.
    module : str
        Name of the design's top module.
    records : int
        Python collects the records of a stream each time this many are there.
    gap : int
        Cycles between two polls of a wait.
    ties : dict, optional
        Constant values of inputs that the bench does not know.
    """
    ties = dict(ties or {})
    for name, port in HOST_PORTS.items():
        if ports.get(name) != port:
            raise MisuseError(f"the bench needs a port {name} {port}, the design has "
                              f"{ports.get(name, 'none')}")
    for stream in streams:
        needed = {stream.valid: 1, **{f.port: f.bits for f in stream.fields}}
        for name, width in needed.items():
            if ports.get(name) != ("out", width):
                raise MisuseError(f"trace stream {stream.name} needs an output {name} of {width} "
                                  f"bits, the design has {ports.get(name, 'none')}")
    player_inputs = ("host_ready", "host_read_valid", "host_read_data", "busy")
    player_outputs = ("rst", "host_valid", "host_write", "host_address", "host_write_data")
    traced = {s.valid for s in streams} | {f.port for s in streams for f in s.fields}

    nets, pins = [], []
    for name in player_outputs + player_inputs:
        nets.append(_net(name, HOST_PORTS.get(name, ("in", 1))[1]))
    nets += [_net(name, ports[name][1]) for name in sorted(traced) if name not in HOST_PORTS]
    for name, (direction, width) in ports.items():
        if name == "clk" or name in player_outputs or name in player_inputs or name in traced:
            pins.append(f".{name}({name})")
        elif name in ties:
            pins.append(f".{name}({width}'d{ties.pop(name)})")
        elif direction == "in":
            raise MisuseError(f"the bench does not know what to drive the input {name} with; "
                              "give it a constant in ties")
        else:
            pins.append(f".{name}()")
    if ties:
        raise MisuseError(f"the design has no input {', '.join(ties)} to tie")

    recorders = "".join(
        f"    wire [{s.width - 1}:0] record_{i} = {s.verilog('cycle')};\n"
        f"    recorder #(.WIDTH({s.width}), .RECORDS({records}), .FILE(\"{s.file}\")) "
        f"recorder_{i} (\n"
        f"        .clk(clk), .on(record_on), .valid({s.valid}), .record(record_{i}), "
        f".flush(flush),\n        .full(wake[{i + 1}])\n    );\n"
        for i, s in enumerate(streams)
    )
    player_pins = ", ".join(f".{name}({name})" for name in player_outputs + player_inputs)
    top = f"""\
module bench (
`ifndef APICAL_OWN_CLOCK
    input             clk,
`endif
{_CONTROL.format(wake=len(streams))});
`ifdef APICAL_OWN_CLOCK
    reg clk = 0;
    always #{PERIOD // 2} clk = !clk;
`endif
    wire flush;
{"".join(nets)}
    assign wake[0] = play_ack;
    player #(.GAP({gap})) player (
        .clk(clk), .go(play_go), .limit(play_limit), .ack(play_ack), .status(play_status),
        .position(play_position), .last(play_last), .cycle(cycle), .flush(flush),
        {player_pins}
    );
{recorders}    {module} dut (
        {(","+chr(10)+"        ").join(pins)}
    );
endmodule
"""
    text = "`timescale 1ns/1ns\n" + files(__package__).joinpath("bench.v").read_text() + verilog
    return Bench(text + top, streams=tuple(streams))


def _net(name, width):
    return f"    wire [{width - 1}:0] {name};\n" if width > 1 else f"    wire {name};\n"
