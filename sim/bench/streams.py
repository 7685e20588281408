"""Layout of trace records: what a recorder writes, as a NumPy type and as a Verilog expression."""

import json
from dataclasses import asdict, dataclass

import numpy as np

from ...golden.errors import MisuseError


def _container(width):
    for bits in (8, 16, 32, 64):
        if width <= bits:
            return bits
    raise MisuseError(f"a trace field of {width} bits: a lane may have 64 bits at most")


@dataclass(frozen=True)
class Field:
    """One value of a trace record.

    Parameters
    ----------
    name : str
        Name in the NumPy record.
    port : str
        Port of the design that carries it.
    width : int
        Bits of one lane.
    lanes : int or None
        Number of lanes in the port, lane 0 in the low bits; None for a value that is no array.
    signed : bool
        Whether lanes are two's complement.
    """

    name: str
    port: str
    width: int
    lanes: int | None = None
    signed: bool = False

    @property
    def container(self):
        """Bits that one lane takes in a record: 8, 16, 32 or 64."""
        return _container(self.width)

    @property
    def bits(self):
        """Bits of the port."""
        return self.width * (1 if self.lanes is None else self.lanes)

    def dtype(self):
        """Return the field's entry of the NumPy record type."""
        kind = f"<{'i' if self.signed else 'u'}{self.container // 8}"
        return (self.name, kind) if self.lanes is None else (self.name, kind, (self.lanes,))

    def verilog(self, net):
        """Return the Verilog operands, last lane first, that widen ``net`` to the containers."""
        if self.width == self.container:
            return [net]
        operands = []
        for lane in reversed(range(self.lanes or 1)):
            top, low = (lane + 1) * self.width - 1, lane * self.width
            sign = f"{net}[{top}]" if self.signed else "1'b0"
            # A port of one bit is a scalar, which Verilog does not let one index.
            value = net if self.bits == 1 else f"{net}[{top}:{low}]"
            if self.bits == 1 and self.signed:
                sign = net
            operands += [f"{{{self.container - self.width}{{{sign}}}}}", value]
        return operands


@dataclass(frozen=True)
class Stream:
    """A sequence of trace records: one for each cycle in which ``valid`` holds.

    Every record begins with ``cycle``, 32 bits: the number of clock edges before the one that took
    the record (see `Bench.wave_time`).

    Parameters
    ----------
    name : str
        Name of the stream; its file is called ``trace_<name>.bin``.
    valid : str
        Port of the design that is high when there is a record.
    fields : tuple of Field
        The values, in the order they have in the record.
    """

    name: str
    valid: str
    fields: tuple

    @property
    def file(self):
        """Name of the file that the recorder writes."""
        return f"trace_{self.name}.bin"

    @property
    def dtype(self):
        """NumPy type of one record, padded to whole 32-bit words."""
        packed = np.dtype([("cycle", "<u4"), *(field.dtype() for field in self.fields)])
        padding = -packed.itemsize % 4
        if not padding:
            return packed
        return np.dtype(
            {
                "names": packed.names,
                "formats": [packed.fields[name][0] for name in packed.names],
                "offsets": [packed.fields[name][1] for name in packed.names],
                "itemsize": packed.itemsize + padding,
            }
        )

    @property
    def width(self):
        """Bits of one record."""
        return self.dtype.itemsize * 8

    def verilog(self, cycle, net=lambda port: port):
        """Return the record as a Verilog concatenation; ``net`` maps a port to its net."""
        operands = []
        for field in reversed(self.fields):
            operands += field.verilog(net(field.port))
        used = 32 + sum(field.container * (field.lanes or 1) for field in self.fields)
        if self.width > used:
            operands.insert(0, f"{self.width - used}'d0")
        return "{" + ", ".join([*operands, f"{cycle}[31:0]"]) + "}"


def state_stream(lanes, width=16, name="state", prefix="trace_"):
    """Return the stream of an engine's trace port.

    Parameters
    ----------
    lanes : int
        Update lanes, that is values in one record.
    width : int
        Bits of one value.
    name, prefix : str
        Name of the stream and prefix of its ports.
    """
    return Stream(
        name,
        prefix + "valid",
        (
            Field("image", prefix + "image", 32),
            Field("operation", prefix + "operation", 16),
            Field("vector", prefix + "vector", 8),
            Field("unit", prefix + "unit", 16),
            Field("count", prefix + "count", 7),
            Field("values", prefix + "values", width, lanes=lanes, signed=True),
        ),
    )


def weight_stream(lanes, width=16, name="weight", prefix="trace_weight_"):
    """Return the stream of an engine's trace port of weights: one record a weight word.

    Parameters
    ----------
    lanes : int
        Lanes of the engine, that is weights in one record.
    width : int
        Bits of one weight.
    name, prefix : str
        Name of the stream and prefix of its ports.
    """
    return Stream(
        name,
        prefix + "valid",
        (
            Field("image", prefix + "image", 32),
            Field("operation", prefix + "operation", 16),
            Field("matrix", prefix + "matrix", 8),
            Field("scalar", prefix + "scalar", 16),
            Field("first", prefix + "first", 16),
            Field("turned", prefix + "turned", 1),
            Field("mask", prefix + "mask", lanes),
            Field("values", prefix + "values", width, lanes=lanes, signed=True),
        ),
    )


def engine_streams(config):
    """Return the streams of an engine: states and, if it learns, weights, of each tile."""
    streams = []
    for tile in range(config.tiles):
        number = str(tile) if tile else ""
        streams.append(state_stream(config.update_lanes, name=f"state{number}",
                                    prefix=f"trace{number}_"))
        if config.learning:
            streams.append(weight_stream(config.lanes, name=f"weight{number}",
                                         prefix=f"trace{number}_weight_"))
    return streams


def joined(records):
    """Return the records of all tiles together, by kind and then by cycle.

    Parameters
    ----------
    records : dict of str to structured ndarray
        By the names of `engine_streams`.
    """
    kinds = {}
    for name, rows in records.items():
        kinds.setdefault(name.rstrip("0123456789"), []).append(rows)
    return {kind: parts[0] if len(parts) == 1 else _by_cycle(np.concatenate(parts))
            for kind, parts in kinds.items()}


def _by_cycle(rows):
    return rows[np.argsort(rows["cycle"], kind="stable")]


def dump_streams(streams):
    """Return the streams as JSON text, for the bench that runs inside the simulator."""
    return json.dumps([asdict(stream) for stream in streams])


def load_streams(text):
    """Return the streams of `dump_streams`."""
    return tuple(
        Stream(s["name"], s["valid"], tuple(Field(**field) for field in s["fields"]))
        for s in json.loads(text)
    )
