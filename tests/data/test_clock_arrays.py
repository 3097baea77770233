"""The report's clocks as two arrays, of pictures and of times: read as they are, and checked."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from clock_noise import SIDE, noise, options
from torch import nn

from atelier.data.brought import known_of
from atelier.data.clocks import ClockArrays
from atelier.errors import InputError
from atelier.export.exported import Exported
from atelier.tasks.exportable import Exportable


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
    task = Exportable()
    task.network = nn.Identity()
    made, words = Exported(task, data).examples()
    assert (made.shape, words) == ((64, 1, SIDE, SIDE), "64 made-up images, since the data are not here")
