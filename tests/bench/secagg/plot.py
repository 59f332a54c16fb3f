#!/usr/bin/env python3
"""Draws the server's CPU time of a secure sum against the cohort's size and against dropouts.

  plot.py LINES OUT.svg     LINES: what `tutti-bench secagg` printed, one JSON object a line

The left panel takes the rounds of 1,000,000 values with 10 % dropouts, the right one those of 100 clients with
1,048,576 values. Of repeated rounds the fastest is drawn. Python's standard library only.
"""
import json
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from svg import Axis, curve, line, text, write  # noqa: E402

COLOURS = {"curious": "#1b6ca8", "malicious": "#c4500c"}
PANEL_WIDTH, PANEL_HEIGHT, LEFT, TOP, GAP = 330, 250, 70, 56, 100


def series(rounds, x_key, wanted):
    """level -> sorted [(x, least server ms)] of the rounds that have all values of `wanted`."""
    best = {}
    for r in rounds:
        if all(r[key] == value for key, value in wanted.items()):
            place = (r["level"], r[x_key])
            best[place] = min(best.get(place, math.inf), r["server_cpu_ms"])
    found = {}
    for (level, x), milliseconds in sorted(best.items()):
        found.setdefault(level, []).append((x, milliseconds))
    return found


def panel(left, title, x_title, x_axis, y_axis, x_ticks, y_ticks, curves):
    bottom, right = TOP + PANEL_HEIGHT, left + PANEL_WIDTH
    out = [text(left + PANEL_WIDTH / 2, TOP - 16, title, size=13, colour="#111", extra=' font-weight="bold"')]
    for value, label in y_ticks:
        out += [line(left, y_axis.at(value), right, y_axis.at(value), "#e4e4e4"),
                text(left - 8, y_axis.at(value) + 4, label, "end")]
    for value, label in x_ticks:
        out += [line(x_axis.at(value), bottom, x_axis.at(value), bottom + 5, "#666"),
                text(x_axis.at(value), bottom + 20, label)]
    out += [line(left, bottom, right, bottom, "#666"), line(left, TOP, left, bottom, "#666"),
            text(left + PANEL_WIDTH / 2, bottom + 42, x_title)]
    middle = TOP + PANEL_HEIGHT / 2
    out.append(text(left - 50, middle, "server CPU, ms", extra=f' transform="rotate(-90 {left - 50} {middle})"'))
    for level, points in curves.items():
        colour = COLOURS[level]
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in points]
        out += curve(places, colour)
        # The last value stands above the upper curve and below the lower one.
        above = all(points[-1][1] >= other[-1][1] for other in curves.values())
        out.append(text(places[-1][0], places[-1][1] + (-10 if above else 22), f"{points[-1][1]:,.0f}", colour=colour))
    for row, level in enumerate(sorted(curves, reverse=True)):
        y = TOP + 18 + 20 * row
        out += [line(left + 14, y - 4, left + 38, y - 4, COLOURS[level], 2),
                text(left + 46, y, f"level {level}", "start", colour=COLOURS[level])]
    return out


def main(lines_path, svg_path):
    with open(lines_path, encoding="utf-8") as lines:
        rounds = [r for r in map(json.loads, lines) if r["bench"] == "secagg" and not r["new_certificates"]]
    by_size = series(rounds, "clients", {"values": 1000000, "dropout": 0.1})
    by_dropout = series(rounds, "dropout", {"values": 1048576, "clients": 100})
    if not by_size or not by_dropout:
        sys.exit(f"plot.py: {lines_path} lacks the rounds of one panel; deploy/bench.sh runs them all")
    sizes = sorted({x for points in by_size.values() for x, _ in points})
    shares = sorted({x for points in by_dropout.values() for x, _ in points})
    times = [y for points in by_size.values() for _, y in points]
    decades = range(math.floor(math.log10(min(times))), math.ceil(math.log10(max(times))) + 1)
    bottom, second = TOP + PANEL_HEIGHT, LEFT + PANEL_WIDTH + GAP
    top_time = 50 * math.ceil(1.15 * max(y for points in by_dropout.values() for _, y in points) / 50)
    width, height = second + PANEL_WIDTH + 30, bottom + 60
    out = panel(LEFT, "1,000,000 values, 10 % drop out", "clients in the round (logarithmic)",
                Axis(sizes[0] * 0.8, sizes[-1] * 1.25, LEFT, PANEL_WIDTH, True),
                Axis(10 ** decades[0], 10 ** decades[-1], bottom, -PANEL_HEIGHT, True),
                [(x, f"{x:,}") for x in sizes], [(10 ** d, f"{10 ** d:,}") for d in decades], by_size)
    out += panel(second, "100 clients, 1,048,576 values", "share of clients that drop out after sharing, %",
                 Axis(0, shares[-1] * 1.08, second, PANEL_WIDTH, False), Axis(0, top_time, bottom, -PANEL_HEIGHT, False),
                 [(x, f"{100 * x:g}") for x in shares], [(y, str(y)) for y in range(0, top_time + 1, 50)], by_dropout)
    write(svg_path, width, height, out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
