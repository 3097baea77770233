"""A folder whose images need more memory than there may be: they are read to the disk, and train from there."""

import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from atelier.data import growing, own_images, reading
from atelier.data.cache import checksum
from atelier.data.growing import Growing
from atelier.errors import InputError

Own = Callable[..., Any]
MEGABYTE = 2**20
ALLOWED = 40 * MEGABYTE  # beyond what a training on few of the images takes
Usage = namedtuple("Usage", "total used free")


def mapped(tensor: Tensor) -> str:
    """The line of /proc/self/maps, Linux's list of what this process has in memory, that a tensor lies in."""
    address = tensor.data_ptr()
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= address < last:
            return line
    raise AssertionError("the tensor lies nowhere")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no list of mappings on this system")
def test_images_lie_on_the_disk_from_reading_to_the_batches(own: Own, pets: Path, tmp_path: Path) -> None:
    data = own(pets, test_share=0.3, shape=[3, 64, 64])
    tensors, _ = data.make()
    for split in ("train", "test"):
        assert str(tmp_path / "cache") in mapped(tensors[f"{split}_images"]), "as they are read"
    data.prepare_data()
    data.setup()
    assert str(data.path) in mapped(data.sets["train"].inputs)
    assert str(data.path) in mapped(data.sets["test"].inputs)
    assert data.sets["train"].inputs.data_ptr() == data.sets["val"].inputs.data_ptr(), "parts are rows, no copies"


def test_the_images_and_their_checksum_are_those_of_a_reading_in_memory(own: Own, pets: Path) -> None:
    data = own(pets, test_share=0.3)
    tensors, classes = data.make()
    for split in ("train", "test"):
        files = [pets / name for name in data.about["files"][split]]
        images = torch.stack([reading.load_image(file, (3, 8, 8)) for file in files])
        assert torch.equal(tensors[f"{split}_images"], images)
        assert [classes[label] for label in tensors[f"{split}_labels"]] == [file.parent.name for file in files]
    assert sum(map(len, data.about["files"].values())) == 20
    data.prepare_data()
    data.setup()
    assert data.about["crc32"] == str(checksum(tensors))


def test_rows_move_to_another_part(tmp_path: Path) -> None:
    with Growing(tmp_path, (1, 2, 2)) as train, Growing(tmp_path, (1, 2, 2)) as test:
        for number in range(6):
            train.add(torch.full((1, 2, 2), number, dtype=torch.uint8), number, f"{number}.png", 1)
        train.move(torch.tensor([0, 3]), test)
        train.add(torch.full((1, 2, 2), 9, dtype=torch.uint8), 9, "9.png", 1)
        for part, expected in ((train, [1, 2, 4, 5, 9]), (test, [0, 3])):
            assert part.images()[:, 0, 1, 1].tolist() == part.labels().tolist() == expected
            assert part.names() == [f"{number}.png" for number in expected]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_reading_that_is_broken_off_leaves_no_file(
    own: Own, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    add = Growing.add

    def broken_off(part: Growing, *given: Any) -> None:
        if len(part) == 5:
            raise error
        add(part, *given)

    monkeypatch.setattr(Growing, "add", broken_off)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match="cannot be written: No space left" if expected is InputError else None):
        own(pets).prepare_data()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_disk_without_room_is_told_before_an_image_is_read(
    own: Own, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_images, "read_images", lambda *_: pytest.fail("it reads"))
    monkeypatch.setattr(growing.shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - 10**9, 10**9))
    data = own(pets, shape=[3, 4000, 4000])
    with pytest.raises(InputError) as told:
        data.prepare_data()
    assert str(told.value) == (
        f"{data.path} cannot be written: 20 images of 3×4000×4000 need 1.9 GB while they are read, 1.0 GB are free"
        " there (paths.data, DATA_DIR say where to write; data.shape, how large)"
    )


def test_at_most_so_many_images_wait_to_be_taken(tmp_path: Path) -> None:
    started: list[int] = []
    files = [tmp_path / str(number) for number in range(3 * reading.AHEAD)]
    for number, file in enumerate(reading.each_of(lambda file: started.append(1) or file, files)):
        assert len(started) <= number + reading.AHEAD
        assert file == files[number]
    assert len(started) == len(files)


# ------------------------------------------------------- a training on ten times the memory that it may take


def anonymous(process: Any) -> int:
    """The bytes of a process in memory that are no mapped file, which the system could drop; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    _, _, rest = status.partition("RssAnon:")
    return int(rest.split()[0]) * 1024 if rest else 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell anonymous memory")
def test_a_training_on_ten_times_the_memory_that_it_may_take(
    tmp_path: Path, paint: Callable[..., None], start_verb: Callable[..., Any], ended: Callable[..., Any]
) -> None:
    """From an empty data folder: all is decoded, measured, trained on and validated on. The test is left out: what its
    metric keeps of each batch, small as it is, keeps the allocator from reusing the batches' memory."""
    peaks = {}
    for count in (60, 2200):
        for number in range(count):
            paint(tmp_path / str(count) / ("cat", "dog")[number % 2] / f"{number}.png", number)
        given = [f"data.images={tmp_path / str(count)}", f"paths.data={tmp_path}", "data.shape=[3,256,256]"]
        small = ["data.batch_size=8", "data.eval_batch_size=8", "network.hidden=[2]", "trainer.max_epochs=1"]
        process = start_verb(
            "train", "data=image_folder", *given, *small, "trainer=cpu", "callbacks=none", "test=false"
        )
        peaks[count] = 0
        while process.poll() is None:
            peaks[count] = max(peaks[count], anonymous(process))
            time.sleep(0.002)
        code, _, err = ended(process)
        assert code == 0, err
    (cache,) = tmp_path.glob("2200_*.safetensors")
    assert cache.stat().st_size >= 10 * ALLOWED
    assert peaks[2200] - peaks[60] < ALLOWED, {count: f"{peak / MEGABYTE:.0f} MB" for count, peak in peaks.items()}
