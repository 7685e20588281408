"""Cells of the iCE40 UltraPlus: SB_SPRAM256KA, SB_RAM40_4K, SB_MAC16.

Multiplications are instanced, never inferred: Yosys 0.70 ``synth_ice40 -dsp`` turns signed dot
products into wrong circuits.

Cells: a word memory of so many words that it has one port takes ``ceil(width / 16)`` SPRAM for each
16,384 words (its content is undefined until written); a smaller one, and each read port of a lane
memory, block RAM of 4 Kb in the widest form that holds the depth.  A multiplier takes one SB_MAC16,
and so does a 32-bit accumulator, or both in one.
"""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Mux, ResetSignal, Signal
from amaranth.utils import ceil_log2

from ..export.families import one_port
from .portable import delayed, select_chunk, select_late

SPRAM_WORDS, SPRAM_WIDTH = 1 << 14, 16
#: Depth -> (mode, data pins in use); the pins of the narrow forms are spread over the word.
EBR_MODES = {256: (0, range(16)), 512: (1, range(0, 16, 2)), 1024: (2, range(1, 16, 4)),
             2048: (3, range(3, 16, 8))}


def word_memory(m, memory):
    """SPRAM, or block RAM where it is shallow."""
    if one_port("ice40", memory.depth):
        _spram(m, memory)
        return
    word = _ebr(m, memory.depth, memory.read.address, memory.write.address, memory.write.data,
                memory.write.enable.replicate(memory.width))
    m.d.comb += memory.read.data.eq(delayed(m, word, memory.latency - 1, "output"))


def lane_memory(m, memory):
    """Block RAM with write masks."""
    word = _ebr(m, memory.depth, memory.read.address, memory.write.address, memory.write.data,
                _each(memory.write.enable, memory.width))
    m.d.comb += memory.read.data.eq(word)
    if memory.chunk_lanes is not None:
        select_late(m, memory, word, select)


def chunk_memory(m, memory):
    """The chunks of a word are stored one after the other, so that block RAM selects among them."""
    chunk = _ebr(m, memory.depth << memory.chunk_bits, Cat(memory.read.number, memory.read.address),
                 Cat(memory.write.number, memory.write.address), memory.write.data,
                 _each(memory.write.enable, memory.width))
    m.d.comb += memory.read.data.eq(chunk)


def _each(flags, width):
    return Cat(*(flag.replicate(width) for flag in flags))


