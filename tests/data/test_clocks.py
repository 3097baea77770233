"""The clocks' data set: made once, every time in each split."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from clock_noise import SIDE, noise, options
from torch import Tensor

from atelier.data import clocks
from atelier.data.any_clocks import AnyClocks
from atelier.data.clock_scene import Scene
from atelier.data.clocks import WALL_CLOCK, Clocks, WallClock
from atelier.errors import InputError


@pytest.fixture
def renderings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replaces the renderer by noise; the list tells how many pictures each call made."""
    calls: list[int] = []

    def render(times: Tensor, image_size: int, **_: Any) -> Tensor:
        calls.append(len(times))
        return noise(len(times), image_size)

    monkeypatch.setattr(clocks, "draw_scenes", lambda times, generator, **_: times)
    monkeypatch.setattr(clocks, "render", render)
    return calls


def rendered(folder: Path, num_images: int = 2160, **changes: Any) -> Clocks:
    data = Clocks(image_size=SIDE, num_images=num_images, render_seed=0, **options(folder, **changes))
    data.prepare_data()
    data.setup()
    return data


def times_of(data: Clocks, split: str) -> Tensor:
    labels = torch.cat([labels for _, labels in data.loader(split)])
    return labels[:, 0] * 60 + labels[:, 1]


def test_the_wall_clock_is_one_clock_in_all_pictures_which_differ_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes: list[Scene] = []

    def render(scene: Scene, image_size: int, **_: Any) -> Tensor:
        scenes.append(scene)
        return noise(len(scene), image_size)

    monkeypatch.setattr(clocks, "render", render)
    data = WallClock(image_size=SIDE, num_images=2160, render_seed=0, **options(tmp_path))
    data.prepare_data()
    varied = {field.name for field in fields(Scene) if len(getattr(scenes[0], field.name).unique(dim=0)) > 1}
    assert varied == {field.name for field in fields(Scene)} - WALL_CLOCK.keys()
    assert data.cache_name != rendered(tmp_path).cache_name


def test_the_pictures_are_rendered_once(tmp_path: Path, renderings: list[int]) -> None:
    first, second = rendered(tmp_path), rendered(tmp_path)
    assert renderings == [2160]
    assert torch.equal(first.sets["test"].inputs, second.sets["test"].inputs)


def test_rebuild_renders_again_but_once(tmp_path: Path, renderings: list[int]) -> None:
    rendered(tmp_path)
    data = rendered(tmp_path, rebuild=True)
    data.prepare_data()
    assert renderings == [2160, 2160]


def test_a_change_of_the_drawing_renders_again(
    tmp_path: Path, renderings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = [tmp_path / "hands.py", tmp_path / "faces.py"]
    for module in modules:
        module.write_text("WIDTH = 1\n")
    monkeypatch.setattr(clocks, "DRAWING", modules)
    rendered(tmp_path)
    rendered(tmp_path)
    assert len(renderings) == 1
    modules[1].write_text("WIDTH = 2\n")
    rendered(tmp_path)
    rendered(tmp_path)
    assert len(renderings) == 2


def test_the_modules_that_draw_are_watched() -> None:
    names = {module.name for module in clocks.DRAWING}
    assert {"clock_renderer.py", "clock_scene.py", "clock_photos.py", "clock_styles.py"} <= names
    assert {"clocks.py", "any_clocks.py"} <= names, "the wall clock, the share of unmarked dials"


def test_other_pictures_have_another_file(tmp_path: Path) -> None:
    names = {
        Clocks(image_size=size, num_images=count, render_seed=seed, **options(tmp_path)).path
        for size in (75, 150)
        for count in (2160, 18_000)
        for seed in (0, 1)
    }
    assert len(names) == 8


def test_other_clocks_of_any_look_have_another_file(tmp_path: Path) -> None:
    one: dict[str, Any] = {"image_size": SIDE, "num_images": 1440, "test_images": 720, "styles": "training"}
    one |= {"unmarked": 0.0, "test_unmarked": 0.0, "render_seed": 0}
    others: list[dict[str, Any]] = [{"image_size": 75}, {"num_images": 2160}, {"test_images": 1440}, {"render_seed": 1}]
    others += [{"styles": "held_out"}, {"unmarked": 0.5}, {"test_unmarked": 0.5}]
    paths = {AnyClocks(**{**one, **other}, **options(tmp_path)).path for other in ({}, *others)}
    assert len(paths) == 1 + len(one)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_every_time_is_in_each_split(tmp_path: Path, renderings: list[int], split: str) -> None:
    data = rendered(tmp_path, num_images=7200)
    assert set(times_of(data, split).tolist()) == set(range(720))


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_smallest_data_set_still_trains_and_validates(tmp_path: Path, renderings: list[int], split: str) -> None:
    assert len(rendered(tmp_path).sets[split]) > 0


def test_the_splits_hold_every_picture_once(tmp_path: Path, renderings: list[int]) -> None:
    data = rendered(tmp_path)
    images = torch.cat([images for split in data.sets for images, _ in data.loader(split)]).flatten(1)
    assert len(images) == 2160
    assert len(images.unique(dim=0)) == len(noise(2160).flatten(1).unique(dim=0))


def test_the_runs_seed_leaves_the_split_alone(tmp_path: Path, renderings: list[int]) -> None:
    first, second = rendered(tmp_path, seed=0), rendered(tmp_path, seed=1)
    assert torch.equal(first.sets["val"].rows, second.sets["val"].rows)
    orders = [torch.cat([labels for _, labels in data.train_dataloader()]) for data in (first, second)]
    assert not torch.equal(*orders)


def test_batches_cross_to_the_device_as_bytes_and_are_normalised_there(tmp_path: Path, renderings: list[int]) -> None:
    data = rendered(tmp_path)
    images, labels = next(iter(data.train_dataloader()))
    assert images.dtype == torch.uint8
    normalised, same = data.on_after_batch_transfer((images, labels), 0)
    torch.testing.assert_close(normalised, (images / 255 - 0.5) / 0.289, atol=1e-5, rtol=0)
    assert torch.equal(same, labels)
    torch.testing.assert_close(data.picture(normalised), images / 255, atol=1e-5, rtol=0)


def test_a_wrong_shape_is_told(tmp_path: Path, renderings: list[int]) -> None:
    with pytest.raises(InputError, match=r"data.shape=\[1, 9, 9\]: .* are \[1, 8, 8\]"):
        rendered(tmp_path, shape=[1, 9, 9])


def test_a_wrong_mean_is_told(tmp_path: Path, renderings: list[int]) -> None:
    with pytest.warns(UserWarning, match=r"data.mean=0.9 .* data.mean=0.5"):
        rendered(tmp_path, mean=0.9)
