"""The clocks' data set: made once, every time in each split; and the report's arrays, checked."""

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from atelier.data import clocks
from atelier.data.brought import known_of
from atelier.data.clock_scene import Scene
from atelier.data.clocks import WALL_CLOCK, ClockArrays, Clocks, WallClock
from atelier.errors import InputError
from atelier.export.exported import Exported

SIDE = 8


def options(folder: Path, **changes: Any) -> dict[str, Any]:
    """For pictures of uniform noise."""
    return {
        "folder": str(folder),
        "shape": [1, SIDE, SIDE],
        "mean": 0.5,
        "std": 0.289,
        "batch_size": 64,
        "eval_batch_size": 256,
        "augment": False,
        "augmentation": None,
        "source": "real",
        "validation_share": 1 / 9,
        "folds": None,
        "fold": 0,
        "train_size": None,
        "split_seed": 0,
        "shuffle": True,
        "seed": 0,
        "resident": "auto",
        "rebuild": False,
    } | changes


def noise(count: int, side: int = SIDE) -> Tensor:
    return torch.randint(0, 256, (count, 1, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


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


# ---------------------------------------------------------------------- rendered


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
    with pytest.warns(UserWarning, match=r"data.mean=0.9 .* 0.5"):
        rendered(tmp_path, mean=0.9)


# ---------------------------------------------------------------------- the report's arrays


@pytest.fixture
def arrays(tmp_path: Path) -> tuple[Path, Path]:
    images, labels = tmp_path / "images.npy", tmp_path / "labels.npy"
    index = np.arange(1440) % 720
    np.save(images, noise(1440)[:, 0].numpy())
    np.save(labels, np.stack([index // 60, index % 60], 1))
    return images, labels


def read(arrays: tuple[Path, Path]) -> ClockArrays:
    images, labels = arrays
    data = ClockArrays(images=str(images), labels=str(labels), **options(images.parent))
    data.prepare_data()
    data.setup()
    return data


def refused(arrays: tuple[Path, Path], key: str, value: Path) -> str:
    with pytest.raises(InputError) as error:
        read(arrays)
    assert f"data.{key}={value}" in str(error.value)
    return str(error.value)


def test_good_arrays_keep_each_picture_with_its_time(arrays: tuple[Path, Path]) -> None:
    images, labels = (np.load(file) for file in arrays)
    expected = {image.tobytes(): tuple(label) for image, label in zip(images, labels, strict=True)}
    data = read(arrays)
    found = {
        image.numpy().tobytes(): tuple(label.tolist())
        for split in data.sets
        for batch in data.loader(split)
        for image, label in zip(*batch, strict=True)
    }
    assert found == expected


def test_the_report_s_unsigned_labels_are_taken(arrays: tuple[Path, Path]) -> None:
    np.save(arrays[1], np.load(arrays[1]).astype(np.uint8))
    assert read(arrays).sets["train"].labels.dtype == torch.int64


def test_changed_arrays_are_not_served_from_the_old_cache(arrays: tuple[Path, Path]) -> None:
    before = read(arrays).path
    np.save(arrays[0], noise(1440)[:, 0].flip(0).numpy())
    assert read(arrays).path != before


@pytest.mark.parametrize("shape", [(1440, 8, 8, 1), (1440, 64), (1440 * 64,)])
def test_pictures_of_another_shape_are_refused(arrays: tuple[Path, Path], shape: tuple[int, ...]) -> None:
    np.save(arrays[0], np.load(arrays[0]).reshape(shape))
    assert f"found {shape} uint8" in refused(arrays, "images", arrays[0])


def test_pictures_of_another_kind_are_refused(arrays: tuple[Path, Path]) -> None:
    np.save(arrays[0], np.load(arrays[0]) / 255)
    assert "float64" in refused(arrays, "images", arrays[0])


@pytest.mark.parametrize(
    "change",
    [lambda a: a[:100], lambda a: a[:, 0], lambda a: a.astype(float), lambda a: a.T],
    ids=["too few", "one column", "fractions", "transposed"],
)
def test_labels_that_do_not_fit_are_refused(arrays: tuple[Path, Path], change: Callable[..., np.ndarray]) -> None:
    np.save(arrays[1], change(np.load(arrays[1])))
    assert "hour and minute" in refused(arrays, "labels", arrays[1])


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ((12, 0), "hours must be 0 to 11, found 0 to 12"),
        ((0, 60), "minutes must be 0 to 59, found 0 to 60"),
        ((-1, 0), "hours must be 0 to 11, found -1 to 11"),
    ],
)
def test_times_that_no_clock_shows_are_refused(arrays: tuple[Path, Path], label: tuple[int, int], told: str) -> None:
    labels = np.load(arrays[1])
    labels[7] = label
    np.save(arrays[1], labels)
    assert told in refused(arrays, "labels", arrays[1])


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5])
def test_a_truncated_array_is_refused(arrays: tuple[Path, Path], index: int, kept: float) -> None:
    file = arrays[index]
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * kept)])
    refused(arrays, ("images", "labels")[index], file)


def test_an_archive_of_arrays_is_refused(arrays: tuple[Path, Path]) -> None:
    with arrays[0].open("wb") as file:
        np.savez(file, images=np.zeros((3, SIDE, SIDE), np.uint8))
    refused(arrays, "images", arrays[0])


def test_an_array_of_pickled_objects_is_refused(arrays: tuple[Path, Path]) -> None:
    np.save(arrays[1], np.array([{"hour": 1}], dtype=object), allow_pickle=True)
    refused(arrays, "labels", arrays[1])


def test_arrays_of_equal_sizes_and_times_in_two_places_are_two_data_sets(arrays: tuple[Path, Path]) -> None:
    (copy := arrays[0].parent / "copy").mkdir()
    others = copy / "images.npy", copy / "labels.npy"
    np.save(others[0], 255 - np.load(arrays[0]))
    np.save(others[1], np.load(arrays[1]))
    for file in (*arrays, *others):
        os.utime(file, (1, 1))
    first, second = (
        ClockArrays(images=str(images), labels=str(labels), **options(arrays[0].parent))
        for images, labels in (arrays, others)
    )
    assert first.path != second.path
    assert first.stamp == second.stamp, "of runs of before"
    for data in (first, second):
        data.prepare_data()
    assert torch.equal(first.load()[0]["test_images"], 255 - second.load()[0]["test_images"])


@pytest.mark.parametrize("index", [0, 1])
def test_a_missing_file_is_named(arrays: tuple[Path, Path], index: int) -> None:
    arrays[index].unlink()
    assert "there is no such file" in refused(arrays, ("images", "labels")[index], arrays[index])


def test_arrays_that_are_not_here_hinder_neither_an_export_nor_a_prediction(arrays: tuple[Path, Path]) -> None:
    images, labels = arrays
    data = ClockArrays(images=str(images), labels=str(labels), **options(images.parent))
    data.prepare_data()
    assert data.cached
    assert "brightness" in known_of(data, None)
    images.unlink()
    assert not data.cached
    assert known_of(data, None) == {}
    made, words = Exported(SimpleNamespace(network=nn.Identity()), data).examples()
    assert (made.shape, words) == ((64, 1, SIDE, SIDE), "64 made-up images, since the data are not here")
