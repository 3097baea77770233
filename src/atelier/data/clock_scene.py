"""The scene of a synthetic photograph of a clock: random parameters, and the projection by the camera."""

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from atelier.data.clock_faces import FACES


@dataclass(frozen=True, eq=False)
class Scene:
    """The parameters of N images, a tensor for each field, N first.

    Lengths are in dial radii (centre to inner edge of the rim), angles in radians clockwise,
    tones from 0 (black) to 1 (white), positions in the image from -1 to 1 (y down).
    """

    times: Tensor  # (N, 2) int64: hour 0-11, minute 0-59
    face: Tensor  # (N,) int64: index into FACES
    rotation: Tensor  # (N,) direction of the 12, from upright
    tilt: Tensor  # (N,) angle between the dial's axis and the camera's
    tilt_axis: Tensor  # (N,) direction of the tilt's axis in the image
    distance: Tensor  # (N,) camera to centre
    size: Tensor  # (N,) longer side of the clock's bounding box, as a share of the image's side
    shift: Tensor  # (N, 2) position of that box in the image: -1 at the left/top edge, 1 right/bottom
    rim_width: Tensor  # (N,)
    paper: Tensor  # (N,) tone of the dial
    ink: Tensor  # (N,) tone of ticks and numerals
    hand: Tensor  # (N,) tone of the hands
    rim: Tensor  # (N,) tone of the rim
    length: Tensor  # (N, 2) hour and minute hand, centre to tip
    width: Tensor  # (N, 2) hour and minute hand, where widest
    taper: Tensor  # (N, 2) width at the centre and at the tip, as shares of the widest
    shoulder: Tensor  # (N,) where the hands are widest, as a share of the length
    light: Tensor  # (N,) direction towards the light
    gradient: Tensor  # (N,) change of brightness from the centre to the lit edge, as a share
    shadow: Tensor  # (N,) share of the light that is missing in shadows
    wood: Tensor  # (N,) tone of the wood
    grain: Tensor  # (N,) contrast of the grain
    grain_angle: Tensor  # (N,) direction of the grain on the dial's plane
    grain_scale: Tensor  # (N, 2) frequency along and across the grain, in half tiles per radius
    grain_offset: Tensor  # (N, 2) position in the tile, in half tiles
    highlight: Tensor  # (N,) tone added at the highlight's centre; from 1 on, the clock is hidden there
    highlight_place: Tensor  # (N, 2) centre of the highlight
    highlight_size: Tensor  # (N, 2) standard deviations along and across the highlight
    highlight_angle: Tensor  # (N,) direction of the highlight
    blur: Tensor  # (N,) weight of each neighbour in a (b, 1 - 2b, b) filter along both axes
    noise: Tensor  # (N,) standard deviation of the pixel noise
    noise_offset: Tensor  # (N, 2) position in the noise tile, 0 to 1

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, index: slice) -> "Scene":
        return Scene(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, device: torch.device | str) -> "Scene":
        return Scene(*(getattr(self, field.name).to(device) for field in fields(self)))


def _checked(times: Tensor) -> Tensor:
    if times.ndim != 2 or times.shape[1] != 2 or times.dtype != torch.int64:
        raise ValueError(f"times must be int64 of shape (N, 2), got {times.dtype} {tuple(times.shape)}")
    wrong = (times < 0).any(1) | (times[:, 0] > 11) | (times[:, 1] > 59)
    if wrong.any():
        raise ValueError(f"times must be hour 0-11 and minute 0-59, got {times[wrong][0].tolist()}")
    return times


def hand_angles(times: Tensor) -> Tensor:
    """Angles of the hour hand, which moves continuously, and of the minute hand.

    Args:
        times: (N, 2) int64, hour 0-11 and minute 0-59; else ValueError.

    Returns:
        (N, 2) float32 radians clockwise from 12, in [0, 2 pi).
    """
    hour, minute = _checked(times).float().unbind(1)
    return torch.stack((hour + minute / 60, minute / 5), 1) * (math.pi / 6)


