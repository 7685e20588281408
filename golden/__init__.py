"""Golden models: energy networks and learning programs, in floating point and in raw integers.

The names below are the public interface; ``docs/tutorial.md`` shows them at work.

* networks: `Network`, `Population`, `Matrix`, `Projection`, `layered_network`, `ghost_network`,
  `boltzmann_machine`; first weights `glorot`, `ghost_weights`, `boltzmann_weights`
* programs: `Program` and the operations in :mod:`apical.golden.program`; `inference`,
  `equilibrium_training`, `stdp_training`, `ghost_training`, `flow_training`, `early_change`,
  `branch_prediction`; rates `learning_rates`
* running: `FloatExecutor`, `FixedExecutor`
* training: `load`, `TrainingConfig`, `default_config`, `train`, `evaluate`, `rule`
* machines: `FlowConfig`, `train_machine`, `Samples`, `sample`, `reconstruct`
* energies: `energy_of`, `total_energy`, `force`, `projected_force`
* numbers: `Format`, `quantize_values`, `dequantize`, `quantize_network`
* models: `Model`, `save_model`, `load_model`
* claims: `run_checks`
* errors: `ApicalError`, `MisuseError`

They are imported when they are first asked for: importing the package costs nothing.  No public
name is that of a module, because importing a module would hide it.
"""

from __future__ import annotations

import importlib

#: Public name -> (module, name in it).
_EXPORTS = {
    **dict.fromkeys(("Network", "Population", "Matrix", "Projection", "glorot"), "network"),
    "layered_network": "network:layered",
    "ghost_network": "ghost_units", "ghost_weights": "ghost_units",
    "boltzmann_machine": "boltzmann:boltzmann",
    "boltzmann_weights": "boltzmann:starting_weights",
    "flow_training": "probability_flow:training",
    "FlowConfig": "training_flow", "train_machine": "training_flow:train",
    "Samples": "sampling", "sample": "sampling", "reconstruct": "sampling",
    "Program": "program", "inference": "layered", "early_change": "early_inference",
    "branch_prediction": "feedforward_init",
    "equilibrium_training": "equilibrium:training", "stdp_training": "stdp:training",
    "ghost_training": "ghost_units:training", "learning_rates": "equilibrium",
    "FloatExecutor": "floating", "FixedExecutor": "fixed",
    "load": "data", "one_hot": "data",
    **dict.fromkeys(("TrainingConfig", "default_config", "train", "evaluate"), "training"),
    "rule": "rules",
    "energy_of": "energy:energy",
    **dict.fromkeys(("total_energy", "force", "projected_force"), "energy"),
    "Format": "formats", "quantize_values": "formats:quantize", "dequantize": "formats",
    "quantize_network": "quantize",
    **dict.fromkeys(("Model", "save_model", "load_model"), "store"),
    "run_checks": "reproduce:reproduce",
    "ApicalError": "errors", "MisuseError": "errors",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name):
    if name not in _EXPORTS:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module, _, inner = _EXPORTS[name].partition(":")
    return getattr(importlib.import_module(f".{module}", __name__), inner or name)


def __dir__():
    return sorted([*globals(), *_EXPORTS])
