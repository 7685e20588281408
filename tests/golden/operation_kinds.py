"""The operations that the package itself has, whatever a test has added."""

from apical.golden.program import KINDS


def kinds():
    """Classes of all operations of the tree."""
    return [kind for kind in KINDS.values() if kind.__module__.startswith("apical.")]


def lacking(table):
    """Names of the operations that a table of handlers lacks."""
    return [kind.__name__ for kind in kinds() if kind not in table]
