"""Errors for people to read: one line that says what is wrong, where, and what to do."""


class ApicalError(Exception):
    """A run that failed (command exit code 1)."""

    exit_code = 1


class MisuseError(ApicalError, ValueError):
    """A request that cannot be right: bad sizes, unknown names, foreign files (exit code 2)."""

    exit_code = 2


class DoesNotFitError(MisuseError):
    """A network or program that an engine configuration cannot hold.

    Parameters
    ----------
    what : str
        What was to be placed, and where.
    reasons : sequence of str
        Every reason found; each names the quantity needed, the quantity available and the remedy.

    Attributes
    ----------
    problem : tuple or None
        Network and program, where they are known.
    """

    problem = None

    def __init__(self, what, reasons):
        self.reasons = list(reasons)
        super().__init__(f"{what}: " + "; ".join(self.reasons))
