"""Clocks show the time they are labelled with: measured on plain pictures of them, not on the code."""

import math

import pytest
import torch
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from torch import Tensor

from atelier.data.clock_faces import FACES, draw_faces
from atelier.data.clock_renderer import render
from atelier.data.clock_scene import Scene, draw_scenes, hand_angles, project

SIZE = 150
RIM = 0.05
RADIUS = SIZE / 2 * 0.95 / (1 + RIM)  # pixels of a dial radius on the plain clock
PLAIN = {
    "rotation": 0.0,
    "tilt": 0.0,
    "size": 0.95,
    "shift": 0.0,
    "rim_width": RIM,
    "paper": 0.9,
    "ink": 0.1,
    "hand": 0.0,
    "gradient": 0.0,
    "shadow": 0.0,
    "grain": 0.0,
    "highlight": 0.0,
    "blur": 0.0,
    "noise": 0.0,
}
TIMES = torch.tensor([[0, 30], [1, 50], [3, 0], [4, 47], [6, 5], [7, 13], [9, 26], [10, 8], [11, 36]])


def scenes(times: Tensor, seed: int = 0, **overrides: object) -> Scene:
    return draw_scenes(times, torch.Generator().manual_seed(seed), **overrides)


def pixel_polar() -> tuple[Tensor, Tensor]:
    """Radius in dial radii and angle clockwise from up of each pixel of the plain clock."""
    places = torch.arange(SIZE) + 0.5 - SIZE / 2
    y, x = torch.meshgrid(places, places, indexing="ij")
    return torch.hypot(x, y) / RADIUS, torch.atan2(x, -y)


def hands_alone(times: Tensor, **overrides: object) -> Tensor:
    """(N, SIZE, SIZE) share of each pixel that hands cover, from pictures with and without hands."""
    bare = PLAIN | {"ink": 0.9} | overrides  # no numerals that could hide a difference
    drawn = render(scenes(times, **bare), SIZE).float()
    without = render(scenes(times, **bare | {"hand": 0.9}), SIZE).float()
    return ((without - drawn) / (255 * 0.9))[:, 0]


def apart(one: Tensor, other: Tensor | float) -> Tensor:
    """Absolute difference of two angles on the circle."""
    return ((one - other + math.pi) % (2 * math.pi) - math.pi).abs()


def mean_angle(weight: Tensor, angle: Tensor) -> Tensor:
    return torch.atan2((weight * angle.sin()).sum((1, 2)), (weight * angle.cos()).sum((1, 2)))


def measure(covered: Tensor) -> tuple[Tensor, Tensor]:
    """Angles of the hour and of the minute hand, seen in two rings of the plain clock."""
    radius, angle = pixel_polar()
    # Only the minute hand reaches the outer ring. Away from it, the inner ring shows the other.
    minute = mean_angle(covered * ((radius > 0.6) & (radius < 0.75)), angle)
    inner = (radius > 0.25) & (radius < 0.4) & (apart(angle, minute[:, None, None]) > 0.6)
    return mean_angle(covered * inner, angle), minute


def test_hand_angles() -> None:
    degrees = hand_angles(torch.tensor([[0, 0], [3, 0], [6, 30], [11, 59]])).rad2deg()
    torch.testing.assert_close(degrees, torch.tensor([[0.0, 0], [90, 0], [195, 180], [359.5, 354]]))


@pytest.mark.parametrize("rotation", [0.0, 1.0, 4.0])
def test_hands_point_at_the_time(rotation: float) -> None:
    hour, minute = measure(hands_alone(TIMES, rotation=rotation))
    clock = TIMES[:, 0] * 60 + TIMES[:, 1]
    assert apart(minute, 2 * math.pi * clock / 60 + rotation).max() < math.radians(1.5)
    assert apart(hour, 2 * math.pi * clock / 720 + rotation).max() < math.radians(2.5)


def test_minute_hand_is_longer_and_thinner() -> None:
    times = TIMES.repeat(4, 1)
    covered = hands_alone(times)
    radius, angle = pixel_polar()
    hour, minute = (apart(angle, direction[:, None, None]) < 0.3 for direction in measure(covered))
    length = [(radius * (covered * hand > 0.5)).amax((1, 2)) for hand in (hour, minute)]
    assert (length[1] > 1.3 * length[0]).all()
    assert length[1].max() < 0.95
    ring = (radius > 0.2) & (radius < 0.4)
    area = [(covered * hand * ring).sum((1, 2)) for hand in (hour, minute)]
    assert (area[1] < area[0]).all()


