"""Operations that repeat others."""

from __future__ import annotations

from dataclasses import dataclass

from .operation import Operation
from .touched import draws, walk


@dataclass(frozen=True)
class Relax(Operation):
    """Repeat a body of operations, a fixed number of times or until settled.

    Parameters
    ----------
    steps : int
        Largest number of repetitions; 0 skips the body.
    body : tuple of operations
    settled : float or None
        Stop after a step in which ``max |u' - u| <= settled`` over all its `Update` and `Sample`
        (after the clip).  In raw integers the threshold is ``floor(settled * 2**fs)``.  What
        draws random words never settles and is refused inside.
    """

    steps: int
    body: tuple
    settled: float | None = None

    def reads(self):
        """Nothing but what its body reads."""
        return ()

    def writes(self):
        """Nothing but what its body writes."""
        return ()

    def loop(self):
        """Steps and body."""
        return self.steps, self.body

    def complaints(self, network):
        """Number of steps, threshold, and what never settles."""
        if self.steps < 0:
            yield f"{self.steps} steps"
        if self.settled is None:
            return
        if not self.settled >= 0:
            yield f"settled threshold {self.settled} is negative"
        for inner in walk(self.body):
            if isinstance(inner, Relax) and inner.settled is not None:
                yield "a loop until settled cannot hold another one"
            if draws(inner):
                yield "noise never settles; give a fixed number of steps"

    def label(self):
        """Steps, and when it ends."""
        if self.settled is None:
            return f"Relax {self.steps} steps"
        return f"Relax at most {self.steps} steps until settled within {self.settled:g}"
