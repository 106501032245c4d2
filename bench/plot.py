"""A plot of the figures against their goals, as SVG without any library. Called by bench/run."""
import math
from xml.sax.saxutils import escape

from_left, bar_max, row = 500, 330, 22


def distance(x):
    """1: the goal; more is better, whichever way the figure counts."""
    if x["got"] <= 0:
        return 4.0 if x["way"] == "max" else 0.1
    return x["got"] / x["goal"] if x["way"] == "min" else x["goal"] / x["got"]


def place(d):
    """A tenth of the goal at the left edge, ten times it at the right."""
    return max(0.0, min(1.0, (math.log10(max(d, 1e-3)) + 1) / 2)) * bar_max


def svg(figures, title):
    rows = [x for x in figures if x["goal"] is not None and x["got"] is not None]
    height = 60 + row * len(rows) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{from_left + bar_max + 120}" height="{height}" '
           'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="10" y="22" font-size="15">{escape(title)}: measured against the goal (logarithmic)</text>']
    for i, x in enumerate(rows):
        y, d = 45 + i * row, distance(x)
        colour = "#3a7d44" if d >= 1 else "#c0392b"
        out += [f'<text x="10" y="{y + 11}">{escape(x["text"])}</text>',
                f'<rect x="{from_left}" y="{y}" width="{place(d):.1f}" height="{row - 7}" fill="{colour}"/>',
                f'<text x="{from_left + bar_max + 8}" y="{y + 11}">{x["got"]:.3g} / {x["goal"]:g}</text>']
    line = from_left + place(1.0)
    out.append(f'<line x1="{line}" x2="{line}" y1="38" y2="{height - 25}" stroke="black" stroke-dasharray="4 3"/>')
    out.append(f'<text x="{line - 12}" y="{height - 10}">goal</text></svg>')
    return "\n".join(out) + "\n"
