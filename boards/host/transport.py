"""Ways for bytes to reach a board and come back.

A transport has ``send(data)``, ``receive(seconds) -> bytes`` (what arrived; nothing after a
timeout), ``close()`` and a ``name`` for messages.
"""

from __future__ import annotations

import contextlib
import errno
import os

from ...golden.errors import ApicalError, MisuseError
from .software_endpoint import SoftwareEndpoint


class Loop:
    """Bytes that stay in this process: they go to an endpoint in Python."""

    def __init__(self, endpoint: SoftwareEndpoint, name: str):
        self.endpoint, self.name = endpoint, name
        self._answers = b""

    def send(self, data: bytes):
        self._answers += self.endpoint.feed(data)

    def receive(self, seconds: float) -> bytes:
        answers, self._answers = self._answers, b""
        return answers

    def close(self):
        close = getattr(self.endpoint.port, "close", None)
        if close is not None:
            close()


class SerialPort:
    """A serial port, or a pseudo-terminal that behaves like one.

    Parameters
    ----------
    path : str
        Name of the port.
    baud : int
        Bits per second.

    Raises
    ------
    MisuseError
        When there is no such port.
    ApicalError
        When it cannot be opened, or another program has it.
    """

    def __init__(self, path: str, baud: int):
        import serial

        self.name = path
        self._error = serial.SerialException
        if not os.path.exists(path):
            raise MisuseError(f"there is no port '{path}'; is the board plugged in?")
        if not os.access(path, os.R_OK | os.W_OK):
            raise ApicalError(f"port '{path}' may not be read and written by this user; "
                              "on most systems: sudo usermod -aG dialout $USER")
        try:
            self._port = serial.Serial(path, baud, timeout=0, write_timeout=10, exclusive=True)
        except serial.SerialException as error:
            raise self._refusal(error) from error
        except (OSError, ValueError) as error:
            raise ApicalError(f"port '{path}' cannot be opened: {_reason(error)}") from error

    def _refusal(self, error):
        text = str(error)
        if "exclusively lock" in text or error.errno in (errno.EBUSY, errno.EAGAIN):
            return ApicalError(f"port '{self.name}' is in use by another program")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return ApicalError(f"port '{self.name}' may not be read and written by this user; "
                               "on most systems: sudo usermod -aG dialout $USER")
        if error.errno in (errno.ENOTTY, errno.EINVAL) or "configure port" in text:
            return MisuseError(f"'{self.name}' is no serial port")
        return ApicalError(f"port '{self.name}' cannot be opened: {_reason(error)}")

    def set_rate(self, baud: int):
        """Change the rate, bits per second."""
        try:
            self._port.baudrate = baud
        except (self._error, OSError, ValueError) as error:
            raise ApicalError(f"port '{self.name}' cannot run at {baud} baud") from error

    def send(self, data: bytes):
        """Send bytes."""
        try:
            self._port.write(data)
        except (self._error, OSError) as error:
            raise self._gone(error) from error

    def receive(self, seconds: float) -> bytes:
        """Bytes that arrived; waits for the first one."""
        try:
            self._port.timeout = seconds
            first = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else first
        except (self._error, OSError, TypeError) as error:
            raise self._gone(error) from error

    def _gone(self, error):
        if "timeout" in str(error).lower():
            return ApicalError(f"port '{self.name}' takes no more bytes; is a board connected to "
                               "it?")
        return ApicalError(f"port '{self.name}' went away ({_reason(error)}); "
                           "is the board still plugged in?")

    def close(self):
        """Release the port."""
        with contextlib.suppress(self._error, OSError):  # it may be gone already
            self._port.close()


def _reason(error):
    # The text of pyserial repeats the name of the port.
    text = os.strerror(error.errno) if getattr(error, "errno", None) else str(error)
    return " ".join(text.split()).lower()
