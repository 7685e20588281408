"""The mixing functions a second time, in other words: on bit strings and modular sums."""


def left(word, count):
    bits = f"{word:016b}"
    return int(bits[count:] + bits[:count], 2)


def speck_round(x, y, k):
    x = ((left(x, 9) + y) % 65536) ^ k
    return x, left(y, 2) ^ x


def key_of(key, word):
    parts, both = (key // 65536, key % 65536), key ^ word
    x, y = both // 65536, both % 65536
    for i in range(8):
        x, y = speck_round(x, y, parts[i % 2] ^ i)
    return x * 65536 + y


def both(one, two):
    return "".join(str(int(a) * int(b)) for a, b in zip(f"{one:016b}", f"{two:016b}"))


def cross(a, b, c, d):
    x, y = (a + c) % 65536, b ^ d
    y ^= left(x, 9) ^ int(both(left(x, 7), left(x, 3)), 2)
    x = (x + left(y, 3)) % 65536
    y ^= left(x, 5) ^ int(both(left(x, 11), left(x, 2)), 2)
    return x, y


def element(key, address, value):
    x, y = cross(key // 65536, key % 65536, value % 65536, address)
    return y * 65536 + x


def weight(key, row, col):
    one, two = key_of(key, row), key_of(key, 65536 + col)
    return cross(one // 65536, one % 65536, two // 65536, two % 65536)


def addend(y, drop):
    return y * 2 ** drop // 65536


def written(x, y, value):
    h = (value + x) % 65536
    return h ^ y ^ int(both(h * 8 % 65536, h * 128 % 65536), 2)
