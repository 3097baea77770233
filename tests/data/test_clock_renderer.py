"""The clocks show the time they are labelled with: measured on the pictures, not on the code."""

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


def random_times(count: int, seed: int = 1) -> Tensor:
    return (
        torch.randint(720, (count,), generator=torch.Generator().manual_seed(seed))[:, None].expand(-1, 2)
        // torch.tensor([60, 1])
        % torch.tensor([12, 60])
    )


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


def test_quarter_turn_of_everything_turns_the_picture() -> None:
    times = random_times(16)
    one = scenes(times, noise=0.0, highlight=0.0)
    turn = math.pi / 2
    # The dial's plane carries its wood with it; light, camera and place turn along.
    x, y = one.shift.unbind(1)
    other = scenes(
        times,
        noise=0.0,
        highlight=0.0,
        rotation=one.rotation + turn,
        tilt_axis=one.tilt_axis + turn,
        light=one.light + turn,
        shift=torch.stack((-y, x), 1),
    )
    turned = render(one, 75).rot90(-1, (2, 3)).int()
    difference = (render(other, 75).int() - turned).abs()
    assert difference.max() <= 2
    assert (render(one, 75).int() - turned).abs().float().mean() > 10


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


def test_projection_is_a_pinhole_camera() -> None:
    scene = scenes(random_times(20), tilt=torch.linspace(0, math.radians(50), 20))
    angle = torch.arange(12, dtype=torch.float64) * (math.pi / 6)
    flat = torch.stack((angle.cos(), angle.sin()), 1)
    seen = project(scene, flat.float()).double()
    for i in range(len(scene)):

        def turn(axis: list[float], angle: Tensor) -> Tensor:
            x, y, z = axis
            skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
            return torch.linalg.matrix_exp(skew * angle.double())

        axis = [scene.tilt_axis[i].cos().item(), scene.tilt_axis[i].sin().item(), 0.0]
        space = torch.cat((flat, torch.zeros(12, 1, dtype=torch.float64)), 1)
        space = space @ turn([0.0, 0.0, 1.0], scene.rotation[i]).T @ turn(axis, scene.tilt[i]).T
        expected = space[:, :2] / (space[:, 2:] + scene.distance[i])
        # The picture is cut from the camera's view: equal up to one scale and one shift.
        ours, theirs = seen[i] - seen[i].mean(0), expected - expected.mean(0)
        torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm(), atol=1e-5, rtol=0)


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


@pytest.mark.parametrize("distance", [4.0, 8.0])
def test_clock_stays_inside_the_picture(distance: float) -> None:
    times = random_times(200)
    extreme = {"tilt": math.radians(50), "distance": distance, "size": 0.97, "rim_width": 0.13}
    shift = torch.tensor([[-1.0, -1], [1, 1], [-1, 1], [1, -1]]).repeat(50, 1)
    scene = scenes(times, shift=shift, **extreme)
    angle = torch.linspace(0, 2 * math.pi, 1000)
    rim = project(scene, 1.13 * torch.stack((angle.cos(), angle.sin()), 1))
    assert rim.abs().max() <= 1 + 1e-5
    extent = rim.amax(1) - rim.amin(1)
    torch.testing.assert_close(extent.amax(1), torch.full((200,), 2 * 0.97), atol=1e-3, rtol=0)
    # On the pixels: a white rim on dark wood leaves the picture's border dark.
    white = {"rim": 1.0, "wood": 0.2, "grain": 0.0, "noise": 0.0, "highlight": 0.0, "blur": 0.0, "gradient": 0.0}
    pictures = render(scenes(times, shift=0.0, **extreme, **white), 75)[:, 0]
    border = torch.cat((pictures[:, 0], pictures[:, -1], pictures[:, :, 0], pictures[:, :, -1]), 1)
    assert border.max() <= 52
    assert pictures.flatten(1).amax(1).min() > 180


def test_pictures_follow_the_seed() -> None:
    times = random_times(6)
    first, again, other = (render(scenes(times, seed), 64) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert (first.float() - other.float()).abs().mean((1, 2, 3)).min() > 10


def test_batch_size_changes_no_pixel() -> None:
    scene = scenes(random_times(23))
    whole = render(scene, 75, batch_size=23)
    assert whole.shape == (23, 1, 75, 75)
    assert whole.dtype == torch.uint8
    for batch_size in (1, 7, 128):
        assert torch.equal(render(scene, 75, batch_size=batch_size), whole)
    assert torch.equal(render(scene[5:9], 75), whole[5:9])


def test_thread_count_changes_no_pixel_and_is_left_alone() -> None:
    scene, before = scenes(random_times(20)), torch.get_num_threads()
    pictures = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            pictures.append(render(scene, 75, batch_size=4))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*pictures)


def test_noise_differs_between_pictures() -> None:
    times = TIMES[:1].repeat(8, 1)
    same = dict.fromkeys(("rotation", "grain", "highlight", "blur", "gradient", "shadow"), 0.0)
    same |= PLAIN | {"face": 0, "wood": 0.5, "noise": 0.02}
    corners = render(scenes(times, **same), 75)[:, 0, :12, :12].flatten(1).float()
    torch.testing.assert_close(corners.std(1) / 255, torch.full((8,), 0.02), atol=0.005, rtol=0)
    correlation = torch.corrcoef(corners) - torch.eye(8)
    assert correlation.abs().max() < 0.4


def test_pictures_have_contrast() -> None:
    pictures = render(scenes(random_times(100)), 75).float() / 255
    low, high = torch.quantile(pictures.flatten(1), torch.tensor([0.02, 0.98]), dim=1)
    assert (high - low).min() > 0.3
    assert (high - low).mean() > 0.6
    assert 0.35 < pictures.mean() < 0.65
    assert (pictures == 1).float().mean() < 0.2


def test_progress_counts_every_picture() -> None:
    steps: list[int] = []
    render(scenes(random_times(10)), 32, batch_size=4, progress=steps.append)
    assert steps == [4, 4, 2]


@pytest.mark.parametrize(
    ("times", "named"),
    [
        (torch.tensor([[12, 0]]), r"\[12, 0\]"),
        (torch.tensor([[1, 2], [3, 60]]), r"\[3, 60\]"),
        (torch.tensor([[-1, 5]]), r"\[-1, 5\]"),
        (torch.tensor([3, 15]), r"\(2,\)"),
        (torch.zeros(4, 3, dtype=torch.int64), r"\(4, 3\)"),
        (torch.tensor([[3.0, 15.0]]), "float32"),
    ],
)
def test_wrong_times(times: Tensor, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        scenes(times)
    with pytest.raises(ValueError, match=named):
        hand_angles(times)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="31"):
        render(scenes(TIMES), 31)
    with pytest.raises(ValueError, match="colour"):
        scenes(TIMES, colour=1.0)
