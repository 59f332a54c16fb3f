"""Reads a safetensors file with the standard library alone and prints its tensors as JSON.

Written from the format's description, not from Tutti's code, so that it shows what any other reader sees:
an unsigned 64-bit little-endian header length, a JSON header, raw little-endian data without gaps.
"""
import json
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length].decode("utf-8"))
    body = data[8 + length :]
    metadata = header.pop("__metadata__", {})
    tensors, covered = {}, 0
    for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = tensor["data_offsets"]
        count = 1
        for size in tensor["shape"]:
            count *= size
        if tensor["dtype"] != "F32" or begin != covered or end - begin != 4 * count:
            sys.exit(f"{path}: tensor {name} is not a gapless F32 tensor of its shape")
        values = list(struct.unpack(f"<{count}f", body[begin:end]))
        tensors[name] = {"shape": tensor["shape"], "values": values}
        covered = end
    if covered != len(body):
        sys.exit(f"{path}: {len(body) - covered} bytes belong to no tensor")
    return {"metadata": metadata, "tensors": tensors}


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1])))
