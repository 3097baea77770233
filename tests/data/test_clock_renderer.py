"""Clocks as they are drawn for training: seen by a camera, and the same whatever the batches and threads."""

import math

import pytest
import torch
from torch import Tensor

from atelier.data.clock_renderer import render
from atelier.data.clock_scene import Scene, draw_scenes, hand_angles, project
from atelier.data.clocks import WALL_CLOCK


def scenes(times: Tensor, seed: int = 0, **overrides: object) -> Scene:
    return draw_scenes(times, torch.Generator().manual_seed(seed), **overrides)


def random_times(count: int, seed: int = 1) -> Tensor:
    return (
        torch.randint(720, (count,), generator=torch.Generator().manual_seed(seed))[:, None].expand(-1, 2)
        // torch.tensor([60, 1])
        % torch.tensor([12, 60])
    )


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
    with pytest.raises(ValueError, match="colour"):
        scenes(random_times(9), colour=1.0)


def test_the_wall_clock_has_its_other_parameters_from_the_same_draws() -> None:
    times = torch.zeros(50, 2, dtype=torch.int64)
    many, one = (draw_scenes(times, torch.Generator().manual_seed(3), **kept) for kept in ({}, WALL_CLOCK))
    assert torch.equal(many.rotation, one.rotation)
    assert torch.equal(many.noise_offset, one.noise_offset)
