"""Which extra brings a package that is missing, by the metadata of the installed Apical.

``pyproject.toml`` is the only list. Nothing here needs a package of others.
"""

from __future__ import annotations

import re
from importlib import metadata

#: Modules that are not named like their distribution.
_DISTRIBUTIONS = {"serial": "pyserial", "cocotb_tools": "cocotb", "find_libpython": "cocotb",
                  "sklearn": "scikit-learn"}


def distribution(module: str) -> str:
    """Name of the distribution that has a module."""
    name = module.partition(".")[0]
    return _DISTRIBUTIONS.get(name, name.replace("_", "-"))


def extras() -> dict:
    """Extra -> distributions it brings, those of the extras inside it included.

    Returns
    -------
    dict of str to set of str
        In the order of ``pyproject.toml``; the entry None has what is always installed.
    """
    found, inner = {}, {}
    for line in metadata.requires("apical") or ():
        name, chosen = re.match(r"([\w.-]+)(?:\[([^]]*)\])?", line).groups()
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        extra = extra and extra[1]
        if name == "apical":
            inner[extra] = chosen.split(",")
        found.setdefault(extra, set()).add(name.lower().replace("_", "-"))
    for extra, parts in inner.items():
        found[extra] = found[extra].union(*(found[part.strip()] for part in parts)) - {"apical"}
    return found


def how_to_install(package: str, folders=()) -> str:
    """The command that installs a missing distribution.

    Parameters
    ----------
    package : str
    folders : sequence of str
        Folders of ours that need it: an extra of the same name is preferred.
    """
    having = [extra for extra, packages in extras().items() if extra and package in packages]
    if not having:
        return f"pip install {package}"
    chosen = next((name for name in folders if name in having), having[0])
    return f"pip install 'apical[{chosen}]'"
