"""Kinds of data that systems learn from: what a run gets, and what its error is.

A kind knows nothing of a single system; a record (:mod:`apical.golden.systems.system`) names its
kind.  Errors are ratios of two sums over images, so that images can be evaluated in parts.
"""

from __future__ import annotations

import numpy as np

from ..errors import ApicalError, MisuseError
from ..network import boltzmann as machines
from ..program import STATE

#: Probabilities of a flip at which reconstructions are measured, the seed of the flips, and the
#: probability and number of test images of the error that is reported after each epoch.
CORRUPTIONS, CORRUPTION_SEED = (0.1, 0.2, 0.3), 1000
EPOCH_CORRUPTION, EPOCH_IMAGES = 0.2, 2000
#: Outputs of different images that differ by less are the same: learning has collapsed.
_SAME = 1e-4
#: Couplings beyond it come of steps that are too large: the clipped exponent of the flow keeps them
#: finite, and good machines stay below 20.
_LARGEST = 100.0
#: Factor on images without their mean.
CENTRED_SCALE = 0.8
#: Images that are looked at for a collapse.
_LOOKED_AT = 500


class Kind:
    """Images as they are, without labels; the system says what its error is.

    Attributes
    ----------
    name : str
    words : str
        What the system learns from, for messages and tables.
    error_is : str
        What an error of this kind measures.
    labelled : bool
        Whether labels are needed.
    watched : int or None
        Test images of the error after each epoch; None is all of them.
    levels : tuple of float
        Shares of flipped pixels that final errors are measured at.
    """

    name, words, labelled, watched, levels = "images", "unlabelled images", False, None, ()
    error_is = "relative energy of what the branches fail to predict"

    def check(self, network, dataset):
        """Raise `MisuseError` for data of other sizes than the network."""
        found = sum(p.size for p in network.clamped if p.name != "d")
        if dataset.width != found:
            raise MisuseError(f"the first layer of network '{network.name}' has {found} units, "
                              f"data '{dataset.name}' has {dataset.width} pixels; make that layer "
                              f"{dataset.width}")

    def identity(self, network) -> dict:
        """What a checkpoint must agree in beside the name of the network: JSON values."""
        return {}

    def prepare(self, dataset):
        """Training and test images as the network sees them."""
        mean = dataset.train.mean(axis=0)
        return tuple(np.clip(CENTRED_SCALE * (images - mean), -1, 1).astype(np.float32)
                     for images in (dataset.train, dataset.test))

    def inputs(self, network, images, targets) -> dict:
        """Clamped states of a learning run, by population: real ndarrays of shape (images, n)."""
        return {"x": images}

    def sign(self, rng) -> int:
        """Sign of beta of a batch in floating point, of the generator of the run."""
        return 1

    def given(self, network, images, level=EPOCH_CORRUPTION) -> dict:
        """Clamped states of an evaluation."""
        return {"x": images}

    def score(self, system, network, result, images, labels):
        """(wrong, of how much) of evaluated images; `result` has real states and predictions."""
        return system.score(network, result.states, images)

    def check_alive(self, executor, program, images, epoch, rates):
        """Raise `ApicalError` for weights of floating point that no longer learn."""
        check_finite(executor.weights, epoch)


class Labelled(Kind):
    """Images with a class each; the error is the share of wrong classes."""

    name, words, labelled = "labelled", "labelled images", True
    error_is = "share of images that are put in a wrong class"

    def check(self, network, dataset):
        """Raise `MisuseError` for data without labels or of other sizes than the network."""
        if dataset.train_labels is None:
            raise MisuseError(f"data '{dataset.name}' has no labels to learn; "
                              "use digits, mnist or fashion-mnist")
        super().check(network, dataset)
        for name in ("d", "y"):
            found = network.population(name).size
            if found != dataset.classes:
                raise MisuseError(f"the last layer of network '{network.name}' has {found} units, "
                                  f"data '{dataset.name}' has {dataset.classes} classes; make "
                                  f"that layer {dataset.classes}")

    def prepare(self, dataset):
        """Training and test images, as they are."""
        return dataset.train, dataset.test

    def inputs(self, network, images, targets) -> dict:
        """Images and one-hot targets."""
        return {"x": images, "d": targets}

    def sign(self, rng) -> int:
        """A fair coin."""
        return 1 if rng.integers(2) else -1

    def score(self, system, network, result, images, labels):
        """(images in a wrong class, images)."""
        return int(np.count_nonzero(result.predictions != labels)), len(labels)

    def check_alive(self, executor, program, images, epoch, rates):
        """Raise `ApicalError` when weights are not finite or outputs do not depend on the image.

        Too large steps do not make weights infinite where rates are bounded: they push units to a
        limit that no later step takes them from.
        """
        check_finite(executor.weights, epoch)
        network, images = executor.network, images[:_LOOKED_AT]
        outputs = executor.run(program, {"x": images}).states["y", STATE]
        if network.population("y").rate == "logistic":
            outputs = 0.5 * np.tanh(0.5 * outputs) + 0.5
        if len(images) > 1 and any(rates.values()) and np.ptp(outputs, axis=0).max() < _SAME:
            raise ApicalError(f"training collapsed: every test image gives the same outputs after "
                              f"epoch {epoch + 1}; use smaller rates")


class Binarized(Kind):
    """Images of zeros and ones; the error is the share of wrong pixels after a reconstruction."""

    name, words, watched, levels = "binarized", "binarized images", EPOCH_IMAGES, CORRUPTIONS
    error_is = f"share of wrong pixels reconstructed from {EPOCH_CORRUPTION:.0%} flipped pixels"

    def check(self, network, dataset):
        """Raise `MisuseError` for data of other sizes than the machine."""
        width = sum(p.size for p in network.clamped)
        if dataset.width != width:
            raise MisuseError(f"the first layer of machine '{network.name}' has {width} units, "
                              f"data '{dataset.name}' has {dataset.width} pixels; make that layer "
                              f"{dataset.width}")

    def identity(self, network) -> dict:
        """The matrices: machines of one name differ in them."""
        return {"matrices": [m.name for m in network.matrices]}

    def prepare(self, dataset):
        """Pixels above 1/2 become 1, others 0."""
        return machines.binarize(dataset.train), machines.binarize(dataset.test)

    def inputs(self, network, images, targets) -> dict:
        """Columns of the images by visible population."""
        return machines.split(network, images)

    def given(self, network, images, level=EPOCH_CORRUPTION) -> dict:
        """Images with flipped pixels, by visible population."""
        return machines.split(network, machines.corrupt(images, level, CORRUPTION_SEED))

    def score(self, system, network, result, images, labels):
        """(wrong pixels, pixels)."""
        found = machines.join(network, result.states)
        return int(np.count_nonzero((found > 0.5) != (images > 0.5))), images.size

    def check_alive(self, executor, program, images, epoch, rates):
        """Raise `ApicalError` for weights that are not finite or couplings beyond reason."""
        check_finite(executor.weights, epoch)
        for name, values in executor.weights.items():
            if name[0] != "b" and np.abs(values).max() > _LARGEST:
                raise ApicalError(f"training diverged: couplings '{name}' are up to "
                                  f"{np.abs(values).max():.0f} after epoch {epoch + 1}; "
                                  "use smaller rates")


def check_finite(weights, epoch):
    """Raise `ApicalError` for a weight that is not a finite number."""
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise ApicalError(f"training diverged: matrix '{name}' is not finite after epoch "
                              f"{epoch + 1}; use smaller rates")


LABELLED, BINARIZED, UNLABELLED = Labelled(), Binarized(), Kind()
