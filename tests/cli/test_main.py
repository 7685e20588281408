"""The command: help without heavy imports, error conventions, quantize end to end."""

import argparse
import importlib
import io
import json
import os
import re
import subprocess
import sys
import types

import numpy as np
import pytest

import apical.cli as cli
from apical.cli import common
from apical.golden.errors import ApicalError, DoesNotFitError, MisuseError
from apical.golden.network import glorot, layered
from apical.golden.storage.model import Model, load_model, save_model

NET = layered([5, 4, 3])


@pytest.fixture
def model(tmp_path):
    save_model(tmp_path / "m.npz", Model(NET, glorot(NET, 1), meta={"seed": 1}))
    return str(tmp_path / "m.npz")


@pytest.fixture
def command(monkeypatch):
    """Install a sub-command 'fake' that runs a function."""
    def install(run):
        module = types.ModuleType("apical_fake_command")
        module.add_arguments = lambda parser: parser.add_argument("--n", type=int, default=3)
        module.run = run
        monkeypatch.setitem(sys.modules, "apical_fake_command", module)
        monkeypatch.setitem(cli.COMMANDS, "fake", ("apical_fake_command", "for tests"))
    return install


def failing(error):
    def run(args):
        raise error
    return run


def run_process(code, **options):
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("PYTHONUNBUFFERED", "APICAL_TRACEBACK")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=environment, timeout=60, **options)


# Help

@pytest.mark.parametrize("argv", [["--help"], ["--version"], [], ["nonsense"], ["--nonsense"]])
def test_nothing_heavy_is_imported_to_answer(argv):
    heavy = ("numpy", "scipy", "numba", "sklearn", "amaranth", "cocotb", "pytest")
    done = run_process(
        f"import sys; from apical.cli import main; main({argv!r})\n"
        f"sys.stdout.write('\\nLOADED' + ' '.join(m for m in {heavy} if m in sys.modules))")
    assert done.stdout.splitlines()[-1] == "LOADED", done


