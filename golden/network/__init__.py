"""Networks: populations, matrices and projections; Boltzmann machines; energies."""

from .description import (
    RATES,
    Matrix,
    Network,
    Population,
    Projection,
    glorot,
    layer_names,
    layered,
)

__all__ = [
    "RATES", "Matrix", "Network", "Population", "Projection", "glorot", "layer_names", "layered",
]
