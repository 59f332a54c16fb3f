#!/usr/bin/env python3
"""Writes a data frame of an R package as CSV, without R: the packages are only unpacked.

    deploy/r_table.py FILE.rda|FOLDER/Rdata NAME >table.csv      one data frame
    deploy/r_table.py FILE.rda|FOLDER/Rdata                      lists the names

FOLDER/Rdata means the lazy-load pair Rdata.rdx and Rdata.rdb. Factors are written as their words, missing values as
NA, matrices inside a frame are left out. Source of the format: the R Internals manual, "Serialization Formats".
"""
import bz2
import csv
import gzip
import io
import lzma
import math
import struct
import sys
import zlib

NA_INTEGER = -2147483648
CONSTANTS = {254: None, 253: None, 252: None, 251: None, 250: None, 247: None, 242: None, 241: None}


class Vector(list):
    """A vector with the attributes R gave it."""

    attributes = {}


class Reader:
    def __init__(self, data):
        self.stream = io.BytesIO(data)
        self.references = []
        magic = self.stream.read(2)
        if magic != b"X\n":
            raise ValueError("not R's binary serialization (XDR)")
        version = self.integer()
        self.stream.read(8)  # the writer's version and the oldest reader's
        if version == 3:
            self.stream.read(self.integer())  # the native encoding
        elif version != 2:
            raise ValueError(f"serialization version {version}, expected 2 or 3")

    def integer(self):
        return struct.unpack(">i", self.stream.read(4))[0]

    def numbers(self, code, size):
        count = self.integer()
        if count < 0:
            raise ValueError("a vector of more than 2^31 values")
        return list(struct.unpack(f">{count}{code}", self.stream.read(count * size)))

    def item(self):
        flags = self.integer()
        kind = flags & 0xFF
        has_attributes, has_tag = bool(flags & 0x200), bool(flags & 0x400)
        if kind == 255:
            return self.references[(flags >> 8 or self.integer()) - 1]
        if kind in (248, 249, 247):  # package, namespace, persistent environment: a list of names
            self.integer()
            names = [self.item() for _ in range(self.integer())]
            self.references.append(names)
            return names
        if kind in CONSTANTS:
            return None
        if kind == 1:  # symbol
            self.references.append(self.item())
            return self.references[-1]
        if kind == 4:  # environment
            self.integer()
            self.references.append("environment")
            for _ in range(4):
                self.item()
            return "environment"
        if kind in (2, 3, 5, 6, 239, 240):
            return self.pairs(kind, has_attributes, has_tag)
        if kind == 238:
            return self.alternative()
        value = self.vector(kind)
        if has_attributes:
            attributes = self.item() or []
            if isinstance(value, Vector):
                value.attributes = {name: content for name, content in attributes}
        return value

    def pairs(self, kind, has_attributes, has_tag):
        """A pairlist as (tag, value) pairs; the long ones are walked, not recursed into."""
        pairs = []
        while True:
            if has_attributes or kind in (239, 240):
                self.item()
            tag = self.item() if has_tag else None
            pairs.append((tag, self.item()))
            flags = self.integer()
            kind = flags & 0xFF
            has_attributes, has_tag = bool(flags & 0x200), bool(flags & 0x400)
            if kind == 254:
                return pairs
            if kind not in (2, 6, 239, 240):
                self.stream.seek(-4, io.SEEK_CUR)
                pairs.append((None, self.item()))
                return pairs

    def vector(self, kind):
        if kind == 9:  # one string
            size = self.integer()
            return None if size == -1 else self.stream.read(size).decode("utf-8", "replace")
        if kind in (10, 13):  # logical, integer
            return Vector(None if value == NA_INTEGER else value for value in self.numbers("i", 4))
        if kind == 14:
            return Vector(self.numbers("d", 8))
        if kind == 15:
            count = self.integer()
            self.stream.read(16 * count)
            return Vector()
        if kind in (16, 19, 20):
            return Vector(self.item() for _ in range(self.integer()))
        if kind == 24:
            return self.stream.read(self.integer())
        if kind == 25:  # S4: attributes alone
            return Vector()
        if kind in (7, 8):  # builtin
            return self.stream.read(self.integer()).decode()
        raise ValueError(f"item type {kind} is not supported")

    def alternative(self):
        """R 3.5's compact forms: sequences, strings of numbers, wrappers."""
        name = self.item()[0][1]
        state = self.item()
        self.item()  # attributes
        if name in ("compact_intseq", "compact_realseq"):
            count, start, step = state
            return Vector(int(start + step * i) for i in range(int(count)))
        if name == "deferred_string":
            return Vector(str(value) for value in state[0][1])
        if name.startswith("wrap_"):
            return state[0] if isinstance(state, Vector) else state[0][1]
        raise ValueError(f"compact form {name} is not supported")


def decompressed(data):
    for start, opener in ((b"\x1f\x8b", gzip), (b"BZh", bz2), (b"\xfd7zXZ", lzma)):
        if data.startswith(start):
            return opener.decompress(data)
    return data


def lazy_object(data, offset, length, compression):
    part = data[offset : offset + length]
    size, part = struct.unpack(">I", part[:4])[0], part[4:]
    if compression == 1:
        return zlib.decompress(part)
    kind, part = part[:1], part[1:]
    if kind == b"0":
        return part
    if kind == b"1":
        return zlib.decompress(part)
    if kind == b"2":
        return bz2.decompress(part)
    if kind == b"Z":
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters).decompress(part, size)
    raise ValueError(f"compression {kind!r} is not known")


def read(path, name):
    """The object `name`, or the list of names when it is None."""
    if path.endswith(".rda") or path.endswith(".RData"):
        data = decompressed(open(path, "rb").read())
        if not data.startswith((b"RDX2\n", b"RDX3\n")):
            raise ValueError(f"{path} is not an R data file")
        objects = dict(Reader(data[5:]).item())
        return sorted(objects) if name is None else objects[name]
    index = Reader(decompressed(open(path + ".rdx", "rb").read())).item()
    parts = dict(zip(index.attributes["names"], index))
    variables = dict(zip(parts["variables"].attributes["names"], parts["variables"]))
    if name is None:
        return sorted(variables)
    compressed = parts["compressed"][0]
    offset, length = variables[name]
    return Reader(lazy_object(open(path + ".rdb", "rb").read(), offset, length, int(compressed))).item()


def cells(column):
    """The column's cells as text; None for what is no plain column."""
    attributes = column.attributes
    if "dim" in attributes:
        return None
    if "levels" in attributes:
        return ["NA" if code is None else attributes["levels"][code - 1] for code in column]
    text = []
    for value in column:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            text.append("NA")
        elif isinstance(value, float):
            text.append(str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value))
        else:
            text.append(str(value))
    return text


def main(arguments):
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    name = arguments[1] if len(arguments) == 2 else None
    try:
        frame = read(arguments[0], name)
    except KeyError:
        sys.exit(f"r_table.py: {arguments[0]} has no object {name}; it has: " + " ".join(read(arguments[0], None)))
    except (OSError, ValueError, struct.error, zlib.error, EOFError) as error:
        sys.exit(f"r_table.py: {arguments[0]}: {error}")
    if name is None:
        print("\n".join(frame))
        return
    if not isinstance(frame, Vector) or "names" not in frame.attributes:
        sys.exit(f"r_table.py: {name} is no data frame")
    columns = {}
    for title, column in zip(frame.attributes["names"], frame):
        text = cells(column)
        if text is not None:
            columns[title] = text
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
