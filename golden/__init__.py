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
    "ghost_network": "network.ghosts", "ghost_weights": "network.ghosts",
    "boltzmann_machine": "network.boltzmann:boltzmann",
    "boltzmann_weights": "network.boltzmann:starting_weights",
    "flow_training": "systems.probability_flow:training",
    "FlowConfig": "systems.settings", "train_machine": "learning.float:train",
    **dict.fromkeys(("Samples", "sample", "reconstruct"), "learning.sampling"),
    "Program": "program", "inference": "program.layered", "early_change": "systems.early_inference",
    "branch_prediction": "systems.feedforward_init",
    "equilibrium_training": "systems.equilibrium:training",
    "stdp_training": "systems.stdp:training",
    "ghost_training": "systems.ghost_units:training", "learning_rates": "systems.equilibrium",
    "FloatExecutor": "executors.float.executor", "FixedExecutor": "executors.fixed.executor",
    "load": "learning.data", "one_hot": "learning.data",
    **dict.fromkeys(("TrainingConfig", "default_config", "train", "evaluate"), "learning.float"),
    "rule": "systems.registry:trainer",
    "energy_of": "network.energy:energy",
    **dict.fromkeys(("total_energy", "force", "projected_force"), "network.energy"),
    "Format": "numbers.formats", "quantize_values": "numbers.formats:quantize",
    "dequantize": "numbers.formats",
    "quantize_network": "numbers.quantize",
    **dict.fromkeys(("Model", "save_model", "load_model"), "storage.model"),
    "run_checks": "claims:reproduce",
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
