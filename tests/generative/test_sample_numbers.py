"""The numbers beside the figures of `sample.py`, by hand: pictures of one level each, whose distances are known."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from atelier.data.loader import TensorSet
from atelier.figures import made
from atelier.figures.made import Sampler, grid, interpolation, neighbours, reconstructions, walk

SIDE = 8  # pixels, so that two pictures are 8 times as far from each other as their levels


class Task:
    """Makes a picture of the level that is the sum of its two latents; reconstructs each picture 0.1 too bright."""

    device, quality = torch.device("cpu"), None

    def __init__(self, latents: Sequence[tuple[float, float]]) -> None:
        self.latents = torch.tensor(latents)

    def draw_latents(self, count: int, seed: int) -> Tensor:
        return self.latents[:count]

    def pictures(self, latents: Tensor) -> Tensor:
        self.asked = latents
        return latents.sum(1).view(-1, 1, 1, 1).expand(-1, 1, SIDE, SIDE)

    def as_pictures(self, images: Tensor) -> Tensor:
        return images

    def reconstruct(self, images: Tensor) -> Tensor:
        return images + 0.1


def images(first_row: int, *levels: float) -> TensorSet:
    """A split of a data set whose rows before `first_row` are of another one."""
    stored = torch.tensor([0] * first_row + [round(255 * level) for level in levels], dtype=torch.uint8)
    rows = torch.arange(first_row, len(stored))
    return TensorSet(stored.view(-1, 1, 1, 1).repeat(1, 1, SIDE, SIDE), torch.zeros(len(stored)), rows)


def sampler(task: Task, n: int, path: Path, **sets: TensorSet) -> Sampler:
    data = SimpleNamespace(sets=sets, normalise=lambda stored: stored / 255, classes=None)
    return Sampler(task, data, n, 0, path / "figure.png")


def test_the_changes_between_latents_and_how_even_they_are(tmp_path: Path) -> None:
    numbers = interpolation(sampler(Task([(1.0, 0.0), (0.0, 0.5)]), 1, tmp_path))
    straight, sphere = numbers["linear"], numbers["spherical"]
    assert straight["change_of_each_step"][0] == pytest.approx([SIDE * 0.5 / 8] * 8)
    assert straight["largest_over_mean_change"] == pytest.approx([1.0], rel=1e-5)
    assert straight["latent_norms"][0][::4] == pytest.approx([1.0, math.hypot(0.5, 0.25), 0.5])
    angles = [step * math.pi / 16 for step in range(9)]
    norms = [1 - step / 16 for step in range(9)]
    levels = [norm * (math.cos(angle) + math.sin(angle)) for norm, angle in zip(norms, angles, strict=True)]
    changes = [SIDE * abs(after - before) for before, after in pairwise(levels)]
    assert sphere["latent_norms"][0] == pytest.approx(norms)
    assert sphere["change_of_each_step"][0] == pytest.approx(changes, rel=1e-4)
    assert sphere["largest_over_mean_change"] == pytest.approx([max(changes) / mean(changes)], rel=1e-4)


def test_the_nearest_training_images_are_told_beside_what_is_usual_for_test_images(tmp_path: Path) -> None:
    task = Task([(0.0, 0.0), (0.5, 0.0), (0.5, 0.5)])
    train = images(10, 0.2, 0.8, 0.4)
    test = images(40, 0.4, 0.0, 0.6, 0.0, 1.0)  # the first, the third and the last of them are as many as are made
    numbers = neighbours(sampler(task, 3, tmp_path, train=train, test=test))
    assert numbers["training_rows"] == [10, 12, 11]
    assert numbers["distances"] == pytest.approx([SIDE * 0.2, SIDE * 0.1, SIDE * 0.2])
    assert numbers["median_distance"] == pytest.approx(SIDE * 0.2)
    assert numbers["median_distance_of_test_images"] == pytest.approx(SIDE * 0.2)
    few = neighbours(sampler(task, 3, tmp_path, train=train, test=images(40, 0.4, 0.2)))
    assert few["median_distance_of_test_images"] == pytest.approx(0.0, abs=1e-6)


def test_errors_of_reconstructions_and_levels_of_a_grid(tmp_path: Path) -> None:
    task = Task([(0.25, 0.0), (0.75, 0.0)])
    numbers = reconstructions(sampler(task, 3, tmp_path, test=images(0, 0.2, 0.4, 0.6, 0.8)))
    assert numbers["mean_squared_errors"] == pytest.approx([0.01] * 3)
    assert len({*numbers["test_rows"]} & {0, 1, 2, 3}) == 3
    levels = grid(sampler(task, 2, tmp_path))
    assert (levels["mean"], levels["std"]) == pytest.approx((0.5, 0.25 * math.sqrt(128 / 127)))


def test_pictures_that_are_made_in_parts_are_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "PART", 2)
    latents = torch.arange(10.0).view(5, 2)
    assert sampler(Task([]), 5, tmp_path).pictures(latents)[:, 0, 0, 0].tolist() == latents.sum(1).tolist()


def test_a_walk_goes_through_each_station_and_back_to_the_first(tmp_path: Path) -> None:
    task = Task([(1.0, 0.0), (3.0, 0.0)])  # parallel: a straight way
    numbers = walk(sampler(task, 2, tmp_path))
    assert task.asked[:, 0].tolist() == [*torch.arange(1, 3, 0.25), *torch.arange(3, 1, -0.25)]
    assert (numbers["stations"], numbers["steps"]) == (2, 8)
    assert numbers["change_of_each_step"] == pytest.approx([SIDE * 2 / 8] * 16)
