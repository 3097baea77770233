"""The points of the disk: how many, where, of which class, and what validates."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.compose.build import build_task, build_trainer
from atelier.compose.targets import build, plain
from atelier.data.disk import Disk, inside
from atelier.errors import InputError

Make = Callable[..., Disk]


@pytest.fixture
def make(compose: Callable[..., Any]) -> Make:
    """`make("data.draw=1")`: the data set of conf/, set up."""

    def made(*overrides: str) -> Disk:
        data = build(compose("data=disk", *overrides).data)
        data.setup()
        return data

    return made


def points(data: Disk, split: str) -> list[tuple[float, ...]]:
    inputs, _ = data.sets[split][torch.arange(len(data.sets[split]))]
    return [tuple(point) for point in inputs.tolist()]


def test_a_thousand_points_test_and_a_fifth_of_the_others_validates(make: Make) -> None:
    data = make()
    train, val, test = (points(data, split) for split in ("train", "val", "test"))
    assert (len(train), len(val), len(test)) == (800, 200, 1000)
    assert len({*train, *val, *test}) == 2000
    assert all(0 <= coordinate <= 1 for point in train + val + test for coordinate in point)


def test_the_disk_fills_half_of_the_square() -> None:
    """Its area is pi / (2 pi). The standard deviation of the share of 10^6 points is 0.0005."""
    share = inside(torch.rand(1_000_000, 2, generator=torch.Generator().manual_seed(0))).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.002)


def test_labels_follow_the_distance_from_the_centre() -> None:
    radius = 0.398942  # 1 / sqrt(2 pi)
    places = torch.tensor([[0.5 + radius - 1e-4, 0.5], [0.5 + radius + 1e-4, 0.5], [0.5, 0.5 - radius + 1e-4], [0, 0]])
    assert inside(places).tolist() == [1, 0, 1, 0]


def test_draws_differ_and_the_runs_seed_does_not_matter(make: Make) -> None:
    base, other, seeded = make(), make("data.draw=1"), make("seed=1")
    assert points(base, "test") == points(seeded, "test")
    assert not set(points(base, "test")) & set(points(other, "test"))


def test_a_network_is_given_standard_coordinates(make: Make) -> None:
    data = make("data.train_points=20000")
    inputs = data.normalise(torch.tensor(points(data, "train")))
    assert inputs.mean(0).tolist() == pytest.approx([0, 0], abs=0.03)
    assert inputs.std(0).tolist() == pytest.approx([1, 1], abs=0.02)


@pytest.mark.parametrize("text", ["0.25 0.75", "0.25,0.75", " .25, .75 "])
def test_a_point_is_read_from_text(make: Make, text: str) -> None:
    assert make().read_text(text).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("text", ["0.25", "a b", "1 2 3", ""])
def test_other_text_is_refused(make: Make, text: str) -> None:
    with pytest.raises(InputError, match="is not a point, two numbers such as"):
        make().read_text(text)


class OfAFile(Disk):
    """A set of a user's own that needs a file."""

    def check_source(self) -> None:
        raise InputError("data.file=points.csv: no such file")


def test_a_run_asks_for_the_files_of_a_set_before_it_loads_them(compose: Callable[..., Any], tmp_path: Path) -> None:
    config = compose("data=disk", "network.hidden=[3]", "callbacks=none", f"paths.logs={tmp_path}")
    options = {key: value for key, value in plain(config.data).items() if not key.startswith("_")}
    trainer = build_trainer(config, torch.nn.Identity())
    with pytest.raises(InputError, match=r"points\.csv"):
        trainer.validate(build_task(config), OfAFile(**options), verbose=False)


def test_a_file_that_has_changed_since_the_training_is_refused(compose: Callable[..., Any], tmp_path: Path) -> None:
    file, other = tmp_path / "points.csv", tmp_path / "more.csv"
    file.write_text("0.3,0.6")
    other.write_text("0.5,0.5")
    data = build(compose("data=disk").data)
    data.own_files = (file, other)
    data.setup()
    recorded, _ = data.account()
    file.write_text("0.3,0.6")  # as it was, at another time
    data.check_same(recorded)
    file.write_text("0.3,0.7")
    with pytest.raises(InputError, match=r"changed since the training: .*points\.csv, .*more\.csv;\ndata\.changed"):
        data.check_same(recorded)
    data.changed = "accept"
    with pytest.warns(UserWarning, match="divided anew"):
        data.check_same(recorded)
    file.unlink()
    with pytest.raises(InputError, match=r"no file .*points\.csv, which Disk reads"):
        data.check_source()
