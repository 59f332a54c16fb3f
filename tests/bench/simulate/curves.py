#!/usr/bin/env python3
"""Draws test accuracy against rounds from what deploy/strategies.sh simulated.

  curves.py OUT.svg NAME=FILE.csv,FILE.csv,... [NAME=...]

Of several files (seeds) the mean of each round is drawn. Python's standard library only.
"""
import csv
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from svg import Axis, curve, line, text, write  # noqa: E402

COLOURS = ["#666666", "#1b6ca8", "#c4500c", "#2a8a4a", "#8a4aa0", "#a0822a"]
WIDTH, HEIGHT, LEFT, TOP = 560, 300, 66, 46


def accuracy(path):
    with open(path, encoding="utf-8") as rounds:
        return [100 * float(row["test_accuracy"]) for row in csv.DictReader(rounds)]


def main(svg_path, series):
    curves = []
    for one in series:
        name, files = one.split("=", 1)
        runs = [accuracy(path) for path in files.split(",")]
        curves.append((name, [sum(values) / len(values) for values in zip(*runs)]))
    rounds = max(len(values) for _, values in curves)
    low, high, bottom = 30, 90, TOP + HEIGHT
    across, up = Axis(1, rounds, LEFT, WIDTH, False), Axis(low, high, bottom, -HEIGHT, False)
    out = [text(LEFT, TOP - 18, "test accuracy, %", "start")]
    for value in range(low, high + 1, 10):
        out += [line(LEFT, up.at(value), LEFT + WIDTH, up.at(value), "#e4e4e4"), text(LEFT - 8, up.at(value) + 4, value, "end")]
    for number in [1] + list(range(10, rounds + 1, 10)):
        out += [line(across.at(number), bottom, across.at(number), bottom + 5, "#666"), text(across.at(number), bottom + 20, number)]
    out += [line(LEFT, bottom, LEFT + WIDTH, bottom, "#666"), line(LEFT, TOP, LEFT, bottom, "#666"),
            text(LEFT + WIDTH / 2, bottom + 42, "rounds")]
    legend = bottom + 72
    for place, (name, values) in enumerate(curves):
        colour = COLOURS[place % len(COLOURS)]
        out += curve([(across.at(i + 1), up.at(max(value, low))) for i, value in enumerate(values)], colour)
        y = legend + 20 * place
        out += [line(LEFT + 60, y - 4, LEFT + 84, y - 4, colour, 2),
                text(LEFT + 92, y, f"{name}: {values[-1]:.1f} % after round {len(values)}", "start", colour=colour)]
    write(svg_path, LEFT + WIDTH + 24, legend + 20 * len(curves) + 8, out)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