def test_help_lists_every_command(capsys):
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, (_, summary) in cli.COMMANDS.items():
        assert re.search(rf"^ +{name} +{re.escape(summary)}$", out, re.M)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"apical \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_help_of_a_command_ends_options_with_their_default(capsys):
    assert cli.main(["quantize", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "--weight FORMAT number format of weights (default: s16.12)" in out
    assert "clip weights outside the format instead of refusing them -o" in out


# Error conventions

@pytest.mark.parametrize(("error", "code", "line"), [
    (ApicalError("it failed"), 1, "apical: it failed"),
    (MisuseError("wrong\n size"), 2, "apical: wrong size"),
    (DoesNotFitError("net", ["too wide", "too deep"]), 2, "apical: net: too wide; too deep"),
    (KeyboardInterrupt(), 130, "apical: interrupted"),
    (OSError(28, "No space left on device"), 1, "apical: no space left on device"),
    (PermissionError(13, "Permission denied", "/x"), 1, "apical: permission denied ('/x')"),
    (MemoryError(), 1, "apical: out of memory; use a smaller network or batch"),
    (KeyError("x"), 1,
     "apical: internal error: KeyError: 'x' (APICAL_TRACEBACK=1 shows where)"),
])
def test_an_error_is_one_line_and_an_exit_code(command, capsys, monkeypatch, error, code, line):
    monkeypatch.delenv("APICAL_TRACEBACK", raising=False)
    command(failing(error))
    assert cli.main(["fake"]) == code
    assert capsys.readouterr() == ("", line + "\n")


def test_traceback_on_request(command, capsys, monkeypatch):
    monkeypatch.setenv("APICAL_TRACEBACK", "1")
    command(failing(ApicalError("it failed")))
    assert cli.main(["fake"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("apical: it failed\n")


@pytest.mark.parametrize(("argv", "pattern"), [
    ([], r"apical: a command is needed: train, reproduce, .*generate.*; see 'apical --help'\n"),
    (["simulate"], r"apical: unknown command 'simulate'; commands: train, reproduce, .*generate.*"
                   r"\n"),
    (["--fast"], r"apical: unrecognized arguments: --fast; see 'apical --help'\n"),
    (["quantize"], r"apical quantize: the following arguments are required: MODEL\.npz; see "
                   r"'apical quantize --help'\n"),
    (["fake", "--n", "x"], r"apical fake: argument --n: invalid int value: 'x'; see .*\n"),
    (["fake", "--m"], r"apical: unrecognized arguments: --m; see 'apical --help'\n"),
    (["quantize", "m.npz", "--weight", "16"], r"apical quantize: argument --weight: '16' is not a "
     r"number format; write one as s16\.12 .*\n"),
])
def test_misuse_is_one_line_and_code_2(command, capsys, argv, pattern):
    command(lambda args: 0)
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(pattern, err)


def test_options_are_not_abbreviated(command, capsys):
    command(lambda args: 0)
    assert cli.main(["quantize", "m.npz", "--sat"]) == 2
    assert "unrecognized arguments: --sat" in capsys.readouterr().err


def test_the_code_of_a_command_is_returned(command):
    seen = []
    command(lambda args: seen.append(args.n) or 7)
    assert cli.main(["fake", "--n", "5"]) == 7
    command(lambda args: None)
    assert cli.main(["fake"]) == 0
    assert seen == [5]


@pytest.mark.parametrize(("module", "how"), [
    ("no_such_package_here", "pip install no-such-package-here"),
    ("cocotb_tools.config", "pip install 'apical[sim]'"),
    ("amaranth.hdl", "pip install 'apical[sim]'"), ("serial", "pip install pyserial"),
    ("amaranth_boards", "pip install 'apical[boards]'"),
    ("matplotlib.figure", "pip install 'apical[plot]'"), ("numpy", "pip install numpy"),
])
def test_a_missing_package_is_named_with_its_extra(command, capsys, module, how):
    command(failing(ModuleNotFoundError(f"No module named '{module}'", name=module)))
    assert cli.main(["fake"]) == 2
    package = {"serial": "pyserial"}.get(module, module.partition(".")[0].replace("_", "-"))
    package = package.removesuffix("-tools")
    assert capsys.readouterr() == ("", f"apical: 'apical fake' needs {package}, which is not "
                                       f"installed; install it: {how}\n")


def test_a_missing_command_module_is_reported_alike(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "fake", ("no_such_package_here", "for tests"))
    assert cli.main(["fake"]) == 2
    assert "needs no-such-package-here, which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "extra"), [
    # Building a board and simulating both need Amaranth.
    (["build", "--board", "icebreaker"], "boards"),
    (["generate", "--lanes", "3", "-o", "x"], "sim"),
    (["run", "--link", "pysim"], "sim"),
])
def test_the_extra_of_the_folder_that_needs_a_package_is_preferred(argv, extra):
    done = run_process("import sys; sys.modules['amaranth'] = None\n"
                       f"from apical.cli import main; sys.exit(main({argv!r}))")
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (
        2, "", f"apical: 'apical {argv[0]}' needs amaranth, which is not installed; install it: "
               f"pip install 'apical[{extra}]'")


def test_a_module_of_ours_that_is_missing_is_a_broken_installation(command, capsys):
    command(failing(ModuleNotFoundError("No module", name="apical.hw.gone")))
    assert cli.main(["fake"]) == 2
    assert capsys.readouterr().err == ("apical: the module 'apical.hw.gone' of apical is missing; "
                                       "install apical again\n")


def test_a_closed_pipe_is_quiet():
    code = ("import sys; from apical.cli import main; sys.exit(main(['--help']))")
    reader, writer = os.pipe()
    os.close(reader)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE,
                          text=True, env=environment, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_behind_stdout_is_told():
    with open("/dev/full", "w") as full:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from apical.cli import main; "
                                   "sys.exit(main(['--help']))"],
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment, timeout=60)
    assert (done.returncode, done.stderr) == (1, "apical: no space left on device\n")


# Shared helpers

