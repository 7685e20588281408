"""Learning cases: living weights on every seed, the same on both roads, and what is told."""

from dataclasses import replace

import numpy as np
import pytest

from apical.golden.errors import ApicalError, MisuseError
from apical.golden.executors.compiled.executor import CompiledExecutor
from apical.golden.program import Learn, Outer, Program, Relax, Sample, Update, walk
from apical.golden.systems.cases import case_names, learning_case, run_case

NAMES = ("ep", "feedforward-init", "ghost-duplicate", "ghost-learned", "ghost-learned-feedback",
         "ghost-online", "ghost-random-feedback", "stdp-contrast", "stdp-integrated",
         "stdp-one-way", "early-inference", "flow-visible", "flow-rbm", "flow-dbm",
         "flow-dbm-lateral", "flow-asymmetric", "flow-flipped", "flow-flipped-dbm",
         "flow-flipped-dbm-lateral", "ep-four-point")

#: Kin of equilibrium propagation, whose operations the others cover.
KIN = ("contrastive-hebbian", "ep-negative", "ep-spiking", "ep-symmetric", "feedback-alignment",
       "vector-field")


def test_names():
    assert case_names() == sorted((*NAMES, *KIN))
    with pytest.raises(MisuseError, match="unknown system 'gost'; known: cd, cd-10, contr"):
        learning_case("gost")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow),
                                  pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*NAMES, *(
    pytest.param(name, marks=pytest.mark.slow) for name in KIN)])
def test_weights_live_and_both_roads_agree(name, seed):
    case = learning_case(name, seed)
    found = run_case(case)
    found.check()
    assert case.images <= 40 and max(p.size for p in case.network.populations) <= 40
    fast = CompiledExecutor(case.network, case.weights, case.state, case.weight, case.update_frac)
    for told, (inputs, seed_, first) in zip(found.results, case.runs(), strict=True):
        result = fast.run(case.program, inputs, seed_, first, rates=case.rates)
        for count in ("signatures", "writes", "operations", "saturations", "steps"):
            np.testing.assert_array_equal(getattr(result, count), getattr(told, count))
    for key, values in found.weights.items():
        np.testing.assert_array_equal(fast.weights[key], values)
    if name == "early-inference":
        assert not case.learned and found.changed == 0
        return
    assert found.changed >= 0.95 and found.saturated <= 0.01
    # Weights that do not learn stay; nearly all that learn take part.
    for matrix, values in found.weights.items():
        if matrix not in case.learned:
            np.testing.assert_array_equal(values, case.weights[matrix])
    assert set(case.learned) == {op.matrix for op in walk(case.program.ops)
                                 if isinstance(op, Learn)}
    taking = sum(mask.sum() for mask in found.taking_part.values())
    assert taking > 0.85 * sum(mask.size for mask in found.taking_part.values())


def test_seeds_are_different_problems_and_repeat():
    one, two, again = (learning_case("flow-rbm", seed) for seed in (0, 1, 0))
    assert (one.inputs["x"] != two.inputs["x"]).any()
    assert (one.weights["W1"] != two.weights["W1"]).any()
    np.testing.assert_array_equal(one.inputs["x"], again.inputs["x"])
    np.testing.assert_array_equal(one.weights["W1"], again.weights["W1"])


def test_the_systems_use_what_is_theirs():
    def ops(name):
        return list(walk(learning_case(name).program.ops))
    assert any(isinstance(op, Update) and op.held for op in ops("ghost-online"))
    assert any(isinstance(op, Update) and op.noise for op in ops("early-inference"))
    assert any(isinstance(op, Sample) and op.mode == "sample" for op in ops("flow-rbm"))
    assert any(isinstance(op, Relax) and any(isinstance(o, Learn) for o in op.body)
               for op in ops("stdp-integrated"))
    lateral = learning_case("flow-dbm-lateral")
    assert "L1_1_2" in lateral.learned and "L2_2_3" in lateral.learned
    asymmetric = learning_case("flow-asymmetric")
    assert {"L0_1_2", "L0_1_2r"} <= set(asymmetric.learned)


def test_dead_and_saturated_weights_are_refused():
    case = learning_case("ep")
    with pytest.raises(ApicalError, match=r"case 'ep', seed 0: only [0-9.]+% of the weights that "):
        run_case(replace(case, rates=dict.fromkeys(case.rates, 2e-5), passes=1)).check()
    start = {name: np.full_like(values, case.weight.max) for name, values in case.weights.items()}
    growing = Program("growing", (Learn("W1", (Outer(("x", "state"), ("d", "state")),)),))
    network = case.network
    grown = replace(case, weights=start, program=growing, network=replace(network, matrices=tuple(
        replace(m, cols=5) if m.name == "W1" else m for m in network.matrices), projections=()))
    grown = replace(grown, weights={**start, "W1": np.full((24, 5), case.weight.max - 1)})
    with pytest.raises(ApicalError, match=r"[0-9.]+% of the weights that take part are saturated"):
        run_case(grown).check()