def test_hands_lie_where_the_camera_sees_them() -> None:
    times = TIMES.repeat(3, 1)
    tilted = {"tilt": math.radians(50), "distance": 4.0, "size": 0.97, "shift": 0.3}
    covered = hands_alone(times, **tilted)
    scene = scenes(times, **PLAIN | tilted)
    minute = hand_angles(times)[:, 1]
    for i, angle in enumerate(minute):
        far = scene.length[i, 1]
        direction = torch.stack((angle.sin(), -angle.cos()))
        near, tip = (project(scene[i : i + 1], r * direction[None])[0, 0] for r in (0.6, far))
        inside, beyond = near + 0.5 * (tip - near), near + 1.4 * (tip - near)
        for point, low, high in ((inside, 0.4, 1.0), (beyond, 0.0, 0.1)):
            column, row = ((point + 1) * SIZE / 2).long()
            assert low <= covered[i, row, column] <= high + 0.01


def test_dial_has_sixty_ticks() -> None:
    face = next(i for i, face in enumerate(FACES) if face.ticks == "line" and face.mark == "none")
    picture = render(scenes(TIMES[:1], face=face, **PLAIN | {"hand": 0.9}), SIZE)[0, 0].float()
    angle = (torch.arange(720) + 3) * (2 * math.pi / 720)  # from between two ticks
    column = (SIZE / 2 + 0.94 * RADIUS * angle.sin()).long()
    row = (SIZE / 2 - 0.94 * RADIUS * angle.cos()).long()
    dark = (picture[row, column] < 0.8 * 0.9 * 255).int()
    assert (dark.diff() == 1).sum() == 60


@pytest.mark.parametrize("radial", [False, True])
def test_numerals_stand_where_they_should(radial: bool) -> None:
    """Against matplotlib's own outlines of the numerals, which no picture passed through."""
    face = FACES.index(next(face for face in FACES if face.font == "DejaVuSans" and face.radial == radial))
    picture = render(scenes(TIMES[:1], face=face, **PLAIN | {"hand": 0.9}), SIZE)[0, 0].float()
    radius, angle = pixel_polar()
    points = torch.stack((radius * angle.sin(), radius * angle.cos()), -1).reshape(-1, 2).numpy()
    font = FontProperties(family="DejaVu Sans")

    def outlined(turn: int, mirror: int) -> Tensor:
        """1 where the numerals lie if they run from `turn` hours, clockwise or mirrored."""
        inside = torch.zeros(len(points), dtype=torch.bool)
        for hour in range(1, 13):
            path = TextPath((0, 0), str(hour), size=0.3, prop=font)
            middle = (path.get_extents().min + path.get_extents().max) / 2
            place = Affine2D().translate(*-middle)
            place = place.rotate_deg(-30 * hour * radial)
            around = math.radians(30 * (hour + turn))
            place = place.translate(0.7 * math.sin(around), 0.7 * math.cos(around)).scale(mirror, 1)
            inside |= torch.from_numpy(place.transform_path(path).contains_points(points))
        return inside.reshape(SIZE, SIZE).float()

    ring = (radius > 0.55) & (radius < 0.84)
    wrong = [(turn, 1) for turn in (1, 3, 6, 9, 11)] + [(0, -1), (6, -1)]
    dark = 255 - picture[ring]
    match = [torch.corrcoef(torch.stack((dark, outlined(*how)[ring])))[0, 1] for how in [(0, 1), *wrong]]
    assert match[0] > 0.6
    assert match[0] > max(match[1:]) + 0.2


def test_faces_differ_and_carry_ink() -> None:
    textures = draw_faces(64)
    assert textures.shape == (len(FACES), 1, 64, 64)
    share = textures.mean((1, 2, 3))
    assert share.min() > 0.05
    assert share.max() < 0.4
    distances = torch.cdist(textures.flatten(1), textures.flatten(1)) + 100 * torch.eye(len(FACES))
    assert distances.min() > 1


def test_noise_differs_between_pictures() -> None:
    times = TIMES[:1].repeat(8, 1)
    same = dict.fromkeys(("rotation", "grain", "highlight", "blur", "gradient", "shadow"), 0.0)
    same |= PLAIN | {"face": 0, "wood": 0.5, "noise": 0.02}
    corners = render(scenes(times, **same), 75)[:, 0, :12, :12].flatten(1).float()
    torch.testing.assert_close(corners.std(1) / 255, torch.full((8,), 0.02), atol=0.005, rtol=0)
    correlation = torch.corrcoef(corners) - torch.eye(8)
    assert correlation.abs().max() < 0.4
