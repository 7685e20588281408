"""docs/protocol.md says what hw/interface/protocol.py defines."""

import re
from pathlib import Path

from apical.boards.host.frames import checksum
from apical.hw.interface.protocol import (
    CRC,
    ESCAPE,
    FLAG,
    MEANING,
    PACKED,
    PAYLOAD,
    RESULTS,
    SCALE,
    SCALE_FRAC,
    SEQUENCE_BITS,
    TURN,
    Operation,
    Status,
)

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()


def test_operations():
    found = re.findall(r"^\| `([a-z ]+)` \| `(\w\w)` \|", PAGE, re.MULTILINE)
    assert {name: int(code, 16) for name, code in found} == {
        o.name.lower().replace("_", " "): int(o) for o in Operation}


def test_statuses():
    found = re.findall(r"^\| `(\w+)` \| (\d) \| (.*) \|$", PAGE, re.MULTILINE)
    assert [(name, int(code), told) for name, code, told in found] == [
        (s.name.lower(), int(s), MEANING[s]) for s in Status]


def test_numbers():
    words = " ".join(PAGE.split())
    assert checksum(b"123456789").hex() == "29b1"
    for text in (f"`{FLAG:02x}` on the line begins a frame", f"`{ESCAPE:02x}` says",
                 f"exclusive-ored with `{TURN:02x}`", f"polynomial `{CRC['polynomial']:04x}`",
                 f"start `{CRC['initial_crc']:04x}`", f"1 to {PAYLOAD} bytes",
                 f"low {SEQUENCE_BITS} bits", f"from address `{PACKED:06x}` on is two bytes",
                 f"from address `{SCALE:06x}` on",
                 f"`(byte * scale + {1 << SCALE_FRAC - 1}) / {1 << SCALE_FRAC}`"):
        assert text in words, text
    told = re.search(r"are the registers (.*?), 4 bytes each", words).group(1)
    assert tuple(re.findall(r"`(\w+)`", told)) == RESULTS
