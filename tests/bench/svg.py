"""What the plots of the benchmarks share: SVG elements and axes. Python's standard library only."""
import math


def text(x, y, words, anchor="middle", size=12, colour="#333", extra=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{extra}>'
            f"{words}</text>")


def line(x1, y1, x2, y2, colour, width=1, extra=""):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{extra}/>')


def curve(places, colour):
    """A line through `places`, with a dot at each."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{colour}"/>' for x, y in places)]


class Axis:
    """Maps values to pixels; `logarithmic` or from zero."""

    def __init__(self, least, most, start, length, logarithmic):
        self.convert = math.log10 if logarithmic else float
        self.low, self.high = self.convert(least), self.convert(most)
        self.start, self.length = start, length

    def at(self, value):
        return self.start + (self.convert(value) - self.low) / (self.high - self.low) * self.length


def write(path, width, height, elements):
    with open(path, "w", encoding="utf-8") as svg:
        svg.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
                  f'height="{height}" font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n'
                  f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(elements) + "\n</svg>\n")
