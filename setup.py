"""Packages by rule: each top-level folder of sources is one sub-package of `apical`.

`apical` itself is a namespace without a file, so the folders cannot be found under their own
names. Every folder below them is a package, those that only hold data files too; everything else
is in pyproject.toml.
"""

from setuptools import find_namespace_packages, setup

FOLDERS = ("golden", "hw", "sim", "boards", "cli")
found = find_namespace_packages(
    include=[pattern for name in FOLDERS for pattern in (name, f"{name}.*")],
    exclude=["*.__pycache__", "*.__pycache__.*"])
setup(packages=[f"apical.{name}" for name in found],
      package_dir={f"apical.{name}": name for name in FOLDERS})
