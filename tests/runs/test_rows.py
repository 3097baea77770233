"""Curves out of metrics.csv: what was logged over the training, and not what a checkpoint was tested with."""

from pathlib import Path

import pytest

from atelier.errors import InputError
from atelier.runs.rows import read_curves

HEAD = "epoch,step,train/loss,val/loss,test/loss\n"
WATCHED = "0,9,2.0,1.5,1.75\n1,19,1.0,1.25,1.5\n"
TESTED = "2,20,,,1.5\n"  # Lightning counts the epoch after the last, and the steps that were done


def curves(folder: Path, text: str, unit: str) -> dict[str, dict[int, float]]:
    file = folder / "metrics.csv"
    file.write_text(HEAD + text)
    return read_curves(file, unit)


@pytest.mark.parametrize(("unit", "places"), [("epoch", (0, 1)), ("step", (9, 19))])
def test_the_test_set_over_the_training_is_a_curve(tmp_path: Path, unit: str, places: tuple[int, int]) -> None:
    found = curves(tmp_path, WATCHED + TESTED, unit)
    assert {name: tuple(curve) for name, curve in found.items()} == dict.fromkeys(HEAD.strip().split(",")[2:], places)
    assert list(found["test/loss"].values()) == [1.75, 1.5]


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_a_checkpoint_that_was_tested_is_no_curve(tmp_path: Path, unit: str) -> None:
    assert curves(tmp_path, "0,9,2.0,1.5,\n1,19,1.0,1.25,\n" + TESTED, unit).keys() == {"train/loss", "val/loss"}


@pytest.mark.parametrize(
    "text", ["0,9,2.0\n0,9,one,1.5,\n", "0,9,2.0,1.5,1.75,3,4\n", "0;9;2,0;1,5;\n", b"\xff\xfe\n"], ids=repr
)
def test_a_file_that_another_program_has_changed_is_told(tmp_path: Path, text: str | bytes) -> None:
    """A spreadsheet writes commas for points, and semicolons between."""
    file = tmp_path / "metrics.csv"
    file.write_bytes(HEAD.encode() + (text if isinstance(text, bytes) else text.encode()))
    with pytest.raises(InputError, match=f"^{file} is damaged: .*; without the file, the run has no curves$"):
        read_curves(file, "epoch")


def test_a_run_that_only_tested_has_no_curves(tmp_path: Path) -> None:
    assert curves(tmp_path, "0,0,,,1.5\n", "epoch") == {}
