"""The part that all co-simulation reports share."""

from __future__ import annotations

import numpy as np


def measured(config, job, reported, totals, played, expected, comparison, agree) -> dict:
    """The part of a report that is the same for inference and learning.

    Parameters
    ----------
    config : EngineConfig
    job : Job
    reported, totals : dict
        Its answers (:func:`apical.sim.bench.job.answers`).
    played : Simulated
    expected : FixedResult
    comparison : Comparison
    agree : dict of str to ndarray of bool
        Whether the registers agree, each time they were read.
    """
    others = {name: int(np.count_nonzero(~ok)) for name, ok in agree.items()}
    mismatches = comparison.mismatches
    if not mismatches:
        # Every write agrees, yet a register differs: that is a mismatch too.
        mismatches = sum(others.values())
    first, steps = comparison.first, reported.get("image_steps")
    return {
        "mode": "every write" if played.records else "signatures",
        "images": job.images, "compared": comparison.compared, "mismatches": mismatches,
        "writes": int(reported["writes"][-1]),
        "writes_expected": int(expected.writes.sum()) & 0xFFFFFFFF,
        "mean_cycles": totals["cycles"] / job.images,
        "load_cycles": job.image_words, "network_load_cycles": job.load_words,
        "mac_utilization": totals["mac_useful"] / (config.width * max(1, totals["mac_cycles"])),
        "mean_steps": float(np.mean(expected.steps if steps is None else steps)),
        "saturations": int(reported["saturations"][-1]),
        "cycles": played.cycles,
        "cycles_per_second": played.cycles / max(played.seconds, 1e-9),
        "signature": f"{int(reported['signature'][-1]):08x}",
        "signature_match": bool(agree["signature"].all()),
        "tiles": config.tiles, "lanes": config.lanes, "update_lanes": config.update_lanes,
        "config_hash": config.hash, "config": config.to_dict(),
        "registers_differ": {name: count for name, count in others.items() if count},
        "first_divergence": None if first is None else first.to_dict(),
        "sentence": None if first is None else first.sentence(config.state, config.weight),
        "waves": None if played.waves is None else str(played.waves),
    }
