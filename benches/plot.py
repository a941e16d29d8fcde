"""Lines over two logarithmic axes, as an SVG."""

import math
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 20, 50
COLOURS = ("#1b6ca8", "#c0392b", "#27884a", "#8e5ea2", "#c77d0a", "#555555")


def draw(lines, x_label, y_label, x_ticks):
    """`lines`: {name: [(x, y, least y, most y)]}; `x_ticks`: {x: what stands below}."""
    points = [point for line in lines.values() for point in line]
    low = 10 ** math.floor(math.log10(min(point[2] for point in points)))
    high = 10 ** math.ceil(math.log10(max(point[3] for point in points)))
    first, last = min(x_ticks), max(x_ticks)

    def across(x):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / first) / math.log(last / first)

    def down(y):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * math.log(y / low) / math.log(high / low)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for x, label in x_ticks.items():
        out.append(text(across(x), HEIGHT - BOTTOM + 18, label, "middle"))
        out.append(rule(across(x), TOP, across(x), HEIGHT - BOTTOM))
    y = low
    while y <= high:
        out.append(text(LEFT - 6, down(y) + 4, f"{y:g}", "end"))
        out.append(rule(LEFT, down(y), WIDTH - RIGHT, down(y)))
        y *= 10
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label, "middle"))
    out.append(text(6, TOP - 6, y_label, "start"))
    labels = []
    for colour, (name, line) in zip(COLOURS, lines.items()):
        path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y, _, _ in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, y, least, most in line:
            out.append(f'<circle cx="{across(x):.1f}" cy="{down(y):.1f}" r="3" fill="{colour}"/>')
            out.append(rule(across(x), down(least), across(x), down(most), colour))
        labels.append((down(line[-1][1]) + 4, name, colour))
    at = TOP
    for height, name, colour in sorted(labels):  # below each other, where they would overlap
        at = max(at + 14, height)
        out.append(text(WIDTH - RIGHT + 8, at, name, "start", colour))
    return "\n".join([*out, "</svg>\n"])


def text(x, y, what, anchor, colour="#333333"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(what)}</text>'


def rule(x1, y1, x2, y2, colour="#dddddd"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