def _spram(m, memory):
    """One port: the address of the write goes first (no word is read while one is written)."""
    address = Mux(memory.write.enable, memory.write.address, memory.read.address)
    banks = -(-memory.depth // SPRAM_WORDS)
    outputs = []
    for bank in range(banks):
        chosen = (address >> 14) == bank if banks > 1 else Const(1)
        columns = []
        for column in range(-(-memory.width // SPRAM_WIDTH)):
            low = column * SPRAM_WIDTH
            output = Signal(SPRAM_WIDTH, name=f"spram{bank}_{column}")
            m.submodules[f"spram{bank}_{column}"] = Instance(
                "SB_SPRAM256KA", i_CLOCK=ClockSignal(), i_ADDRESS=_sized(address, 14),
                i_DATAIN=_sized(memory.write.data[low:low + SPRAM_WIDTH], SPRAM_WIDTH),
                i_MASKWREN=Const(15, 4), i_WREN=memory.write.enable, i_CHIPSELECT=chosen,
                # POWEROFF is active low.
                i_STANDBY=Const(0), i_SLEEP=Const(0), i_POWEROFF=Const(1), o_DATAOUT=output)
            columns.append(output)
        outputs.append(Cat(*columns)[:memory.width])
    word = outputs[0]
    if banks > 1:
        select = delayed(m, memory.read.address[14:], 1, "bank")
        for bank in range(1, banks):
            word = Mux(select == bank, outputs[bank], word)
    m.d.comb += memory.read.data.eq(delayed(m, word, memory.latency - 1, "output"))


def _ebr(m, words, read_address, write_address, write_data, enables):
    """Columns of block RAM with one read port; returns the word one cycle after the address.

    Narrow forms have no write mask: of each of their columns the bits are written together.
    """
    depth = min((d for d in EBR_MODES if d >= words), default=2048)
    mode, pins = EBR_MODES[depth]
    width, banks, bits = len(write_data), -(-words // depth), ceil_log2(depth)
    outputs = []
    for bank in range(banks):
        mine = write_address[bits:] == bank if banks > 1 else Const(1)
        columns = []
        for low in range(0, width, len(pins)):
            part = slice(low, min(low + len(pins), width))
            output, data, masked = Signal(16), [Const(0)] * 16, [Const(0)] * 16
            for pin, bit, enable in zip(pins, write_data[part], enables[part]):
                data[pin] = bit
                masked[pin] = ~enable if mode == 0 else Const(0)
            m.submodules[f"ebr{bank}_{low}"] = Instance(
                "SB_RAM40_4K", p_READ_MODE=mode, p_WRITE_MODE=mode,
                i_RCLK=ClockSignal(), i_RCLKE=Const(1), i_RE=Const(1),
                i_RADDR=_sized(read_address[:bits], 11),
                i_WCLK=ClockSignal(), i_WCLKE=enables[part].any() & mine, i_WE=Const(1),
                i_WADDR=_sized(write_address[:bits], 11),
                i_WDATA=Cat(*data), i_MASK=Cat(*masked), o_RDATA=output)
            columns += [output[pin] for pin in pins][:part.stop - low]
        outputs.append(Cat(*columns))
    word = outputs[0]
    if banks > 1:
        select = delayed(m, read_address[bits:], 1, "bank")
        for bank in range(1, banks):
            word = Mux(select == bank, outputs[bank], word)
    return word


def _sized(value, bits):
    """A value as exactly `bits` bits: cells read missing address bits as undefined."""
    return Cat(value, Const(0, bits - len(value)))[:bits] if len(value) < bits else value[:bits]


def select(m, word, select, size, name):
    """One of four parts in two cells a bit, where Yosys takes three.

    Where the upper bit is set, the first cell passes the lower bit on to the second one.
    """
    if len(select) != 2 or len(word) <= 2 * size:
        return select_chunk(word, select, size)
    chosen = Signal(size, name=name)
    for i in range(size):
        parts = [word[i + part * size] if i + part * size < len(word) else Const(0)
                 for part in range(4)]
        first = Signal(name=f"{name}_first{i}")
        # Inputs of the table, lowest first: a pair of parts, lower bit (or first cell), upper bit.
        for number, (pair, bit, output) in enumerate((
                (parts[:2], select[0], first), (parts[2:], first, chosen[i]))):
            table = 0
            for row in range(16):
                a, b, low, high = (row >> k & 1 for k in range(4))
                picked = b if low else a
                table |= ((low if high else picked) if number == 0
                          else (picked if high else low)) << row
            m.submodules[f"{name}_{i}_{number}"] = Instance(
                "SB_LUT4", p_LUT_INIT=Const(table, 16), i_I0=pair[0], i_I1=pair[1], i_I2=bit,
                i_I3=select[1], o_O=output)
    return chosen


def multiplier(m, multiplier):
    """Latency 1: product register; 2: and operand registers; 3: and partial products.

    Operands of the cell have 16 bits; the one value of `b` beyond them, 2**15, is taken as the
    negative of -2**15 by the adder after the product.
    """
    latency = min(multiplier.latency, 3)
    product = Signal(32)
    operand, partial = int(latency >= 2), int(latency >= 3)
    subtract = delayed(m, multiplier.b[16] ^ multiplier.b[15], latency - 1, "subtract")
    m.submodules.mac = _mac16(
        product, multiplier.a, multiplier.b[:16], subtract=subtract,
        p_A_REG=operand, p_B_REG=operand, p_A_SIGNED=1, p_B_SIGNED=1,
        p_TOP_8x8_MULT_REG=partial, p_BOT_8x8_MULT_REG=partial, p_PIPELINE_16x16_MULT_REG1=partial,
        # The sum of C:D, which are 0, and the 16 x 16 product.
        p_TOPADDSUB_LOWERINPUT=2, p_TOPADDSUB_UPPERINPUT=1, p_BOTADDSUB_LOWERINPUT=2,
        p_BOTADDSUB_UPPERINPUT=1)
    late = delayed(m, product, multiplier.latency - latency, "late")
    m.d.comb += multiplier.product.eq(late.as_signed())


def accumulator(m, accumulator):
    """The adder and the output register of a SB_MAC16.

    Its reset is asynchronous, so the engine's reset loads `data` instead, which comes from
    registers that the same reset clears (for resets of two cycles or more).
    """
    reset, data = ResetSignal(allow_reset_less=True), accumulator.data
    m.submodules.mac = _mac16(
        accumulator.value, accumulator.amount[16:], accumulator.amount[:16],
        load=accumulator.load | reset, c=data[16:], d=data[:16],
        # The sum of A:B and the output.
        p_TOPADDSUB_LOWERINPUT=0, p_TOPADDSUB_UPPERINPUT=0, p_BOTADDSUB_LOWERINPUT=0,
        p_BOTADDSUB_UPPERINPUT=0)


def product_sum(m, product):
    """Multiplier, adder and output register of one SB_MAC16."""
    m.submodules.mac = _mac16(
        product.total, product.a, product.b, subtract=product.subtract, load=product.load,
        hold=~(product.load | product.add), c=product.begin[16:], d=product.begin[:16],
        p_A_SIGNED=1, p_B_SIGNED=1,
        # The sum of the output and the 16 x 16 product.
        p_TOPADDSUB_LOWERINPUT=2, p_TOPADDSUB_UPPERINPUT=0, p_BOTADDSUB_LOWERINPUT=2,
        p_BOTADDSUB_UPPERINPUT=0)


def _mac16(output, a, b, *, subtract=0, load=0, hold=0, c=0, d=0, **parameters):
    """SB_MAC16 with the registered 32-bit sum as output."""
    names = ("C_REG", "D_REG", "A_REG", "B_REG", "A_SIGNED", "B_SIGNED", "TOP_8x8_MULT_REG",
             "BOT_8x8_MULT_REG", "PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2",
             "NEG_TRIGGER", "MODE_8x8", "BOTADDSUB_CARRYSELECT")
    fixed = {f"p_{name}": 0 for name in names}
    zeros = ("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT",
             "CI", "ACCUMCI", "SIGNEXTIN")
    # Output 1 is the register after the adder; carry 2 joins the two halves of the adder.
    return Instance(
        "SB_MAC16", **{**fixed, **parameters}, p_TOPOUTPUT_SELECT=1, p_BOTOUTPUT_SELECT=1,
        p_TOPADDSUB_CARRYSELECT=2, i_CLK=ClockSignal(), i_CE=Const(1), i_A=a, i_B=b,
        i_C=_port(c), i_D=_port(d), i_ADDSUBTOP=_bit(subtract), i_ADDSUBBOT=_bit(subtract),
        i_OLOADTOP=_bit(load), i_OLOADBOT=_bit(load), i_OHOLDTOP=_bit(hold),
        i_OHOLDBOT=_bit(hold), o_O=output,
        **{f"i_{name}": Const(0) for name in zeros})


def _port(value):
    return Const(value, 16) if isinstance(value, int) else value


def _bit(value):
    return Const(value, 1) if isinstance(value, int) else value


def register(m, value, late, clears=False):
    """As the portable form: slow enough without copies."""
    m.d.sync += late.eq(value)
