"""Tables of learning in the gateware: systems, training runs and random cases."""

from __future__ import annotations

from apical.hw.export.verilog import markdown_table

_SYSTEMS = (("system", "name"), ("network", "layers"), ("data", "data"), ("lanes", "lanes"),
            ("images", "images"), ("compared", "compared"), ("weights", "weights_compared"),
            ("mismatches", "mismatches"), ("after synthesis", "netlist"),
            ("changed", "weights_changed"),
            ("saturated", "weights_saturated"), ("cycles an image", "mean_cycles"),
            ("accuracy", "accuracy_rtl"), ("cycles/s", "cycles_per_second"))
_FUZZ = (("cases", "cases"), ("engines", "configs"), ("compared", "compared"),
         ("weights", "weights_compared"), ("mismatches", "mismatches"), ("seconds", "seconds"))


def learning(records, shown) -> list[str]:
    """Lines of the two tables.

    Parameters
    ----------
    records : callable
        (pattern of names) -> list of records.
    shown : callable
        A value as the tables of results show it.
    """
    rows = []
    for record in records("learn-*"):
        for name, report in record["report"]["systems"].items():
            found = {**report, "name": name}
            rows.append([shown(found.get(key)) for _, key in _SYSTEMS] + [f"`{record['command']}`"])
    parts = []
    if rows:
        parts += ["## Learning in the gateware", "",
                  "Every write of states and weights is compared, and the final weights. With "
                  "`--fast`, and over whole epochs, signatures, numbers of writes and the final "
                  "weights are compared.", "",
                  *markdown_table([heading for heading, _ in _SYSTEMS] + ["command"], rows)]
    rows = [[shown(record["report"].get(key)) for _, key in _FUZZ] + [f"`{record['command']}`"]
            for record in records("fuzz-*")]
    if rows:
        parts += ["## Random networks, programs and engines", "",
                  *markdown_table([heading for heading, _ in _FUZZ] + ["command"], rows)]
    return parts
