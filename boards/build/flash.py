"""Loading a bitstream into a board, after checking that it is the right one."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from ...golden.errors import ApicalError, MisuseError
from ...hw.interface.config import EngineConfig
from ...hw.interface.presets import PRESETS, preset
from ..host.device import Device
from ..host.links import Link
from .build import NotBuiltError, load_manifest
from .catalog import Board

#: Folder of bitstreams and manifests, unless another is named.
DEFAULT_FOLDER = Path("build") / "boards"
#: Programmer -> how to get it.
PACKAGES = {"openFPGALoader": "install the package 'openfpgaloader' (apt install openfpgaloader)",
             "iceprog": "install the package 'fpga-icestorm' (apt install fpga-icestorm)",
             "dfu-util": "install the package 'dfu-util' (apt install dfu-util)",
             "icesprog": "build it from https://github.com/wuxx/icesugar, folder tools"}


def check_bitstream(board: Board, manifest_path) -> tuple:
    """(bitstream, manifest), or why it must not be loaded.

    Raises
    ------
    NotBuiltError
        When there is none.
    MisuseError
        For another board's bitstream, one that was changed, or one of an older configuration.
    """
    try:
        manifest = load_manifest(manifest_path)
    except NotBuiltError as error:
        raise NotBuiltError(f"{error}; build it with: {build_command(board, manifest_path)}"
                            ) from error
    if manifest["board"] != board.name:
        raise MisuseError(f"'{manifest_path}' is for board '{manifest['board']}', "
                          f"not for '{board.name}'")
    # The file beside the manifest: both may have been moved together.
    path = Path(manifest_path).with_name(Path(manifest["bitstream"]).name)
    try:
        bits = path.read_bytes()
    except OSError as error:
        raise NotBuiltError(f"no bitstream '{path}' ({error.strerror.lower()}); build it with: "
                            f"{build_command(board, manifest_path, manifest)}") from error
    if hashlib.sha256(bits).hexdigest() != manifest["sha256"]:
        raise MisuseError(f"'{path}' is not the bitstream its manifest describes (sha256 differs); "
                          f"build it again with: {build_command(board, manifest_path, manifest)}")
    # A bitstream may hold another preset than the board's own.
    name = manifest.get("preset")
    current = preset(name if name in PRESETS else board.preset).hash
    if manifest["config_hash"] != current:
        raise MisuseError(f"'{path}' is stale: it holds engine {manifest['config_hash']}, this "
                          f"version has {current}; build it again with: "
                          f"{build_command(board, manifest_path, manifest)}")
    return path, manifest


def build_command(board: Board, manifest_path, manifest=None) -> str:
    """A line for the shell that builds the bitstream of a manifest."""
    words = ["apical", "build", "--board", board.name]
    name = (manifest or {}).get("preset")
    if name in PRESETS and name != board.preset:
        words += ["--preset", name]
    if Path(manifest_path).parent != DEFAULT_FOLDER:
        words += ["-o", str(Path(manifest_path).parent)]
    return shlex.join(words)


def bitstream_beside(board: Board, manifest_path) -> Path:
    """Where a build leaves the bitstream of this manifest."""
    return Path(manifest_path).with_name(f"{board.name}.{board.device.family.bitstream}")


def command(board: Board, bitstream, target: str) -> list:
    """The programmer command, word by word.

    Parameters
    ----------
    target : {"sram", "flash"}
    """
    words = {"sram": board.sram, "flash": board.flash}[target]
    if words is None:
        raise MisuseError(f"board '{board.name}' cannot be loaded into {target}")
    return [*words, str(bitstream)]


def flash(board: Board, words) -> None:
    """Run a programmer command.

    Raises
    ------
    ApicalError
        One line: the programmer is not installed, or what it said last.
    """
    if shutil.which(words[0]) is None:
        raise ApicalError(f"{words[0]} is not installed; {PACKAGES[words[0]]}")
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    if answer.returncode:
        lines = [line.strip() for line in (answer.stderr + answer.stdout).splitlines()
                 if line.strip()]
        said = lines[-1] if lines else f"exit code {answer.returncode}"
        raise ApicalError(f"{words[0]} failed: {said}; is the board there? {board.connect}, and "
                          "check that this user may use it (udev rules)")


def read_back(board: Board, manifest: dict, port: str, attempts=5):
    """Ask a board that was just loaded which engine it holds.

    Raises
    ------
    ApicalError
        When it does not answer, or is another engine than the manifest's.
    """
    config = EngineConfig.from_dict(manifest["config"])
    for attempt in range(attempts):
        # A board needs a moment to start, and its port to come back.
        time.sleep(0.5)
        try:
            link = Link.serial(port, manifest.get("baud", board.baud))
            try:
                Device.open(link, config)
                return
            finally:
                link.close()
        except MisuseError as error:
            if "there is no port" not in str(error):
                raise ApicalError(f"loaded, but not what was meant: {error}") from error
            failure = error
        except ApicalError as error:
            failure = error
        if attempt == attempts - 1:
            raise ApicalError(f"loaded, but the board does not answer: {failure}")
