"""The textures of synthetic clocks: dials with numerals in real fonts, and the wood behind the clock."""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

FONT_FOLDER = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # shipped inside matplotlib
SUPERSAMPLING = 4  # PIL draws hard edges; the mean of 4 x 4 pixels gives soft edges


@dataclass(frozen=True)
class Face:
    """A dial. Lengths are in dial radii (to the inner edge of the rim)."""

    font: str  # file name without .ttf
    radial: bool  # numerals turned so that their feet point to the centre, else upright
    ticks: str  # line, dot or wedge
    mark: str  # mark of the hour 12: none, double or triangle
    track: bool  # a thin circle under the minute ticks
    numeral_height: float = 0.22


FACES = (
    Face("DejaVuSans", radial=False, ticks="line", mark="triangle", track=False),
    Face("DejaVuSans-Bold", radial=False, ticks="wedge", mark="double", track=False, numeral_height=0.21),
    Face("DejaVuSerif", radial=False, ticks="dot", mark="triangle", track=True),
    Face("STIXGeneralBol", radial=False, ticks="line", mark="none", track=False, numeral_height=0.24),
    Face("DejaVuSans", radial=True, ticks="dot", mark="triangle", track=False),
    Face("DejaVuSans-Bold", radial=True, ticks="line", mark="triangle", track=True, numeral_height=0.21),
    Face("DejaVuSerif", radial=True, ticks="wedge", mark="double", track=False),
    Face("STIXGeneralBol", radial=True, ticks="wedge", mark="triangle", track=False, numeral_height=0.24),
)


def _polar(turn: float, radius: float, across: float, canvas: int) -> tuple[float, float]:
    """Position on the canvas of the point at `radius` in the direction `turn` (0 to 1, clockwise from 12)."""
    angle = 2 * math.pi * turn
    x = radius * math.sin(angle) + across * math.cos(angle)
    y = -radius * math.cos(angle) + across * math.sin(angle)
    return (x + 1) * canvas / 2, (y + 1) * canvas / 2


def _draw_ticks(draw: ImageDraw.ImageDraw, face: Face, canvas: int) -> None:
    def wedge(turn: float, inner: float, outer: float, at_inner: float, at_outer: float) -> None:
        corners = (inner, -at_inner), (inner, at_inner), (outer, at_outer), (outer, -at_outer)
        draw.polygon([_polar(turn, r, c, canvas) for r, c in corners], fill=255)

    for minute in range(60):
        turn, is_hour = minute / 60, minute % 5 == 0
        if minute == 0 and face.mark == "triangle":
            wedge(turn, 0.83, 0.98, 0.0, 0.1)
        elif minute == 0 and face.mark == "double":
            for side in (-0.007, 0.007):
                wedge(turn + side, 0.86, 0.97, 0.02, 0.02)
        elif face.ticks == "dot":
            x, y = _polar(turn, 0.92, 0.0, canvas)
            radius = (0.034 if is_hour else 0.014) * canvas / 2
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        elif is_hour:
            wedge(turn, 0.87, 0.97, 0.008 if face.ticks == "wedge" else 0.02, 0.022)
        else:
            wedge(turn, 0.91, 0.97, 0.007, 0.007)
    if face.track:
        low, high = canvas * 0.01, canvas * 0.99
        draw.ellipse((low, low, high, high), outline=255, width=max(1, round(canvas * 0.006)))


@lru_cache(maxsize=64)
def font_of(name: str, height: float) -> ImageFont.FreeTypeFont:
    """A font whose numerals are `height` pixels high; `name` is its file's, without .ttf."""
    path = str(FONT_FOLDER / f"{name}.ttf")
    _, top, _, bottom = ImageFont.truetype(path, 100).getbbox("8")
    return ImageFont.truetype(path, height * 100 / (bottom - top))


def numeral(text: str, font: ImageFont.FreeTypeFont, widest: float) -> Image.Image:
    """An image of the numeral, cropped to its ink, so that it can be centred, and condensed to at most `widest`."""
    left, top, right, bottom = (round(edge) for edge in font.getbbox(text))
    numeral = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(numeral).text((-left, -top), text, fill=255, font=font)
    return numeral.resize((min(numeral.width, round(widest)), numeral.height), Image.Resampling.BILINEAR)


def _draw_numerals(dial: Image.Image, face: Face) -> None:
    canvas = dial.width
    font = font_of(face.font, face.numeral_height * canvas / 2)
    for hour in range(1, 13):
        # Turned numerals must be narrower, so that 10, 11 and 12 do not touch each other.
        mask = numeral(str(hour), font, (0.29 if face.radial else 0.4) * canvas / 2)
        if face.radial:
            mask = mask.rotate(-30 * hour, Image.Resampling.BILINEAR, expand=True)
        x, y = _polar(hour / 12, 0.70, 0.0, canvas)
        dial.paste(255, (round(x - mask.width / 2), round(y - mask.height / 2)), mask=mask)


def _draw_maker(dial: Image.Image, face: Face) -> None:
    """Draw a maker's name below the 12, as on most wall clocks."""
    canvas = dial.width
    font = ImageFont.truetype(str(FONT_FOLDER / f"{face.font}.ttf"), round(0.06 * canvas))
    name = numeral("ATELIER", font, 0.44 * canvas / 2)
    x, y = _polar(0.0, 0.36, 0.0, canvas)
    dial.paste(255, (round(x - name.width / 2), round(y - name.height / 2)), mask=name)


@lru_cache(maxsize=4)
def draw_faces(side: int) -> Tensor:
    """Draw all FACES.

    Args:
        side: pixels per side of a texture; the dial's radius is side / 2.

    Returns:
        (len(FACES), 1, side, side) float32: 0 is bare dial, 1 is ink. Cached: do not change it.
    """
    canvas = side * SUPERSAMPLING
    textures = []
    for face in FACES:
        dial = Image.new("L", (canvas, canvas))
        _draw_ticks(ImageDraw.Draw(dial), face, canvas)
        _draw_numerals(dial, face)
        _draw_maker(dial, face)
        textures.append(pil_to_tensor(dial.reduce(SUPERSAMPLING)).float() / 255)
    return torch.stack(textures)


@lru_cache(maxsize=1)
def draw_wood(side: int = 256) -> Tensor:
    """Draw four planks, their grain along x.

    Returns:
        (1, 1, side, side) float32 deviations from the wood's tone, of about unit scale; dark
        joints are at -5. Cached: do not change it.
    """
    noise = torch.fft.rfft2(torch.randn(side, side, generator=torch.Generator().manual_seed(0)))
    down, along = torch.fft.fftfreq(side)[:, None] * side, torch.fft.rfftfreq(side) * side
    # Fibres: noise that hardly changes along the grain. Rings: a wave across it, warped slowly.
    fibres = torch.fft.irfft2(noise * torch.exp(-((along / 3) ** 2)) / (1 + down.abs() / 12))
    warp = torch.fft.irfft2(noise * torch.exp(-((along / 1.5) ** 2) - (down / 4) ** 2))
    row = torch.linspace(0, 1, side)[:, None]
    wood: Tensor = fibres / fibres.std() + 0.7 * torch.sin(2 * math.pi * (9 * row + 0.7 * warp / warp.std()))
    for plank, tone in zip(wood.chunk(4), (0.5, -0.8, 0.7, -0.3), strict=True):
        plank += tone
        plank[:2] = -5.0
    return wood[None, None]
