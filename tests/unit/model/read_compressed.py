#!/usr/bin/env python3
"""Reads a compressed file of write_sample with nothing but Python's library, and holds it against the file it came from.
docs/models.md shows load()."""
import array
import json
import math
import os
import subprocess
import sys
import tempfile


def load(path):
    raw = open(path, "rb").read()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    metadata = header.pop("__metadata__", {})

    def read(name):
        begin, end = header[name]["data_offsets"]
        kind = {"F32": "f", "I8": "b", "U8": "B"}[header[name]["dtype"]]
        return array.array(kind, raw[start + begin : start + end])

    model = {}
    for name in header:
        if name.endswith((".scale", ".present")):
            continue
        shape, values = header[name]["shape"], read(name)
        if name + ".present" in header:           # stored without its zeros
            shape = [int(size) for size in metadata["shape." + name].split(",")]
            bits, stored = read(name + ".present"), iter(values)
            values = [next(stored) if bits[i // 8] >> i % 8 & 1 else 0 for i in range(math.prod(shape))]
        if name + ".scale" in header:             # int8
            scales, width = read(name + ".scale"), len(values) // shape[0]
            values = [value * scales[i // width] for i, value in enumerate(values)]
        model[name] = (shape, list(values))
    return model


with tempfile.TemporaryDirectory() as folder:
    whole, small = (os.path.join(folder, name) for name in ("whole", "small"))
    subprocess.run([sys.argv[1], whole, small], check=True)
    sizes = os.path.getsize(whole), os.path.getsize(small)
    before, after = load(whole), load(small)

assert before.keys() == after.keys()
weights = [abs(value) for shape, values in before.values() if len(shape) > 1 for value in values]
pruned = round(0.8 * len(weights))
limit = sorted(weights)[pruned - 1]  # the largest that went
zeros = 0
for name, (shape, values) in before.items():
    assert after[name][0] == shape, name
    if len(shape) == 1:
        assert after[name][1] == values, name
        continue
    width = len(values) // shape[0]
    for channel in range(shape[0]):
        part = slice(channel * width, (channel + 1) * width)
        step = max(abs(value) for value in values[part]) / 127
        for old, new in zip(values[part], after[name][1][part]):
            assert abs(old - new) <= (step * 0.50001 if abs(old) > limit else limit), (name, old, new)
            zeros += new == 0
assert pruned <= zeros <= pruned * 1.02, (pruned, zeros)
assert sizes[1] < sizes[0] / 9, sizes
print("read", len(after), "tensors,", sizes[1], "of", sizes[0], "bytes")
