"""The ``apical`` command: parses, calls, prints.

Sub-commands are imported when they are used, so that ``apical --help`` answers at once.
A sub-command module ``cli/<name>.py`` has ``add_arguments(parser)`` and ``run(args) -> int``.

Exit codes: 0 done; 1 the run failed (a mismatch, an unwritable file); 2 the request cannot be right
(unknown option, wrong size, foreign file, an extra that is not installed); 130 interrupted; 141 the
reader of a pipe went away. Errors are one line on stderr; ``APICAL_TRACEBACK=1`` shows where they
come from.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import sys
import traceback

from ..golden.errors import ApicalError
from ..golden.threads import pin
from .common import reserve_stdout

#: Sub-command -> (module, what it does in one line).
COMMANDS = {
    "train": (".train", "train a network by a local rule"),
    "reproduce": (".reproduce", "check the systems against the claims of their papers"),
    "sample": (".sample", "draw samples of a trained Boltzmann machine"),
    "quantize": (".quantize", "turn a trained network into raw integers and report the range"),
    "cosim": (".cosim", "run a network on the simulated gateware and compare every bit"),
    "generate": (".generate", "write the engine as Verilog"),
    "boards": (".boards", "list the boards and the networks that fit"),
    "build": (".build", "synthesize, place and route the bitstream of a board"),
    "flash": (".flash", "load a bitstream into a board"),
    "run": (".run", "run a network on a board, or on what stands for one"),
    "selftest": (".selftest", "test memories, operations and link of a board"),
    "monitor": (".monitor", "run images on a board and watch energy, steps and accuracy"),
    "replay": (".replay", "repeat a recorded session on another device and compare"),
    "board": (".board", "serve a virtual board"),
    "cache": (".cache", "list or clear what is kept between runs"),
}

EXIT_FAILED, EXIT_MISUSE, EXIT_INTERRUPTED, EXIT_PIPE = 1, 2, 130, 141


class _Formatter(argparse.HelpFormatter):
    """Help that ends each option with its default, where it has one."""

    def add_argument(self, action):
        super().add_argument(action)
        # argparse forgets that sub-commands are indented once more, and wraps the longest.
        for sub in self._iter_indented_subactions(action):
            length = len(self._format_action_invocation(sub)) + self._current_indent
            self._action_max_length = max(self._action_max_length, length)

    def _get_help_string(self, action):
        text = action.help or ""
        shown = action.default not in (None, False, argparse.SUPPRESS) and "%(default)" not in text
        return text + " (default: %(default)s)" if shown and action.option_strings else text


class _Parser(argparse.ArgumentParser):
    """Parser whose errors are one line."""

    def __init__(self, **options):
        super().__init__(allow_abbrev=False, formatter_class=_Formatter, **options)

    def error(self, message):
        self.exit(EXIT_MISUSE, f"{self.prog}: {_line(message)}; see '{self.prog} --help'\n")


def main(argv=None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program name; those of the process by default.

    Returns
    -------
    int
        Exit code; nothing is raised, not even for ``--help``.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    pin()  # before a sub-command imports NumPy
    try:
        code = _run(argv)
        sys.stdout.flush()  # here, where a failure can be reported
        return code
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _silence(sys.stdout)
        return EXIT_PIPE
    except ApicalError as error:
        return _fail(error, error.exit_code)
    except ModuleNotFoundError as error:
        return _fail(_missing(argv, error), EXIT_MISUSE)
    except MemoryError:
        return _fail("out of memory; use a smaller network or batch", EXIT_FAILED)
    except OSError as error:
        where = f" ('{error.filename}')" if error.filename else ""
        return _fail(f"{(error.strerror or str(error)).lower()}{where}", EXIT_FAILED)
    except Exception as error:
        return _fail(f"internal error: {type(error).__name__}: {error} "
                     "(APICAL_TRACEBACK=1 shows where)", EXIT_FAILED)


def _run(argv):
    # Options before the command are --help and --version only, neither takes a value: the first
    # other word is the command, and only its module is imported.
    name = next((word for word in argv if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        return _fail(f"unknown command '{name}'; commands: {', '.join(COMMANDS)}", EXIT_MISUSE)
    parser = _Parser(prog="apical", description="Energy networks that settle and learn by local "
                     "rules, from an equation to an open FPGA.",
                     epilog="'apical COMMAND --help' lists the options of a command.")
    parser.add_argument("--version", action="version",
                        version=f"apical {importlib.metadata.version('apical')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    run = None
    for other, (module, summary) in COMMANDS.items():
        sub = commands.add_parser(other, help=summary, description=summary.capitalize() + ".")
        if other == name:
            module = importlib.import_module(module, __package__)
            module.add_arguments(sub)
            run = module.run
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # --help, --version or misuse, already printed
        return stop.code
    if run is None:
        return _fail(f"a command is needed: {', '.join(COMMANDS)}; see 'apical --help'",
                     EXIT_MISUSE)
    with reserve_stdout(*(getattr(args, name, None) for name in ("json", "json_lines", "record"))):
        return run(args) or 0


def _missing(argv, error):
    """What to say about a module that is not installed: which command needs it, what brings it."""
    from ..golden.extras import distribution, how_to_install

    ours = __package__.partition(".")[0]
    if error.name is None or error.name.partition(".")[0] == ours:
        return f"the module '{error.name}' of {ours} is missing; install {ours} again"
    # Folders of ours that the import came through, the one that imports it first.
    names = [frame.f_globals.get("__name__", "")
             for frame, _ in traceback.walk_tb(error.__traceback__)]
    folders = [name.split(".")[1] for name in reversed(names) if name.startswith(f"{ours}.")]
    command = next((word for word in argv if not word.startswith("-")), "")
    package = distribution(error.name)
    return (f"'apical {command}' needs {package}, which is not installed; install it: "
            f"{how_to_install(package, folders)}")


def _line(text):
    return " ".join(str(text).split())


def _fail(message, code):
    """Print one line on stderr and return the exit code."""
    if os.environ.get("APICAL_TRACEBACK") == "1" and sys.exc_info()[0] is not None:
        traceback.print_exc()
    try:
        sys.stdout.flush()
    except OSError:
        _silence(sys.stdout)
    try:
        print(f"apical: {_line(message)}", file=sys.stderr, flush=True)
    except OSError:
        _silence(sys.stderr)
    return code


def _silence(stream):
    """Send what is left in a broken stream nowhere, or Python complains about it at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # not a real file (captured in a test): nothing to be said at exit
