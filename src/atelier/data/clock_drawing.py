"""Drawings of clocks of many looks, seen from the front: dial, numerals, ticks, rim and hands."""

import math
from collections.abc import Iterable
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from atelier.data.clock_faces import font_of, numeral
from atelier.data.clock_hands import parts
from atelier.data.clock_styles import Hand, Look

SIDE = 320  # pixels of a drawing
EXTENT = 1.3  # dial radii from the centre to the drawing's edge
RADIUS = SIDE / (2 * EXTENT)  # pixels of a dial radius
ROMAN = ("I", "II", "III", "IIII", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")

Point = tuple[float, float]


def draw_clock(look: Look, minutes: int) -> tuple[Image.Image, Image.Image]:
    """Draw a clock.

    Args:
        look: what is drawn.
        minutes: the time, in minutes since twelve.

    Returns:
        Its tones, and its outline as a mask: grayscale images of SIDE × SIDE pixels.
    """
    outline = Image.new("L", (SIDE, SIDE))
    tones = Image.new("L", (SIDE, SIDE), _level(look.rim_tone))
    _draw_rim(look, ImageDraw.Draw(outline), ImageDraw.Draw(tones))
    draw_dial(look, tones)
    turns = [(look.hour, minutes / 720), (look.minute, minutes / 60)]
    if look.second is not None:
        turns.append((look.second, look.second_turn))
    for hand, turn in turns:
        _paste_hand(tones, look, hand, turn)
    if look.hub:
        _disc(ImageDraw.Draw(tones), (SIDE / 2, SIDE / 2), look.hub, look.minute.tone)
    return tones, outline


def draw_dial(look: Look, tones: Image.Image) -> None:
    """Draw all that lies on the dial under the hands."""
    draw = ImageDraw.Draw(tones)
    _disc(draw, (SIDE / 2, SIDE / 2), 1.0, look.paper)
    if look.disc:
        _disc(draw, (SIDE / 2, SIDE / 2), look.disc, look.disc_tone)
    _draw_ticks(draw, look)
    _draw_mark(draw, look)
    _draw_numerals(tones, look)
    if look.maker:
        name = _text(look.font, look.maker, round(0.08 * RADIUS), 0.5, 0)
        _paste(tones, name, _at(0.5, look.maker_place), look.ink)
    if look.date:
        x, y = _at(look.date_turn, 0.5)
        wide, high = 0.11 * RADIUS, 0.085 * RADIUS
        draw.rectangle((x - wide, y - high, x + wide, y + high), _level(look.paper), _level(look.ink))
        _paste(tones, _text(look.font, look.date, round(0.11 * RADIUS), 0.2, 0), (x, y), look.ink)


def reach(look: Look) -> float:
    """Dial radii from the centre to the farthest point of the clock that must be seen."""
    return {"none": 1.0, "square": 1.15 * (1 + look.rim_width)}.get(look.rim, 1 + look.rim_width)


def _level(tone: float) -> int:
    return round(255 * tone)


def _at(turn: float, radius: float, across: float = 0.0) -> Point:
    """The pixel at `radius` in the direction `turn` (0 to 1, clockwise from the twelve)."""
    sin, cos = math.sin(2 * math.pi * turn), math.cos(2 * math.pi * turn)
    return SIDE / 2 + RADIUS * (radius * sin + across * cos), SIDE / 2 - RADIUS * (radius * cos - across * sin)


def _disc(draw: ImageDraw.ImageDraw, centre: Point, radius: float, tone: float) -> None:
    (x, y), size = centre, radius * RADIUS
    draw.ellipse((x - size, y - size, x + size, y + size), _level(tone))


def _polygon(draw: ImageDraw.ImageDraw, turn: float, outline: Iterable[Point], level: int) -> None:
    draw.polygon([_at(turn, along, across) for along, across in outline], level)


# ---------------------------------------------------------------------- rim


def _draw_rim(look: Look, outline: ImageDraw.ImageDraw, tones: ImageDraw.ImageDraw) -> None:
    """Draw the case's outline, and what differs from the rim's tone in it."""
    middle, size = SIDE / 2, 1 + look.rim_width
    if look.rim == "square":
        box = middle - size * RADIUS, middle - size * RADIUS, middle + size * RADIUS, middle + size * RADIUS
        outline.rounded_rectangle(box, 0.15 * RADIUS, 255)
    elif look.rim == "octagon":
        outline.polygon([_at((i + 0.5) / 8, size / math.cos(math.pi / 8)) for i in range(8)], 255)
    else:
        _disc(outline, (middle, middle), 1.0 if look.rim == "none" else size, 1.0)
    inner = {"double": (0.4,), "steps": (0.67, 0.33)}.get(look.rim, ())
    for i, share in enumerate(inner):
        tone = (look.rim_tone + 0.35 * (i + 1)) % 1
        _disc(tones, (middle, middle), 1 + share * look.rim_width, tone)


# ---------------------------------------------------------------------- dial


def _draw_ticks(draw: ImageDraw.ImageDraw, look: Look) -> None:
    level, outer = _level(look.ink), look.tick_radius
    if look.ticks == "railway":
        for radius in (outer, outer - look.tick_length):
            size = radius * RADIUS
            draw.ellipse((SIDE / 2 - size, SIDE / 2 - size, SIDE / 2 + size, SIDE / 2 + size), outline=level)
    for minute in range(60):
        if minute == 0 and look.mark != "none":
            continue
        if minute % 5 and look.ticks in ("hours", "quarters", "triangles", "hour_dots"):
            continue
        if minute % 15 and look.ticks == "quarters":
            continue
        _draw_tick(draw, look, minute, level)


def _draw_tick(draw: ImageDraw.ImageDraw, look: Look, minute: int, level: int) -> None:
    turn, outer, half = minute / 60, look.tick_radius, look.tick_width / 2
    inner, hour = outer - look.tick_length, minute % 5 == 0
    if look.ticks in ("dots", "hour_dots"):
        size = half * (1.6 if hour else 0.8)
        _disc(draw, _at(turn, outer - look.tick_length / 2), size, look.ink)
    elif look.ticks == "triangles":
        _polygon(draw, turn, [(inner, 0), (outer, 1.5 * half), (outer, -1.5 * half)], level)
    elif look.ticks in ("lines", "wedges", "hours", "quarters", "railway"):
        narrow = half * (0.3 if look.ticks == "wedges" else 1)
        if not hour:
            narrow, half, inner = narrow * 0.4, half * 0.4, inner + (look.ticks != "railway") * look.tick_length * 0.4
        _polygon(draw, turn, [(inner, narrow), (outer, half), (outer, -half), (inner, -narrow)], level)


def _draw_mark(draw: ImageDraw.ImageDraw, look: Look) -> None:
    """Draw the mark of the twelve."""
    level, outer = _level(look.ink), look.tick_radius
    inner, middle = outer - max(look.tick_length, 0.12), outer - max(look.tick_length, 0.12) / 2
    if look.mark == "triangle":
        _polygon(draw, 0, [(inner - 0.02, 0), (outer, 0.1), (outer, -0.1)], level)
    elif look.mark == "double":
        for side in (-0.05, 0.05):
            bar = [(inner, side - 0.025), (inner, side + 0.025), (outer, side + 0.025), (outer, side - 0.025)]
            _polygon(draw, 0, bar, level)
    elif look.mark == "disc":
        _disc(draw, _at(0, middle), 0.08, look.ink)


def _draw_numerals(tones: Image.Image, look: Look) -> None:
    if look.numerals == "none":
        return
    step = {"twelve": 12, "quarters": 3, "roman_quarters": 3}.get(look.numerals, 1)
    roman, radial = look.numerals.startswith("roman"), look.numerals in ("radial", "roman")
    for hour in range(step, 13, step):
        text = ROMAN[hour - 1] if roman else str(hour)
        widest = 0.3 if radial and step == 1 else 0.42
        mask = _text(look.font, text, round(look.numeral_height * RADIUS), widest, hour if radial else 0)
        _paste(tones, mask, _at(hour / 12, look.numeral_radius), look.ink)


@lru_cache(maxsize=20_000)
def _text(font: str, text: str, height: int, widest: float, hours: int) -> Image.Image:
    """A mask of the text, at most `widest` dial radii wide, turned by `hours`."""
    mask = numeral(text, font_of(font, height), widest * RADIUS)
    return mask.rotate(-30 * hours, Image.Resampling.BILINEAR, expand=True) if hours else mask


def _paste(tones: Image.Image, mask: Image.Image, place: Point, tone: float) -> None:
    tones.paste(_level(tone), (round(place[0] - mask.width / 2), round(place[1] - mask.height / 2)), mask)


# ---------------------------------------------------------------------- hands


def _paste_hand(tones: Image.Image, look: Look, hand: Hand, turn: float) -> None:
    mask = Image.new("L", tones.size)
    draw = ImageDraw.Draw(mask)
    for outline, filled in parts(hand):
        _polygon(draw, turn, outline, 255 if filled else 0)
    if look.shadow:
        x, y = (round(RADIUS * part) for part in look.shadow_offset)
        shade = ImageChops.offset(mask, x, y).point([round(look.shadow * level) for level in range(256)])
        tones.paste(0, mask=shade)
    tones.paste(_level(hand.tone), mask=mask)
