#!/usr/bin/env python3
"""Prints golden first weights for tests/unit/model: SplitMix64 as published, written independently of common/model."""
import math
import struct

MASK = (1 << 64) - 1


def draws(seed):
    state = seed
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def weights(seed, layers):
    stream = draws(seed)
    for count, fan_in in layers:
        bound = 1 / math.sqrt(fan_in)
        values = [(2 * ((next(stream) >> 40) / 2**24) - 1) * bound for _ in range(count)]
        yield [struct.unpack("<f", struct.pack("<f", v))[0] for v in values]


if __name__ == "__main__":
    # conv2d 1 -> 2, 3x3 (18 weights and 2 biases of fan-in 9), group norm, linear 8 -> 2 (fan-in 8).
    convolution, _, linear = weights(42, [(18, 9), (2, 9), (16, 8)])
    print(", ".join(v.hex() + "F" for v in convolution[:4] + linear[:4]))
