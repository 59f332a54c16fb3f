#!/usr/bin/env python3
"""Reads a file of write_sample with nothing but json and struct, and recomputes its values: an independent reader."""
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "vectors"))
import first_weights  # noqa: E402

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "sample.safetensors")
    subprocess.run([sys.argv[1], path], check=True)
    raw = open(path, "rb").read()

(length,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8 : 8 + length])
data = raw[8 + length :]
assert (8 + length) % 8 == 0
assert header.pop("__metadata__") == {"job": "sample"}
shapes = {name: entry["shape"] for name, entry in header.items()}
assert shapes == {
    "0.weight": [6, 1, 5, 5], "0.bias": [6], "3.weight": [16, 6, 5, 5], "3.bias": [16], "7.weight": [120, 400],
    "7.bias": [120], "9.weight": [84, 120], "9.bias": [84], "11.weight": [10, 84], "11.bias": [10],
}, shapes
fan_in = {"0": 25, "3": 150, "7": 400, "9": 120, "11": 84}
position = 0
expected = first_weights.weights(
    42, [((e["data_offsets"][1] - e["data_offsets"][0]) // 4, fan_in[n.split(".")[0]]) for n, e in header.items()])
for (name, entry), values in zip(header.items(), expected):
    begin, end = entry["data_offsets"]
    assert entry["dtype"] == "F32" and begin == position
    assert list(struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])) == values, name
    position = end
assert position == len(data) == 4 * 61706
print("read", len(header), "tensors")
