"""The shapes of clock hands, as outlines that point up."""

import math
from collections.abc import Callable

from atelier.data.clock_styles import Hand

Outline = list[tuple[float, float]]  # (along, across) in dial radii; along is towards the tip
Part = tuple[Outline, bool]  # an outline, and whether it is filled or a hole in what was filled before


def parts(hand: Hand) -> list[Part]:
    """The outlines of a hand, in the order of drawing.

    Raises:
        KeyError: if the shape's name is unknown.
    """
    return SHAPES[hand.shape](hand)


def _mirrored(*half: tuple[float, float]) -> Outline:
    """The outline that has this edge on one side, from tail to tip, and its mirror image on the other."""
    return [*half, *((along, -across) for along, across in reversed(half))]


def _disc(along: float, radius: float) -> Outline:
    angles = (2 * math.pi * i / 24 for i in range(24))
    return [(along + radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _bar(hand: Hand, share: float, end: float = 1.0) -> Part:
    """A bar from the tail to `end` of the length, with a share of the width."""
    half = share * hand.width / 2
    return _mirrored((-hand.tail, half), (end * hand.length, half)), True


def _edges(hand: Hand, *half: tuple[float, float]) -> list[Part]:
    """A single outline, from the tail: positions as shares of the length, half widths as shares of the width's half."""
    first = (-hand.tail, half[0][1] * hand.width / 2)
    return [(_mirrored(first, *((x * hand.length, y * hand.width / 2) for x, y in half)), True)]


def _baton(hand: Hand) -> list[Part]:
    return [_bar(hand, 1)]


def _needle(hand: Hand) -> list[Part]:
    return [_bar(hand, 1), (_disc(-hand.tail, 1.5 * hand.width), True)]


def _pencil(hand: Hand) -> list[Part]:
    return _edges(hand, (0, 1), (0.86, 1), (1, 0))


def _tapered(hand: Hand) -> list[Part]:
    return _edges(hand, (0, 1), (1, 0.3))


def _dauphine(hand: Hand) -> list[Part]:
    return _edges(hand, (0, 0.5), (0.22, 1), (1, 0))


def _kite(hand: Hand) -> list[Part]:
    return _edges(hand, (0, 0.6), (hand.shoulder, 1), (1, 0.3))


def _lollipop(hand: Hand) -> list[Part]:
    radius = 0.5 * hand.width + 0.02
    return [_bar(hand, 0.5), (_disc(0.72 * hand.length, radius), True)]


def _ring(hand: Hand) -> list[Part]:
    radius, along = 0.5 * hand.width + 0.035, 0.7 * hand.length
    point = _mirrored((along + radius * 0.9, hand.width / 3), (hand.length, 0))
    hole = _disc(along, radius - 0.03), False
    return [_bar(hand, 0.5, 0.7), (_disc(along, radius), True), hole, (point, True)]


def _skeleton(hand: Hand) -> list[Part]:
    half = hand.width / 2
    hole = _mirrored((0.25 * hand.length, 0.5 * half), (0.85 * hand.length, 0.5 * half))
    return [*_edges(hand, (0, 1), (0.9, 1), (1, 0.3)), (hole, False)]


def _leaf(hand: Hand) -> list[Part]:
    curve = [(i / 12, 0.25 + 0.75 * math.sin(math.pi * (i / 12) ** 0.8)) for i in range(12)]
    return _edges(hand, *curve, (1, 0))


def _spade(hand: Hand) -> list[Part]:
    low, wide = 0.62 * hand.length, 0.6 * hand.width + 0.03
    head = _mirrored((low, wide / 2), (low + 0.06, wide), (low + 0.12, wide * 0.8), (hand.length, 0))
    return [_bar(hand, 0.45, 0.7), (head, True)]


def _sword(hand: Hand) -> list[Part]:
    return _edges(hand, (0, 0.35), (0.78, 1), (1, 0))


def _arrow(hand: Hand) -> list[Part]:
    low = 0.72 * hand.length
    head = _mirrored((low - 0.05, 0.9 * hand.width), (low, 0.6 * hand.width), (hand.length, 0))
    return [_bar(hand, 0.6, 0.8), (head, True)]


SHAPES: dict[str, Callable[[Hand], list[Part]]] = {
    "baton": _baton,
    "needle": _needle,
    "pencil": _pencil,
    "tapered": _tapered,
    "dauphine": _dauphine,
    "kite": _kite,
    "lollipop": _lollipop,
    "ring": _ring,
    "skeleton": _skeleton,
    "leaf": _leaf,
    "spade": _spade,
    "sword": _sword,
    "arrow": _arrow,
}
