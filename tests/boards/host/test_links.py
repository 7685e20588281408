"""Sessions over bad lines, and what is said when nothing helps."""

import os
import random
import time

import numpy as np
import pytest

from apical.boards.host import links
from apical.boards.host.frames import AnswerReader, answer, request
from apical.boards.host.links import Link, LinkError
from apical.boards.host.software_endpoint import SoftwareEndpoint
from apical.boards.host.transport import SerialPort
from apical.golden.errors import ApicalError, MisuseError
from apical.hw.interface.isa import REGISTERS, Space, address
from apical.hw.interface.protocol import PROTOCOL_VERSION, Operation, Status


class Words:
    """A port that counts how often each word is written."""

    def __init__(self):
        self.words, self.writes = {}, []

    def write(self, addresses, data):
        for where, word in zip(addresses, data):
            self.words[int(where)] = int(word)
            self.writes.append(int(where))

    def read(self, addresses):
        return np.array([self.words.get(int(where), 0) for where in addresses], np.int64)

    def image(self):
        self.writes.append("image")

    def stop(self):
        self.writes.append("stop")


class BadLine:
    """A line that spoils one byte in so many, either way."""

    name = "a bad line"

    def __init__(self, endpoint, share, seed):
        self.endpoint, self.share, self.rng, self.back = endpoint, share, random.Random(seed), b""

    def _spoil(self, data):
        made = bytearray()
        for byte in data:
            chance = self.rng.random()
            if chance < self.share / 3:
                continue
            made.append(byte ^ 1 << self.rng.randrange(8) if chance < 2 * self.share / 3 else byte)
            if 2 * self.share / 3 < chance < self.share:
                made.append(self.rng.randrange(256))
        return bytes(made)

    def send(self, data):
        self.back += self._spoil(self.endpoint.feed(self._spoil(data)))

    def receive(self, seconds):
        back, self.back = self.back, b""
        return back

    def close(self):
        pass


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_every_word_is_written_once(seed, monkeypatch):
    monkeypatch.setattr(links, "ATTEMPTS", 50)
    port = Words()
    link = Link(BadLine(SoftwareEndpoint(port, 4), 0.004, seed), patience=0.0).open()
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 1 << 32, 600)
    places = address(Space.EVENTS) + np.arange(600)
    link.write(places, data)
    assert link.read(places).tolist() == data.tolist()
    assert port.writes == places.tolist()
    link.run(places[:3], data[:3])
    assert port.writes == [*places.tolist(), *places[:3].tolist(), "image"]
    assert link.repeats > 0
    assert link.counters()["repeats"] == link.repeats


def test_a_dead_line_is_given_up():
    class Dead(BadLine):
        def send(self, data):
            pass

    link = Link(Dead(None, 0, 0), patience=0.0)
    with pytest.raises(LinkError, match=r"^nothing at a bad line speaks the protocol of a board "
                                        r"\(3 requests, 0 s\); is the bitstream loaded, and is "):
        link.open()


@pytest.mark.parametrize("babbling", [False, True])
def test_what_was_tried_is_said_as_it_was(babbling, monkeypatch):
    """With every rate of the boards, as without --baud."""
    class Quiet(BadLine):
        rates, sent = [], 0

        def set_rate(self, baud):
            self.rates.append(baud)

        def send(self, data):
            Quiet.sent += 1

        def receive(self, seconds):
            time.sleep(min(seconds, 0.01))
            return b"\x7e noise" if babbling else b""

    monkeypatch.setattr(links, "OPENING", 0.1)
    link = Link(Quiet(None, 0, 0))
    link.rates = [3_000_000, 1_000_000, 9600]
    began = time.monotonic()
    with pytest.raises(LinkError) as told:
        link.open()
    took = time.monotonic() - began
    assert "(3 requests at each of 3000000, 1000000, 9600 baud, 1 s in all)" in str(told.value)
    assert Quiet.sent == 9 and Quiet.rates == link.rates
    assert took == pytest.approx(0.9, abs=0.6)