def draw_scenes(times: Tensor, generator: torch.Generator, **overrides: object) -> Scene:
    """Draw the parameters of an image for each time, on the CPU.

    Args:
        times: (N, 2) int64, hour 0-11 and minute 0-59.
        generator: the only source of random numbers, on the CPU.
        overrides: fields of Scene to fix for all images, such as rotation=0.0 or tilt=0.0:
            numbers or tensors that broadcast to the field. They do not change the other fields.

    Raises:
        ValueError: for times of another shape, type or range, or an override that is no field.
    """
    n = len(_checked(times))

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.empty(n, *shape).uniform_(low, high, generator=generator)

    def chance(probability: float) -> Tensor:
        return uniform(0, 1) < probability

    dark = chance(0.15)  # light hands on a dark dial
    paper = torch.where(dark, uniform(0.08, 0.2), uniform(0.75, 0.95))
    ink = torch.where(dark, uniform(0.8, 0.95), uniform(0.03, 0.2))
    drawn = {
        "times": times.cpu(),
        "face": torch.randint(len(FACES), (n,), generator=generator),
        "rotation": uniform(0, 2 * math.pi),
        # The square of a uniform number: most clocks are seen nearly from the front, some at 50 degrees.
        "tilt": math.radians(50) * uniform(0, 1).square(),
        "tilt_axis": uniform(0, 2 * math.pi),
        "distance": uniform(4, 8),
        "size": uniform(0.8, 0.97),
        "shift": uniform(-1, 1, 2),
        "rim_width": uniform(0.04, 0.13),
        "paper": paper,
        "ink": ink,
        "hand": torch.where(dark, uniform(0.8, 0.97), uniform(0.02, 0.2)),
        "rim": torch.where(chance(0.5), uniform(0.08, 0.3), uniform(0.6, 0.9)),
        "length": torch.stack((uniform(0.46, 0.55), uniform(0.78, 0.9)), 1),
        "width": torch.stack((uniform(0.085, 0.12), uniform(0.05, 0.07)), 1),
        "taper": torch.stack((uniform(0.5, 1), uniform(0.15, 1)), 1),
        "shoulder": uniform(0.2, 0.75),
        "light": uniform(0, 2 * math.pi),
        "gradient": uniform(0, 0.25),
        "shadow": uniform(0.1, 0.5) * chance(0.8),
        "wood": uniform(0.3, 0.7),
        "grain": uniform(0.03, 0.1),
        "grain_angle": uniform(0, 2 * math.pi),
        "grain_scale": torch.stack((uniform(0.2, 0.4), uniform(0.3, 0.7)), 1),
        "grain_offset": uniform(-1, 1, 2),
        "highlight": uniform(0, 1.1),
        "highlight_place": uniform(-0.6, 0.6, 2),
        "highlight_size": torch.stack((uniform(0.1, 0.4), uniform(0.06, 0.18)), 1),
        "highlight_angle": uniform(0, math.pi),
        "blur": uniform(0, 0.22),
        "noise": uniform(0.005, 0.03),
        "noise_offset": uniform(0, 1, 2),
    }
    for name, value in overrides.items():
        if name not in drawn:
            raise ValueError(f"{name} is no field of Scene")
        like = drawn[name]
        drawn[name] = torch.as_tensor(value, dtype=like.dtype).expand_as(like).clone()
    return Scene(**drawn)


def project(scene: Scene, points: Tensor) -> Tensor:
    """Project points of the dial's plane to the image.

    Args:
        scene: N pictures, on the CPU.
        points: (P, 2) right and down of the centre in dial radii, before rotation.

    Returns:
        (N, P, 2) positions in the image: -1 to 1 is inside, y down.
    """
    plane = torch.cat((points, torch.ones(len(points), 1)), 1)
    x, y, w = (plane @ plane_to_picture(scene).mT).unbind(-1)
    return torch.stack((x / w, y / w), -1)


def plane_to_picture(scene: Scene) -> Tensor:
    """(N, 3, 3) homographies from the dial's plane to the image, scaled so that the clock fits."""
    zero, one = torch.zeros(len(scene)), torch.ones(len(scene))

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, -1).reshape(-1, 3, 3)

    cos, sin = scene.rotation.cos(), scene.rotation.sin()
    turn = matrix(cos, -sin, zero, sin, cos, zero, zero, zero, one)
    # Tilt: components along n, perpendicular to the axis, are scaled by its cosine and gain depth by its sine.
    nx, ny = -scene.tilt_axis.sin(), scene.tilt_axis.cos()
    shorten, depth = 1 - scene.tilt.cos(), scene.tilt.sin() / scene.distance
    xx, xy, yy = 1 - shorten * nx * nx, -shorten * nx * ny, 1 - shorten * ny * ny
    camera = matrix(xx, xy, zero, xy, yy, zero, depth * nx, depth * ny, one) @ turn

    # The clock's box: the circle's dual conic D holds its tangents, l D l = 0, so the upright ones
    # x = k solve D22 k^2 - 2 D02 k + D00 = 0, and the level ones likewise.
    outer = 1 + scene.rim_width
    dual = camera @ torch.stack((outer * outer, outer * outer, -one), 1).diag_embed() @ camera.mT
    square, mixed, last = dual.diagonal(dim1=1, dim2=2)[:, :2], dual[:, :2, 2], dual[:, 2, 2, None]
    root = (mixed * mixed - square * last).sqrt()
    low, high = (mixed + root) / last, (mixed - root) / last  # last is negative
    scale = 2 * scene.size / (high - low).amax(1)
    room = 2 - scale[:, None] * (high - low)
    move = scene.shift * room / 2 - scale[:, None] * (high + low) / 2
    return matrix(scale, zero, move[:, 0], zero, scale, move[:, 1], zero, zero, one) @ camera