@pytest.mark.parametrize(("text", "value"), [("12", 12), ("-3", -3), ("+007", 7)])
def test_whole_numbers(text, value):
    assert common.whole_number(text) == value


@pytest.mark.parametrize("text", ["", "1.0", "١٦", "१२", "１", "1_0", " 1", "1\n", "²", "0x1",
                                  "9" * 5000])
def test_texts_that_are_no_whole_number(text):
    with pytest.raises(MisuseError, match=r"(?s)^'.*' is not a whole number$"):
        common.whole_number(text)


@pytest.mark.parametrize(("text", "value"), [("0.5", 0.5), ("-1e-3", -1e-3), ("3", 3.0),
                                             ("inf", float("inf"))])
def test_numbers(text, value):
    assert common.number(text) == value


@pytest.mark.parametrize("text", ["", "x", "٠.5", "1_0.5", "0,5"])
def test_texts_that_are_no_number(text):
    with pytest.raises(MisuseError, match=r"^'.*' is not a number$"):
        common.number(text)


@pytest.mark.parametrize("command", [name for name in cli.COMMANDS if name != "fake"])
def test_no_option_takes_numbers_by_itself(command):
    """`int` and `float` as the type of an option would take digits of other scripts."""
    parser = argparse.ArgumentParser()
    importlib.import_module(cli.COMMANDS[command][0], cli.__name__).add_arguments(parser)
    todo = [parser]
    while todo:
        for action in todo.pop()._actions:
            assert action.type not in (int, float), action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                todo += action.choices.values()

@pytest.mark.parametrize(("text", "layers"), [
    ("64-32-10", (64, 32, 10)), ("2-1", (2, 1)), (" 784-65535 ", (784, 65535)),
    ("064-10", (64, 10)),
])
def test_layers(text, layers):
    assert common.parse_layers(text) == layers


@pytest.mark.parametrize(("text", "message"), [
    ("", r"^layers '' have an empty part; write them as 64-32-10$"),
    ("64-32-", r"^layers '64-32-' have an empty part"),
    ("64", r"^layers '64' are too few; an input and an output layer are needed"),
    ("64-0-10", r"^layer '0' of '64-0-10' is not positive"),
    ("64-000-10", r"^layer '000' of '64-000-10' is not positive"),
    ("64--3-10", r"^layer '-3' of '64--3-10' is not positive"),
    ("-64-10", r"^layer '-64' of '-64-10' is not positive"),
    ("64-ten", r"^layer 'ten' of '64-ten' is not a whole number; write layers as 64-32-10$"),
    ("64-3.5-10", r"^layer '3\.5' of '64-3\.5-10' is not a whole number"),
    ("64x32", r"^layer '64x32' of '64x32' is not a whole number"),
    ("64-1_0", r"^layer '1_0' of '64-1_0' is not a whole number"),
    ("64-²", r"^layer '²' of '64-²' is not a whole number"),
    ("64-65536", r"^layer '65536' of '64-65536' is too large; a layer has at most 65535 units$"),
    ("64-" + "9" * 5000, r"is too large; a layer has at most 65535 units$"),
    ("--", r"^layer '--' of '--' is not a whole number"),
])
def test_layers_that_are_wrong(text, message):
    with pytest.raises(MisuseError, match=message):
        common.parse_layers(text)


def test_argument_keeps_the_message(capsys):
    parser = argparse.ArgumentParser(prog="p")
    parser.add_argument("--layers", type=common.argument(common.parse_layers))
    assert parser.parse_args(["--layers", "3-2"]).layers == (3, 2)
    with pytest.raises(SystemExit):
        parser.parse_args(["--layers", "3-a"])
    assert "layer 'a' of '3-a' is not a whole number" in capsys.readouterr().err


def test_table_aligns():
    text = common.table(["name", "n", "x"], [["a", 1, 0.123456789], ["bcdef", 100, None]])
    assert text.splitlines() == ["name     n         x",
                                 "-----  ---  --------",
                                 "a        1  0.123457",
                                 "bcdef  100"]
    assert common.table(["a", "bc"], []) == "a  bc\n-  --"