def test_another_host_is_told():
    endpoint = SoftwareEndpoint(Words(), 4)
    first = Link(BadLine(endpoint, 0, 0), patience=0.0).open()
    second = Link(BadLine(endpoint, 0, 0), patience=0.0)
    while second._tag >> 4 == first._tag >> 4 or second._tag == 0:
        second.open()
    with pytest.raises(LinkError, match="another program has opened a session with the board at a "
                                        "bad line since"):
        first.read([REGISTERS["identity"].address])
    second.read([REGISTERS["identity"].address])
    assert first.refusals == {Status.SEQUENCE: 1}


def test_a_board_of_another_protocol_is_told(monkeypatch):
    link = Link(BadLine(SoftwareEndpoint(Words(), 4), 0, 0), patience=0.0)
    monkeypatch.setattr(links, "PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
    with pytest.raises(LinkError, match=f"speaks version {PROTOCOL_VERSION} of the protocol, this "
                                        f"is version {PROTOCOL_VERSION + 1}; build and load"):
        link.open()


@pytest.mark.parametrize(("status", "told"), [
    (Status.ABORTED, "did not finish a request in time and was left with a part of it"),
    (Status.LENGTH, "answers: refused: its length is no whole number of words"),
])
def test_refusals_are_named(status, told):
    link = Link(BadLine(SoftwareEndpoint(Words(), 4), 0, 0), patience=0.0).open()
    link.transport.send = lambda data: None
    link.transport.back = answer(links_answer(link._tag, status))
    with pytest.raises(LinkError, match=told):
        link.read([0])
    assert link.refusals[status] == 1


def links_answer(tag, status):
    from apical.boards.host.frames import Answer

    return Answer(tag, PROTOCOL_VERSION, status, 0)


def test_answers_are_found_among_other_bytes():
    good = links_answer(5, Status.DONE)
    late = answer(links_answer(4, Status.DONE))
    whole = answer(good.__class__(5, PROTOCOL_VERSION, Status.DONE, 0, b"\x7e\x7d12"))
    reader = AnswerReader()
    reader.feed(b"xx~~" + late + b"noise" + whole[:6])
    assert reader.take(4).tag == 4
    assert reader.take(4) is None
    reader.feed(whole[6:])
    assert reader.take(4).data == b"\x7e\x7d12"
    assert reader.take(4) is None
    spoiled = bytearray(whole)
    spoiled[2] ^= 1
    reader.feed(bytes(spoiled) + late)
    assert reader.take(4).tag == 4
    assert reader.damaged == 1


def test_ports_that_cannot_be_opened(tmp_path, monkeypatch):
    with pytest.raises(MisuseError, match="^there is no port '/dev/nothing'; is the board plugged"):
        SerialPort("/dev/nothing", 9600)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(MisuseError, match="^'.*file' is no serial port"):
        SerialPort(str(file), 9600)
    master, slave = os.openpty()
    path = os.ttyname(slave)
    port = SerialPort(path, 9600)
    with pytest.raises(ApicalError, match=f"^port '{path}' is in use by another program"):
        SerialPort(path, 9600)
    port.close()
    monkeypatch.setattr(os, "access", lambda name, mode: False)
    with pytest.raises(ApicalError, match=f"^port '{path}' may not be read and written by this us"):
        SerialPort(path, 9600)
    monkeypatch.undo()
    port = SerialPort(path, 9600)
    port.send(b"abc")
    assert os.read(master, 10) == b"abc"
    os.write(master, b"de")
    assert port.receive(1.0) == b"de"
    assert port.receive(0.01) == b""
    os.close(master)
    os.close(slave)

    def use():
        for _ in range(3):
            port.send(b"abc")
            port.receive(0.1)

    with pytest.raises(ApicalError, match=f"^port '{path}' went away .*; is the board still plugg"):
        use()


def test_a_request_has_its_parts():
    made = request(0x12, Operation.READ_WIDE, 0x345678, length=256)
    assert made[:7] == bytes([0x7E, 0x12, 6, 255, 0x78, 0x56, 0x34])
