"""Photographs of clocks of many looks: their drawings seen by the camera of `clock_scene`, with light and noise."""

import math
from collections.abc import Callable, Sequence
from random import Random

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample
from torchvision.transforms.functional import pil_to_tensor

from atelier.data.clock_backgrounds import draw_backgrounds
from atelier.data.clock_drawing import EXTENT, draw_clock, reach
from atelier.data.clock_renderer import each, exposed, in_threads, linear
from atelier.data.clock_scene import Scene, draw_scenes, plane_to_picture
from atelier.data.clock_styles import Look, Styles, draw_look

BATCH = 120  # pictures of one generator of random numbers
UPRIGHT = math.radians(12)  # the largest turn of an upright clock


def photograph_clocks(
    times: Tensor,
    styles: Styles,
    image_size: int,
    seed: int,
    unmarked: float = 0.0,
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """Photographs of a clock of another look for each time.

    A clock whose dial shows which way is up stands upright in half of the pictures, and is turned in any direction in
    the others. All other dials stand upright; upright is within 12 degrees.

    Args:
        times: (N, 2) int64, hour 0-11 and minute 0-59.
        styles: the names to choose from.
        image_size: pixels per side.
        seed: seed of looks, scenes and noise; equal seeds give equal pictures.
        unmarked: share of dials that do not show which way is up.
        progress: called after each batch with its number of pictures.

    Returns:
        (N, 1, image_size, image_size) uint8.
    """
    pictures = torch.empty(len(times), 1, image_size, image_size, dtype=torch.uint8)

    def work(start: int) -> int:
        part = slice(start, start + BATCH)
        random = Random(f"{seed} {start}")
        looks = [draw_look(random, styles, random.random() >= unmarked) for _ in times[part]]
        generator = torch.Generator().manual_seed(random.getrandbits(60))
        scene = draw_scene(times[part], looks, generator)
        pictures[part] = photograph(looks, scene, image_size, generator)
        return len(looks)

    in_threads(work, range(0, len(times), BATCH), torch.get_num_threads(), progress)
    return pictures


def draw_scene(times: Tensor, looks: Sequence[Look], generator: torch.Generator) -> Scene:
    """The camera, the light and the noise of each look's photograph; what else a Scene has is not seen."""

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(len(looks)).uniform_(low, high, generator=generator)

    def often(share: float) -> Tensor:
        return uniform(0, 1) < share

    turned = often(0.5) & torch.tensor([look.shows_up for look in looks])
    upright = UPRIGHT * uniform(-1, 1)
    return draw_scenes(
        times,
        generator,
        rotation=torch.where(turned, uniform(0, 2 * math.pi), upright),
        rim_width=torch.tensor([reach(look) - 1 for look in looks]),
        tilt=math.radians(40) * uniform(0, 1).square() * often(0.6),
        size=1 - 0.4 * uniform(0, 1).square(),
        gradient=uniform(0, 0.3) * often(0.5),
        shadow=uniform(0.1, 0.5) * often(0.4),
        highlight=uniform(0, 0.8) * often(0.3),
        blur=uniform(0, 0.25) * often(0.6),
        noise=0.06 * uniform(0, 1).square() * often(0.7),
    )


def photograph(looks: Sequence[Look], scene: Scene, image_size: int, generator: torch.Generator) -> Tensor:
    """(N, 1, image_size, image_size) uint8 photographs of looks, from back to front."""
    minutes = (scene.times[:, 0] * 60 + scene.times[:, 1]).tolist()
    drawn = [draw_clock(look, time) for look, time in zip(looks, minutes, strict=True)]
    clocks = torch.stack([torch.cat([_values(image) for image in images]) for images in drawn])  # (N, 2, SIDE, SIDE)
    side = 2 * image_size  # four samples of each pixel
    places = (torch.arange(side) + 0.5) * (2 / side) - 1
    view = torch.linalg.inv(plane_to_picture(scene))
    depth = linear(view[:, 2], places).reciprocal_()
    plane = torch.stack([linear(view[:, axis], places) * depth for axis in (0, 1)], -1)  # (N, side, side, 2)
    tones, covered = grid_sample(clocks, plane / EXTENT, align_corners=False).unbind(1)

    picture = draw_backgrounds([look.background for look in looks], side, generator)
    shift = 0.08 * torch.stack((scene.light.sin(), -scene.light.cos()), -1)[:, None, None]
    shaded = grid_sample(clocks[:, 1:], (plane + shift) / EXTENT, align_corners=False)[:, 0]
    picture *= 1 - shaded * each(scene.shadow)
    picture = avg_pool2d(torch.lerp(picture, tones, covered)[:, None], 2)[:, 0]

    places = places.view(-1, 2).mean(1)
    picture = exposed(picture, scene, places)
    picture += each(scene.noise) * torch.randn(picture.shape, generator=generator)
    return picture.clamp_(0, 1).mul_(255).round_().to(torch.uint8)[:, None]


def _values(image: Image.Image) -> Tensor:
    """(1, H, W) float32 from 0 to 1."""
    return pil_to_tensor(image).float() / 255