def test_json_takes_numpy_and_has_no_nan(tmp_path):
    common.write_json(tmp_path / "r.json", {
        "a": np.int64(3), "b": np.arange(3), "c": np.float32(0.5), "d": float("nan"),
        "e": [(1, np.inf)], 6: True, "f": None, "g": {"h": MisuseError}})
    read = json.loads((tmp_path / "r.json").read_text())
    assert read == {"a": 3, "b": [0, 1, 2], "c": 0.5, "d": None, "e": [[1, None]], "6": True,
                    "f": None, "g": {"h": str(MisuseError)}}


# quantize

def test_quantize_writes_a_model_and_a_report(model, tmp_path, capsys):
    out, report = tmp_path / "q.npz", tmp_path / "q.json"
    assert cli.main(["quantize", model, "--state", "s12.10", "--weight", "s8.6", "-o", str(out),
                     "--json", str(report)]) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[0] == "5-4-3: states s12.10, weights s8.6"
    assert text[1].split() == ["matrix", "weights", "largest", "|w|", "low", "high", "bits",
                               "saturated", "rms", "error"]
    assert [line.split()[0] for line in text[3:]] == ["W1", "b1", "W2", "b2"]
    made = load_model(out)
    assert tuple(map(str, made.formats)) == ("s12.10", "s8.6")
    assert made.meta == {"seed": 1}
    weights = glorot(NET, 1)
    assert (made.weights["W1"] == np.floor(weights["W1"] * 64 + 0.5)).all()
    data = json.loads(report.read_text())
    assert (data["network"], data["state"], data["weight"], data["saturated"]) == (
        "5-4-3", "s12.10", "s8.6", 0)
    assert data["matrices"][0]["greatest"] == np.abs(weights["W1"]).max()


def test_a_quantized_model_can_be_quantized_again(model, tmp_path):
    fine, coarse = str(tmp_path / "fine.npz"), str(tmp_path / "coarse.npz")
    assert cli.main(["quantize", model, "-o", fine]) == 0
    assert cli.main(["quantize", fine, "--weight", "s8.6", "-o", coarse]) == 0
    raw = load_model(fine).weights["W1"]
    assert (load_model(coarse).weights["W1"] == (raw + 32) >> 6).all()


def test_quantize_refuses_or_saturates(tmp_path, capsys):
    weights = glorot(NET, 1)
    weights["W2"][0, 1] = 11.5
    path, out = str(tmp_path / "m.npz"), str(tmp_path / "q.npz")
    save_model(path, Model(NET, weights))
    assert cli.main(["quantize", path, "-o", out]) == 2
    assert re.fullmatch(r"apical: matrix 'W2': weight \[0,1\] is 11\.5, outside format s16\.12 .*"
                        r"such as s16\.11, or allow saturation \(--saturate\)\n",
                        capsys.readouterr().err)
    assert not os.path.exists(out)
    assert cli.main(["quantize", path, "-o", out, "--saturate"]) == 0
    assert load_model(out).weights["W2"][0, 1] == 32767


@pytest.mark.parametrize("option", ["-o", "--json"])
def test_unwritable_output_is_refused_before_the_work(model, tmp_path, capsys, monkeypatch, option):
    import apical.cli.quantize as module
    monkeypatch.setattr(module, "load_model", failing(AssertionError("work was started")))
    assert cli.main(["quantize", model, option, str(tmp_path / "no" / "f")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"apical: cannot write '.*no/f': folder '.*no' does not exist; create it\n",
                        err)


def test_quantize_of_something_else(tmp_path, capsys):
    path = tmp_path / "m.npz"
    path.write_text("hello")
    assert cli.main(["quantize", str(path)]) == 2
    assert re.fullmatch(r"apical: '.*m\.npz' is not an Apical model, or it is damaged .*\n",
                        capsys.readouterr().err)


def test_output_of_a_silent_stderr_is_no_error(monkeypatch):
    class Broken(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Broken())
    assert cli.main(["nonsense"]) == 2
