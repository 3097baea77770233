"""What lies behind a clock drawn at random: a wall, wood, noise, a gradient, blocks, stripes or checks."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from atelier.data.clock_faces import draw_wood


def draw_backgrounds(names: list[str], side: int, generator: torch.Generator) -> Tensor:
    """(N, side, side) tones from 0 to 1: a background of each name.

    Raises:
        KeyError: if a name is unknown.
    """
    return torch.stack([BACKGROUNDS[name](side, generator) for name in names]).clamp_(0, 1)


def _uniform(generator: torch.Generator, low: float = 0.0, high: float = 1.0) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def _ramp(side: int, generator: torch.Generator) -> Tensor:
    """(side, side) positions from -1 to 1 along a random direction."""
    angle, places = _uniform(generator, 0, 2 * math.pi), torch.linspace(-1, 1, side)
    return math.cos(angle) * places + math.sin(angle) * places[:, None]


def _plain(side: int, generator: torch.Generator) -> Tensor:
    return torch.full((side, side), _uniform(generator))


def _wood(side: int, generator: torch.Generator) -> Tensor:
    across, along = _ramp(side, generator) * _uniform(generator, 0.2, 0.5), _ramp(side, generator)
    place = torch.stack((along * 0.3, across + _uniform(generator, -1, 1)), -1)
    grain = grid_sample(draw_wood(), place[None], padding_mode="reflection", align_corners=False)[0, 0]
    return (1 + _uniform(generator, 0.03, 0.12) * grain) * _uniform(generator, 0.2, 0.8)


def _noise(side: int, generator: torch.Generator) -> Tensor:
    """Noise of a random coarseness."""
    cells = int(torch.randint(3, 40, (), generator=generator))
    grains = torch.randn(1, 1, cells, cells, generator=generator)
    smooth = interpolate(grains, size=(side, side), mode="bilinear", align_corners=False)[0, 0]
    return _uniform(generator, 0.2, 0.8) + _uniform(generator, 0.05, 0.25) * smooth


def _gradient(side: int, generator: torch.Generator) -> Tensor:
    return _uniform(generator, 0.2, 0.8) + _uniform(generator, 0.1, 0.5) * _ramp(side, generator)


def _blocks(side: int, generator: torch.Generator) -> Tensor:
    """Rectangles of random tones, each over those before."""
    tones = _plain(side, generator)
    for _ in range(int(torch.randint(3, 12, (), generator=generator))):
        rows, columns = (torch.randint(side, (2,), generator=generator).sort().values.tolist() for _ in range(2))
        tones[rows[0] : rows[1], columns[0] : columns[1]] = _uniform(generator)
    return tones


def _stripes(side: int, generator: torch.Generator) -> Tensor:
    waves = torch.sin(_ramp(side, generator) * _uniform(generator, 6, 40))
    return _uniform(generator, 0.2, 0.8) + _uniform(generator, 0.05, 0.3) * waves.sign()


def _checks(side: int, generator: torch.Generator) -> Tensor:
    cells = int(torch.randint(3, 14, (), generator=generator))
    places = (torch.arange(side) * cells // side) % 2
    board = (places + places[:, None]) % 2
    return _uniform(generator, 0.2, 0.7) + _uniform(generator, 0.05, 0.3) * board


BACKGROUNDS: dict[str, Callable[[int, torch.Generator], Tensor]] = {
    "plain": _plain,
    "wood": _wood,
    "noise": _noise,
    "gradient": _gradient,
    "blocks": _blocks,
    "stripes": _stripes,
    "checks": _checks,
}
