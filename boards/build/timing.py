"""The slowest path of each clock of a routed design, from nextpnr's report."""

from __future__ import annotations

#: nextpnr's type of the segments of a path that are wires; the others are cells.
_ROUTING = "routing"


def slowest_paths(report: dict) -> list:
    """The slowest path from a clock to the same clock, for each clock of a report.

    Parameters
    ----------
    report : dict
        The file of ``nextpnr --report``.

    Returns
    -------
    list of dict
        The slowest first: ``clock``; ``fmax_mhz``, the estimate for that clock; ``source`` and
        ``sink``, cell and pin; ``source_net`` and ``sink_net``, the first and the last wire;
        ``delay_ns``, and of it ``logic_ns`` (in cells, setup included) and ``routing_ns``;
        ``levels``, the cells between source and sink.
    """
    fmax = {name: clock["achieved"] for name, clock in report.get("fmax", {}).items()}
    found = []
    for path in report.get("critical_paths", ()):
        clocks = {end.partition(" ")[2] for end in (path["from"], path["to"])}
        # Paths to and from pins have no clock at that end.
        if len(clocks) > 1 or not path["path"] or (clock := clocks.pop()) not in fmax:
            continue
        segments = path["path"]
        nets = [segment["net"] for segment in segments if "net" in segment]
        routing = sum(s["delay"] for s in segments if s["type"] == _ROUTING)
        delay = sum(s["delay"] for s in segments)
        found.append({
            "clock": clock, "fmax_mhz": round(fmax[clock], 2),
            "source": _pin(segments[0]["from"]), "sink": _pin(segments[-1]["to"]),
            "source_net": nets[0] if nets else None, "sink_net": nets[-1] if nets else None,
            "delay_ns": round(delay, 3), "logic_ns": round(delay - routing, 3),
            "routing_ns": round(routing, 3),
            "levels": sum(s["type"] == "logic" for s in segments)})
    return sorted(found, key=lambda path: -path["delay_ns"])


def _pin(end):
    return f"{end['cell']}.{end['port']}"


def describe(path: dict) -> str:
    """One path of `slowest_paths` in words, for people."""
    share = path["routing_ns"] / path["delay_ns"] if path["delay_ns"] else 0.0
    return (f"{path['source']} to {path['sink']}, {path['delay_ns']:.1f} ns: "
            f"{100 * (1 - share):.0f} % logic ({path['levels']} levels), "
            f"{100 * share:.0f} % routing")
