"""metrics.csv loses nothing: appended, widened, read again after a crash."""

from pathlib import Path

import pytest

from atelier.runs.metrics import MetricsFile
from atelier.runs.rows import read_metrics, read_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.csv"
    metrics = MetricsFile(file)
    for step in range(3):
        metrics.log_metrics({"train/loss": step / 10, "epoch": step}, step)
    return file


def test_what_is_logged_is_read(path: Path) -> None:
    assert read_metrics(path) == [{"epoch": step, "step": step, "train/loss": step / 10} for step in range(3)]


def test_rows_are_appended_without_writing_the_file_anew(path: Path) -> None:
    before, place = path.read_bytes(), path.stat().st_ino
    metrics = MetricsFile(path)
    metrics.log_metrics({"train/loss": 0.5, "epoch": 3}, 3)
    assert path.stat().st_ino == place
    assert path.read_bytes().startswith(before)


def test_each_row_is_on_disk_at_once(path: Path) -> None:
    metrics = MetricsFile(path)
    for count in (4, 5, 6):
        metrics.log_metrics({"train/loss": 0.5, "epoch": 3}, count)
        assert len(read_metrics(path)) == count


def test_a_second_logger_in_the_same_folder_keeps_the_rows(path: Path) -> None:
    MetricsFile(path)
    assert len(read_metrics(path)) == 3


def test_a_new_metric_adds_a_column_and_leaves_the_rows_as_they_were(path: Path) -> None:
    before = read_metrics(path)
    MetricsFile(path).log_metrics({"val/loss": 7.0, "epoch": 3}, 3)
    assert read_metrics(path) == [*before, {"epoch": 3, "step": 3, "val/loss": 7}]
    assert path.read_text().splitlines()[0] == "epoch,step,train/loss,val/loss"


def test_values_that_are_no_numbers_are_kept(path: Path) -> None:
    MetricsFile(path).log_metrics({"train/loss": float("nan"), "epoch": 3}, 3)
    MetricsFile(path).log_metrics({"train/loss": float("inf"), "epoch": 4}, 4)
    *_, nan, infinite = read_metrics(path)
    assert nan["train/loss"] != nan["train/loss"]
    assert infinite["train/loss"] == float("inf")


@pytest.mark.parametrize("cut", range(2, 7))
def test_a_last_line_that_was_cut_off_is_left_out(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    assert [row["step"] for row in read_metrics(path)] == [0, 1]


@pytest.mark.parametrize("cut", range(2, 7))
def test_logging_goes_on_after_a_line_that_was_cut_off(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut])
    MetricsFile(path).log_metrics({"train/loss": 0.2, "epoch": 2}, 2)
    assert read_metrics(path) == [{"epoch": step, "step": step, "train/loss": step / 10} for step in range(3)]


def test_a_resumed_run_forgets_the_steps_that_it_does_again(path: Path) -> None:
    metrics = MetricsFile(path)
    metrics.forget_after(2)  # steps 0 and 1 are done
    metrics.log_metrics({"train/loss": 9.0, "epoch": 2}, 2)
    assert [(row["step"], row["train/loss"]) for row in read_metrics(path)] == [(0, 0.0), (1, 0.1), (2, 9.0)]


def test_forgetting_everything_leaves_a_file_that_can_go_on(path: Path) -> None:
    MetricsFile(path).forget_after(0)
    assert read_metrics(path) == []
    MetricsFile(path).log_metrics({"train/loss": 1.0, "epoch": 0}, 0)
    assert read_metrics(path) == [{"epoch": 0, "step": 0, "train/loss": 1}]


def test_no_file_is_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "metrics.csv") == []


def test_no_other_file_is_left_in_the_folder(path: Path) -> None:
    MetricsFile(path).log_metrics({"val/loss": 7.0}, 3)
    assert list(path.parent.iterdir()) == [path]
