"""Encodings: every field comes back, nothing overlaps, a wrong value is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apical.hw.interface import isa
from apical.hw.interface.isa import INSTRUCTIONS, REGISTERS, Layout, Opcode, Space

LAYOUTS = [value for value in vars(isa).values() if isinstance(value, Layout)]


@given(st.data())
def test_encode_and_decode_are_inverse(data):
    layout = data.draw(st.sampled_from(LAYOUTS))
    values = {name: data.draw(st.integers(0, (1 << field.width) - 1))
              for name, field in layout.fields.items()}
    assert layout.decode(layout.encode(**values)) == values


@given(st.integers(0, 2**64 - 1), st.sampled_from(LAYOUTS))
def test_no_bit_belongs_to_two_fields(word, layout):
    kept = layout.encode(**layout.decode(word))
    assert kept & ~word == 0


@pytest.mark.parametrize("opcode", Opcode)
def test_instructions_keep_their_opcode(opcode):
    fields = dict.fromkeys(INSTRUCTIONS[opcode].fields, 0)
    del fields["opcode"]
    last = list(fields)[-1]
    assert isa.decode(isa.encode(opcode, **{last: 1})) == (opcode, fields | {last: 1})


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match=r"project\.a = 256 does not fit 8 bits"):
        isa.encode(Opcode.PROJECT, a=256)
    with pytest.raises(ValueError, match="has no field 'z'"):
        isa.encode(Opcode.UNIT, z=1)


def test_disassembly_names_what_is_set():
    words = [isa.encode(Opcode.IMAGE), isa.encode(Opcode.UNIT, mode=isa.Mode.COPY, a=3, t=4)]
    assert isa.disassemble(words) == ["   0  image", "   1  unit    mode=copy a=3 t=4"]


def test_addresses_and_registers_are_distinct():
    assert len({r.address for r in REGISTERS.values()}) == len(REGISTERS) <= 32
    firsts = [isa.address(space) for space in Space]
    assert len(set(firsts)) == len(firsts) and max(firsts) < 1 << isa.ADDRESS_BITS
    assert isa.lane_address(Space.WEIGHTS, 32767, 63) < 1 << isa.ADDRESS_BITS
