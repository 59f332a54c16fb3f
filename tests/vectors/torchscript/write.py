#!/usr/bin/env python3
"""Writes the TorchScript files of this folder, as an owner of devices would: small modules of
PyTorch, scripted and saved. Each file comes with its first weights as safetensors.

Command: python3 write.py [FOLDER]     (PyTorch 1.13 or newer; Debian: python3-torch)
The committed files are those of PyTorch 1.13.1.
"""

import json
import pathlib
import struct
import sys
import zipfile

import torch
from torch import nn


class Perceptron(nn.Module):
    """Four columns, three classes."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


class Convolution(nn.Module):
    """Images of 8 x 8 pixels."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(64, 3)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


# A device gives two dimensions as images of one channel: [examples, 1, height, width].

class Recurrent(nn.Module):
    """Six steps of four values; the state after the last one decides."""

    def __init__(self, batch_first, kind=nn.LSTM):
        super().__init__()
        self.batch_first = batch_first
        self.cell = kind(4, 5, batch_first=batch_first)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x = x.squeeze(1)
        if self.batch_first:
            return self.head(self.cell(x)[0][:, -1])
        return self.head(self.cell(x.transpose(0, 1))[0][-1])


class LastState(nn.Module):
    """The same, by the state that the cell gives back; two layers, both directions."""

    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(4, 3, num_layers=2, bidirectional=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        _, (hidden, _) = self.cell(x.squeeze(1).permute(1, 0, 2))
        return self.head(torch.cat([hidden[-2], hidden[-1]], 1))


class Attention(nn.Module):
    """Six positions of four values."""

    def __init__(self, batch_first):
        super().__init__()
        self.batch_first = batch_first
        self.attention = nn.MultiheadAttention(4, 2, batch_first=batch_first)
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = x.squeeze(1)
        if self.batch_first:
            h = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
            return self.head(h.mean(1))
        s = x.transpose(0, 1)
        h = self.norm(s + self.attention(s, s, s, need_weights=False)[0])
        return self.head(h.mean(0))


MODELS = {
    "perceptron": Perceptron,
    "convolution": Convolution,
    "lstm-batch-first": lambda: Recurrent(True),
    "lstm-steps-first": lambda: Recurrent(False),
    "lstm-last-state": LastState,
    "gru-batch-first": lambda: Recurrent(True, nn.GRU),
    "attention-batch-first": lambda: Attention(True),
    "attention-steps-first": lambda: Attention(False),
}


def safetensors(parameters):
    header, data = {}, b""
    for name, value in parameters:
        values = value.detach().contiguous().flatten().tolist()
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def without_debug_records(path):
    """Those are for error messages, name the source files' places and are most of a small file."""
    with zipfile.ZipFile(path) as archive:
        kept = [(info, archive.read(info)) for info in archive.infolist()
                if not info.filename.endswith(".debug_pkl")]
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in kept:
            plain = zipfile.ZipInfo(info.filename)
            archive.writestr(plain, data, info.compress_type)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    for name, make in MODELS.items():
        torch.manual_seed(1)
        model = make()
        torch.jit.script(model).save(str(folder / f"{name}.pt"))
        without_debug_records(folder / f"{name}.pt")
        (folder / f"{name}.safetensors").write_bytes(safetensors(model.named_parameters()))


if __name__ == "__main__":
    main()
