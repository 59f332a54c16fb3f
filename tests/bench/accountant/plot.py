#!/usr/bin/env python3
"""Draws epsilon against the steps and against the noise, as `tutti privacy epsilon` calculates it.

  plot.py TUTTI OUT.svg     TUTTI: the program, for instance build/release/bin/tutti

Left: sampling rate 0.01, noise multiplier 1.1, by both accountants, and what ten thousand times one step would be if costs
simply added up. Right: 2,000 steps at three sampling rates. delta is 1e-5. Python's standard library only.
"""
import json
import math
import subprocess
import sys

DELTA = "1e-5"
PANEL_WIDTH, PANEL_HEIGHT, LEFT, TOP, GAP = 330, 260, 66, 52, 96
BLUE, ORANGE, GREY, GREEN = "#1b6ca8", "#c4500c", "#888888", "#2a7d3f"


def epsilon(tutti, noise, rate, steps, accountant="pld"):
    command = [tutti, "privacy", "epsilon", "--noise-multiplier", str(noise), "--sampling-rate", str(rate), "--steps",
               str(steps), "--delta", DELTA, "--accountant", accountant, "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["epsilon"]


def text(x, y, words, anchor="middle", size=12, colour="#333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{words}</text>'


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def scale(value, low, high, start, length):
    """Where `value` lies on a logarithmic axis."""
    return start + (math.log(value) - math.log(low)) / (math.log(high) - math.log(low)) * length


def panel(left, title, x_title, x_range, x_ticks, y_range, y_ticks, curves):
    bottom = TOP + PANEL_HEIGHT
    def across(x):
        return scale(x, *x_range, left, PANEL_WIDTH)
    def up(y):
        return scale(y, *y_range, bottom, -PANEL_HEIGHT)
    out = [text(left + PANEL_WIDTH / 2, TOP - 18, title, size=13, colour="#111")]
    for tick in y_ticks:
        out += [line(left, up(tick), left + PANEL_WIDTH, up(tick), "#e4e4e4"), text(left - 8, up(tick) + 4, f"{tick:g}", "end")]
    for tick in x_ticks:
        out += [line(across(tick), bottom, across(tick), bottom + 5, "#666"), text(across(tick), bottom + 20, f"{tick:,g}")]
    out += [line(left, bottom, left + PANEL_WIDTH, bottom, "#666"), line(left, TOP, left, bottom, "#666"),
            text(left + PANEL_WIDTH / 2, bottom + 42, x_title), text(left - 44, TOP - 18, "epsilon", "start")]
    for colour, label, dashed, points in curves:
        kept = [(x, y) for x, y in points if y_range[0] <= y <= y_range[1]]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in kept)
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        x, y = kept[-1] if kept[-1][1] >= kept[0][1] else kept[0]
        out.append(text(across(x) + (-6 if x == kept[-1][0] else 6), up(y) + (18 if label == "pld" else -7), label, "end" if x == kept[-1][0] else "start",
                        colour=colour))
    return out


def main(tutti, path):
    steps = [10, 30, 100, 300, 1000, 3000, 10000]
    once = epsilon(tutti, 1.1, 0.01, 1)
    left = panel(LEFT, "noise multiplier 1.1, sampling rate 0.01", "steps", (10, 10000), [10, 100, 1000, 10000], (0.1, 100),
                 [0.1, 0.3, 1, 3, 10, 30, 100],
                 [(GREY, "added up", True, [(t, once * t) for t in steps]),
                  (ORANGE, "rdp", False, [(t, epsilon(tutti, 1.1, 0.01, t, "rdp")) for t in steps]),
                  (BLUE, "pld", False, [(t, epsilon(tutti, 1.1, 0.01, t)) for t in steps])])
    noises = [0.5, 0.6, 0.7, 0.85, 1, 1.25, 1.5, 2, 3, 4, 6, 8]
    right = panel(LEFT + PANEL_WIDTH + GAP, "2,000 steps, by pld", "noise multiplier", (0.5, 8), [0.5, 1, 2, 4, 8], (0.03, 300),
                  [0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300],
                  [(colour, f"rate {rate}", False, [(s, epsilon(tutti, s, rate, 2000)) for s in noises])
                   for colour, rate in [(BLUE, 0.001), (GREEN, 0.01), (ORANGE, 0.05)]])
    width, height = LEFT + 2 * PANEL_WIDTH + GAP + 24, TOP + PANEL_HEIGHT + 60
    with open(path, "w", encoding="utf-8") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                  f'font-family="sans-serif">\n<rect width="{width}" height="{height}" fill="white"/>\n')
        out.write("\n".join(left + right) + "\n</svg>\n")


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(sys.argv[1], sys.argv[2])
