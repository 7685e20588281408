"""Stand-ins for the tools of an iCE40 build, and what they report."""

import json

from apical.boards.build import build as building
from apical.boards.build.catalog import board

#: What nextpnr reports of a design that reaches its clock.
REPORT = {"utilization": {"ICESTORM_LC": {"used": 4000}, "ICESTORM_DSP": {"used": 4},
                          "ICESTORM_RAM": {"used": 28}, "ICESTORM_SPRAM": {"used": 4}},
          "fmax": {"clk": {"achieved": 31.4, "constraint": 24.0}}}


def routed(fmax=31.4, multipliers=4):
    """Command of a nextpnr whose design reaches a clock."""
    report = json.loads(json.dumps(REPORT))
    report["fmax"]["clk"]["achieved"] = fmax
    report["utilization"]["ICESTORM_DSP"]["used"] = multipliers
    return f"echo '{json.dumps(report)}' > report.json; touch top.asc"


def by_seed(commands, other):
    """Command of a nextpnr that does what `commands` has for its seed, else `other`."""
    cases = "".join(f"*'--seed {seed} '*) {command};; " for seed, command in commands.items())
    return f'case "$* " in {cases}*) {other};; esac'


def make(output, **options):
    """Build the iCEBreaker with the stand-ins."""
    return building.build(board("icebreaker"), output, native=True, **options)
