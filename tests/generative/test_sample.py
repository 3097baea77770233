"""All that `sample.py` draws, with its numbers; what it cannot draw is told."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist, median
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from atelier.data.loader import TensorSet
from atelier.errors import InputError
from atelier.figures.made import KINDS as KINDS_OF_MADE
from atelier.figures.made import Sampler, draw, grid, nearest, on_sphere, plane, straight, train_pictures
from atelier.metrics.features import Classifier
from atelier.metrics.sample_quality import SampleQuality

Run = Callable[..., Any]
KINDS = ("grid", "interpolation", "neighbours", "reconstructions", "walk")


@pytest.mark.parametrize(
    ("kind", "what"), [*(("vae", what) for what in KINDS), ("gan", "grid"), ("gan", "reconstructions")]
)
def test_every_kind_of_sample_is_drawn_with_its_numbers(
    run_verb: Run,
    request: pytest.FixtureRequest,
    logs: Path,
    tmp_path: Path,
    kind: str,
    what: str,
    picture: Any,
    frames_of: Any,
) -> None:
    request.getfixturevalue(kind)
    options = [f"run={logs / kind}", f"what={what}", "n=4", "seed=3", f"output={tmp_path}", "trainer=cpu"]
    outcome = run_verb("sample", *options, logs=logs)
    if (kind, what) == ("gan", "reconstructions"):
        assert outcome.code == 2
        assert "only a VAE has them" in outcome.err
        return
    assert (outcome.code, outcome.err) == (0, "")
    assert min(picture(tmp_path / f"{what}.png").shape[:2]) > 50
    numbers = json.loads((tmp_path / f"{what}.json").read_text())
    assert {key: numbers[key] for key in ("what", "n", "seed")} == {"what": what, "n": 4, "seed": 3}
    check = {
        "grid": lambda: sum(numbers["classes"].values()) == 4,
        "interpolation": lambda: len(numbers["spherical"]["change_of_each_step"]) == 4,
        "neighbours": lambda: (
            len(numbers["training_rows"]) == 4
            and min(numbers["distances"]) > 0
            and numbers["median_distance"] == pytest.approx(median(numbers["distances"]))
        ),
        "reconstructions": lambda: len(set(numbers["test_rows"])) == 4 and max(numbers["mean_squared_errors"]) < 0.3,
        "walk": lambda: frames_of(tmp_path / "walk.gif") == 4 * numbers["steps"],
    }
    assert check[what]()


def test_a_number_that_is_none_is_null_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the median distance of test images where there are none, or the change of pictures that are all alike."""
    measured = {"median": math.nan, "lines": {"changes": [0.5, math.inf]}, "rows": [1, 2]}
    monkeypatch.setitem(KINDS_OF_MADE, "neighbours", lambda sampler: measured)
    draw("neighbours", Sampler(Echo(latent_size=2), None, 4, 0, tmp_path / "n.png"))
    numbers = json.loads((tmp_path / "n.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert numbers["median"] is None
    assert (numbers["lines"], numbers["rows"]) == ({"changes": [0.5, None]}, [1, 2])


@pytest.mark.parametrize("broken", [0, 1, 4])
def test_images_of_no_class_count_for_none(tmp_path: Path, broken: int) -> None:
    class Task:
        device, draw_latents = torch.device("cpu"), staticmethod(lambda count, seed: torch.zeros(count, 2))

        def __init__(self) -> None:
            layer = nn.Linear(4, 2)
            nn.init.eye_(layer.weight)
            classifier = Classifier(nn.Sequential(nn.Flatten(), layer), 0.0, 1.0, {"features": "a test's"})
            self.quality = SampleQuality(classifier)

        def pictures(self, latents: torch.Tensor) -> torch.Tensor:
            made = torch.tensor([0.0, 1.0, 0.0, 0.0]).view(1, 1, 2, 2).repeat(4, 1, 1, 1)
            made[:broken] = torch.nan
            return made

    data = SimpleNamespace(classes=["dog", "cat"])
    numbers = grid(Sampler(Task(), data, 4, 0, tmp_path / "grid.png"))
    assert numbers["classes"] == {"dog": 0, "cat": 4 - broken}


def test_a_training_image_is_found_as_its_own_neighbour() -> None:
    class Task:
        def as_pictures(self, images: torch.Tensor) -> torch.Tensor:
            return images * 0.4 + 0.3

    class Data:
        def __init__(self) -> None:
            self.sets: dict[str, TensorSet] = {}

        def normalise(self, images: torch.Tensor) -> torch.Tensor:
            return (images / 255 - 0.3) / 0.4

    data = Data()
    images = torch.randint(256, (30, 1, 8, 8), dtype=torch.uint8)
    data.sets["train"] = TensorSet(images, torch.zeros(30), torch.arange(10, 30))
    sampler = Sampler(Task(), data, None, 0, Path("unused"))
    distances, rows = nearest(sampler, train_pictures(sampler, torch.tensor([7, 0, 19])))
    assert rows.tolist() == [7, 0, 19]
    assert distances.max() < 1e-6
    torch.testing.assert_close(train_pictures(sampler, torch.tensor([7])), images[17:18] / 255)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["what=gird"], "what=gird: give one of: grid, interpolation, neighbours, plane, reconstructions, walk"),
        (["n=0"], "n=0: give a whole number of 1 or more or null"),
        (["seed=-1"], "seed=-1: give a whole number from 0 to below 18446744073709551616"),
    ],
)
def test_wrong_options_are_told(run_verb: Run, tmp_path: Path, options: list[str], message: str) -> None:
    outcome = run_verb("sample", f"run={tmp_path}", *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_run_that_makes_no_pictures_is_told(run_verb: Run, classifier: Path) -> None:
    outcome = run_verb("sample", f"run={classifier}", "trainer=cpu")
    assert outcome.code == 2
    assert "its task, Classifier, makes no pictures" in outcome.err


class Echo:
    """A task that keeps the latents of which it made pictures."""

    device = torch.device("cpu")

    def __init__(self, latent_size: int) -> None:
        self.latent_size, self.seen = latent_size, torch.empty(0, latent_size)
        self.latents = torch.zeros(1, latent_size)

    def pictures(self, latents: torch.Tensor) -> torch.Tensor:
        self.seen = torch.cat([self.seen, latents])
        return latents.sigmoid().mean(1).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


def test_the_plane_of_two_latents_has_as_much_of_the_normal_distribution_between_all_places(tmp_path: Path) -> None:
    task = Echo(latent_size=2)
    numbers = plane(Sampler(task, None, 3, 0, tmp_path / "plane.png"))
    normal = NormalDist()
    quantiles = [normal.cdf(place) for place in numbers["places"]]
    assert quantiles == pytest.approx([1 / 6, 1 / 2, 5 / 6])
    left, centre, right = numbers["places"]
    rows = [[[x, y] for x in (left, centre, right)] for y in (right, centre, left)]  # upwards, as on paper
    assert task.seen.view(3, 3, 2).tolist() == rows


def test_more_latents_have_no_plane(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"what=plane: only for two latents \(task.latent_size=2\); .* has 32"):
        draw("plane", Sampler(Echo(latent_size=32), None, None, 0, tmp_path / "plane.png"))


def test_what_is_no_picture_is_not_drawn(tmp_path: Path) -> None:
    task = Echo(latent_size=2)
    task.pictures = lambda latents: latents.expand(-1, 2)  # type: ignore[method-assign]
    for what in KINDS:
        with pytest.raises(InputError, match=rf"^what={what}: this network makes no pictures, but \[2\] numbers$"):
            draw(what, Sampler(task, None, None, 0, tmp_path / "any.png"))


def test_ways_between_latents() -> None:
    first, last = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    assert straight(first, last, 3).tolist() == [[2, 0], [1, 2], [0, 4]]
    way = on_sphere(first, last, 5)
    torch.testing.assert_close(way.norm(dim=1), torch.tensor([2.0, 2.5, 3.0, 3.5, 4.0]))
    angles = torch.atan2(way[:, 1], way[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0, torch.pi / 2, 5))
    torch.testing.assert_close(on_sphere(first, 2 * first, 3), torch.tensor([[2.0, 0.0], [3.0, 0.0], [4.0, 0.0]]))
    opposite = on_sphere(torch.tensor([1.5]), torch.tensor([-0.7]), 3)
    torch.testing.assert_close(opposite, torch.tensor([[1.5], [0.4], [-0.7]]))
