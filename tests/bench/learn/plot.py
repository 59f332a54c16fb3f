#!/usr/bin/env python3
"""Draws test accuracy against epsilon from what deploy/accuracy.sh measured.

  plot.py FIGURES.csv OUT.svg

Of repeated runs the mean is drawn; the published figures stand as crosses. Python's standard library only.
"""
import csv
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from svg import Axis, curve, line, text, write  # noqa: E402

# F. Tramer, D. Boneh, arXiv:2011.11660, for Fashion-MNIST at delta 1e-5.
JOBS = {"scattering": ("#1b6ca8", "scattering features and one linear layer", 3, 89.7),
        "cnn": ("#c4500c", "convolutional network", 3, 86.0),
        "federated": ("#2a8a4a", "scattering, eight clients, noise in the secure sum", None, None),
        "federated-local": ("#8a4aa0", "scattering, eight clients, each all of its noise", None, None)}
WIDTH, HEIGHT, LEFT, TOP = 520, 400, 66, 46


def cross(x, y, colour):
    return [line(x - 5, y + dy, x + 5, y - dy, colour, 1.5) for dy in (-5, 5)]


def is_above(mean, others):
    """Whether a point's label stands above it: away from its nearest neighbour at the same epsilon."""
    higher = [other - mean for other in others if other > mean]
    lower = [mean - other for other in others if other < mean]
    return not higher or (bool(lower) and min(lower) < min(higher))


def main(figures_path, svg_path):
    with open(figures_path, encoding="utf-8") as figures:
        rows = list(csv.DictReader(figures))
    epsilons = sorted({float(row["epsilon"]) for row in rows})
    accuracies = [100 * float(row["test_accuracy"]) for row in rows]
    low = 5 * int(min(accuracies) / 5)
    bottom = TOP + HEIGHT
    legend = bottom + 72
    across = Axis(epsilons[0] * 0.85, epsilons[-1] * 1.2, LEFT, WIDTH, True)
    up = Axis(low, 95, bottom, -HEIGHT, False)
    out = [text(LEFT, TOP - 18, "test accuracy, %", "start")]
    for value in range(low, 96, 5):
        out += [line(LEFT, up.at(value), LEFT + WIDTH, up.at(value), "#e4e4e4"), text(LEFT - 8, up.at(value) + 4, value, "end")]
    for epsilon in epsilons:
        out += [line(across.at(epsilon), bottom, across.at(epsilon), bottom + 5, "#666"),
                text(across.at(epsilon), bottom + 20, f"{epsilon:g}")]
    out += [line(LEFT, bottom, LEFT + WIDTH, bottom, "#666"), line(LEFT, TOP, LEFT, bottom, "#666"),
            text(LEFT + WIDTH / 2, bottom + 42, "epsilon at delta 1e-5 (logarithmic)")]
    means_of = {}
    for job in JOBS:
        by_epsilon = {}
        for r in rows:
            if r["job"] == job:
                by_epsilon.setdefault(float(r["epsilon"]), []).append(100 * float(r["test_accuracy"]))
        means_of[job] = [(epsilon, sum(runs) / len(runs)) for epsilon, runs in sorted(by_epsilon.items())]
    for row, (job, (colour, label, at_epsilon, published)) in enumerate(JOBS.items()):
        means = means_of[job]
        places = [(across.at(x), up.at(y)) for x, y in means]
        out += curve(places, colour)
        for (x, y), (epsilon, mean) in zip(places, means):
            others = [other for one in means_of.values() for e, other in one if e == epsilon and other != mean]
            out.append(text(x, y + (-10 if is_above(mean, others) else 18), f"{mean:.1f}", colour=colour))
        if published is not None:
            out += cross(across.at(at_epsilon), up.at(published), "#111")
        y = legend + 20 * row
        out += [line(LEFT + 60, y - 4, LEFT + 84, y - 4, colour, 2), text(LEFT + 92, y, label, "start", colour=colour)]
    y = legend + 20 * len(JOBS)
    out += cross(LEFT + 72, y - 4, "#111") + [text(LEFT + 92, y, "published (arXiv:2011.11660)", "start")]
    write(svg_path, LEFT + WIDTH + 24, y + 16, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
