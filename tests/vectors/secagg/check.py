#!/usr/bin/env python3
"""Checks the vectors of the secure aggregation against docs/protocol.md, without any of Tutti's code.

  tests/vectors/secagg/check.py [FILE...]     every JSON file beside it without FILE

Exit status 1 when a value differs from what the document says. Standard library only.
"""
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER / "reader"))
sys.dont_write_bytecode = True

from primitives import check_primitives  # noqa: E402
from protocol import choose_graph, chunk_digests, commits_needed, graph, vector_root  # noqa: E402
from kept_round import Mismatch, Round, same  # noqa: E402


def check_graph(kept):
    for row in kept["parameters"]:
        found = choose_graph(row["cohort"], row["level"], row["corrupt_fraction"], row["dropout_fraction"],
                             row["privacy_bits"], row["liveness_bits"])
        same(f"graph of {row}", list(found) if found else None,
             None if "refused" in row else [row["neighbours"], row["threshold"]])
        if found:
            same("commits", commits_needed(row["cohort"], row["corrupt_fraction"]), row["commits_needed"])
    for row in kept["rows"]:
        rows = graph(row["cohort"], row["neighbours"], bytes.fromhex(row["sid"]))
        same("row of the graph", rows[row["index"]], row["row"])


def check_chunks(kept):
    for case in kept["cases"]:
        vector = bytes((131 * i + i // 256 + 7) % 256 for i in range(case["bytes"]))
        chunks = chunk_digests(vector)
        same("chunk digests", [c.hex() for c in chunks], case["chunks"])
        same("vector root", vector_root(len(vector), chunks), case["root"])


def check(path):
    kept = json.loads(path.read_text(encoding="utf-8"))
    if path.name == "graph.json":
        check_graph(kept)
    elif path.name == "chunks.json":
        check_chunks(kept)
    else:
        Round(kept).play()


def main():
    check_primitives()
    failed = 0
    paths = [pathlib.Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.json"))
    for path in paths:
        try:
            check(path)
            print(f"{path.name}: as docs/protocol.md says")
        except (Mismatch, ArithmeticError, LookupError, TypeError, ValueError) as mismatch:
            failed += 1
            print(f"{path.name}: {type(mismatch).__name__}: {mismatch}", file=sys.stderr)
    return 1 if failed or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
