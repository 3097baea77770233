"""What a report says beside its table: where its numbers are doubtful, and rows that are less than they seem."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.report.notes import caption, cautions, questions
from atelier.report.write import write_report
from atelier.sweeps.aggregate import aggregate

Sweep = Callable[..., Path]
Accuracy = Callable[[dict[str, str], int], list[float]]
GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.01", "0.1"]}


def test_made_up_data_is_said(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    sweep = made_up_sweep(tmp_path / "s", {}, accuracy, config={"data": {"source": "fake"}})
    assert cautions(aggregate([sweep])) == [
        "data.source=fake in 3 runs: made-up data, so that the numbers mean nothing."
    ]
    noise = made_up_sweep(tmp_path / "n", {}, accuracy, config={"data": {"_target_": "atelier.data.x.RandomImages"}})
    assert cautions(aggregate([noise])) == ["data=random_images in 3 runs: noise, so that the numbers mean nothing."]


def test_a_full_sweep_of_sound_runs_has_nothing_to_say(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", GRID, accuracy)])
    assert cautions(results) == []
    assert caption(results) == (
        "4 settings, 12 runs; seeds 0, 1, 2. Mean ± standard deviation over seeds (number of runs)."
    )


def test_the_question_of_each_study_is_told(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    """Once, also of several sweeps of a study; and none of a sweep without."""
    study = {"study": "s", "presentation": {"question": "Which? "}}
    sweeps = [
        made_up_sweep(tmp_path / name, {}, accuracy, **about) for name, about in (("a", study), ("b", study), ("c", {}))
    ]
    assert questions(aggregate(sweeps)) == ["Which?"]


def test_doubtful_origins_are_said(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    sweep = made_up_sweep(
        tmp_path / "s",
        {},
        accuracy,
        seeds=(0, 0, 1),
        change=lambda values, seed: {"git": {"commit": f"{seed}" * 40, "dirty": seed == 1}},
    )
    told = "\n".join(cautions(aggregate([sweep])))
    assert "Seed 0 counts more than once in one setting" in told
    assert "From different commits: 0000000, 1111111." in told
    assert "The code had changes that were not committed." in told


def test_a_completed_run_without_a_value_is_said(made_up_sweep: Sweep, tmp_path: Path) -> None:
    nan = float("nan")
    sweep = made_up_sweep(tmp_path / "s", {}, lambda values, seed: [nan] if seed else [0.5])
    results = write_report([sweep])
    assert cautions(results) == ["2 completed runs without a value of val/accuracy; left out of its mean."]
    assert "incomplete: 3, 2 without a value" in (sweep / "summary.md").read_text()


LEFT_OUT = "it is left out of every mean."
OTHER = {"objective": {"metric": "val/loss", "mode": "min", "best": 0.1}}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"status": "failed"}, [f"1 of 3 runs failed; {LEFT_OUT}"]),
        ({"pruned": True}, [f"1 of 3 runs pruned, ended early since others were better; {LEFT_OUT}"]),
        ({"status": "interrupted"}, [f"1 of 3 runs interrupted; {LEFT_OUT}"]),
        ({"status": "waiting"}, ["1 of 3 runs not begun."]),
        ({"overrides": ["debug=fast"]}, ["debug=fast: a trial of the code, not a full training."]),
        ({"overrides": ["debug=null"]}, []),
        (
            OTHER,
            [
                "1 completed run without a value of val/accuracy; left out of its mean.",
                "Runs with another objective are left out: val/loss.",
            ],
        ),
    ],
    ids=str,
)
def test_a_run_that_is_no_repeat_of_the_others_is_told(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, changed: dict[str, Any], told: list[str]
) -> None:
    change = lambda values, seed: changed if seed == 1 else {}  # noqa: E731
    assert cautions(aggregate([made_up_sweep(tmp_path / "s", {}, accuracy, change=change)])) == told


def test_a_job_that_is_named_beside_its_sweep_counts_once(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    sweep = made_up_sweep(tmp_path / "s", {}, accuracy)
    for folders in ([sweep, sweep / "1"], [sweep / "1", sweep]):
        (setting,) = aggregate(folders).settings
        assert setting.objective.n == 3


# ---------------------------------------------------------------------- rows that are less than they seem


def test_a_job_that_was_trained_longer_is_told_apart(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    """The sweep's own keys have equal values in two rows then."""

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        longer = {"overrides": ["optimizer=adam", "trainer.max_epochs=3"], "config_hash": "longer"}
        return longer if (values, seed) == ({"optimizer": "adam"}, 2) else {}

    grid, config = {"optimizer": ["sgd", "adam"]}, {"trainer": {"max_epochs": 2}}
    results = aggregate([made_up_sweep(tmp_path / "s", grid, accuracy, change=change, config=config)])
    assert results.keys == ["optimizer", "trainer.max_epochs"]
    rows = [(*setting.values.values(), setting.objective.n) for setting in results.settings]
    assert rows == [("adam", "3", 1), ("adam", "2", 2), ("sgd", "2", 3)]


def test_incomplete_settings_and_rows_that_mix_machines_are_marked_in_every_table(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        if values["optimizer"] == "adam" and seed == 1:
            return {"status": "failed", "error": None, "precision": "bf16-mixed"}  # which no mean has in it
        return {"precision": "bf16-mixed"} if values["optimizer"] == "sgd" and seed == 1 else {}

    sweep = made_up_sweep(tmp_path / "s", {"optimizer": ["adam", "sgd"]}, accuracy, change=change)
    results = write_report([sweep])
    for text in (capsys.readouterr().out, (sweep / "summary.md").read_text(), (sweep / "report.html").read_text()):
        assert text.count("incomplete: 2 of 3, 1 failed") == 1
        assert text.count("Incomplete settings come after the complete ones.") == 1
        assert text.count("1 row mixes precisions: 32-true, bf16-mixed.") == 1
    assert [setting.values["optimizer"] for setting in results.settings] == ["sgd", "adam"]


@pytest.mark.parametrize(
    ("key", "values", "told"),
    [
        ("device", ["cpu (x86_64)", "NVIDIA A100"], "2 rows mix devices: NVIDIA A100, cpu (x86_64)."),
        ("threads", [1, 2], "2 rows mix threads: 1, 2."),
        ("processes", [1, 4], "2 rows mix numbers of processes: 1, 4."),
    ],
)
def test_a_row_that_mixes_machines_says_so(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, key: str, values: list[Any], told: str
) -> None:
    def change(setting: dict[str, str], seed: int) -> dict[str, Any]:
        return {key: values[seed % 2]}

    sweep = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, accuracy, change=change)
    assert caption(aggregate([sweep])).endswith(told)


def test_rows_that_differ_from_each_other_alone_mix_nothing(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    precisions = {"sgd": "32-true", "adam": "bf16-mixed"}
    change = lambda values, seed: {"precision": precisions[values["optimizer"]]}  # noqa: E731
    sweep = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, accuracy, change=change)
    assert "mix" not in caption(aggregate([sweep]))


CHANGED = {"commit": "0" * 40, "dirty": True, "change": "89abcdef"}
CODE = "versions of the code: "


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"git": {**CHANGED, "change": None}}, {"git": CHANGED}, f"{CODE}0000000, 0000000 + change 89abcde"),
        ({"git": {**CHANGED, "change": "1234567"}}, {"git": CHANGED}, f"{CODE}0000000 + change 1234567, "),
        ({"git": {"commit": "1" * 40, "dirty": False}}, {"git": CHANGED}, f"{CODE}1111111, 0000000 + "),
        ({"git": CHANGED}, {"git": {**CHANGED, "resumed": [{"commit": "2" * 40}]}}, f"{CODE}2222222, "),
        ({"data": {"checksum": "aa"}}, {"data": {"checksum": "bb"}}, "checksums of the data: aa, bb."),
        ({"versions": {"lock": "cc"}}, {"versions": {"lock": "dd"}}, "versions of requirements.lock: cc, dd."),
        ({"versions": {"torch": "2.9"}}, {"versions": {"torch": "2.15"}}, "versions of torch: 2.9, 2.15."),
        ({}, {"resumed": [{"versions": {"torch": "3.0.0"}}, 5]}, "versions of torch: 3.0.0, 2.15.0."),
        ({"device": "a"}, {"device": "a", "resumed": [{"device": "bb"}]}, "devices: a, bb."),
    ],
    ids=str,
)
def test_a_row_that_mixes_code_data_or_packages_says_so(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, first: dict[str, Any], second: dict[str, Any], told: str
) -> None:
    change = lambda values, seed: second if seed == 1 else first  # noqa: E731
    sweep = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd"]}, accuracy, change=change)
    assert f"1 row mixes {told}" in caption(aggregate([sweep]))


@pytest.mark.parametrize(
    "other",
    [
        {"git": {**CHANGED, "dirty": False, "change": None}},  # a file that is no code
        {"git": {"commit": None, "dirty": None, "change": None}, "data": None, "versions": {}},  # of an earlier version
    ],
    ids=str,
)
def test_what_is_equal_or_not_known_mixes_nothing(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, other: dict[str, Any]
) -> None:
    known = {"git": {**CHANGED, "change": None}, "data": {"checksum": "aa"}, "versions": {"lock": "cc"}}
    change = lambda values, seed: {**known, **other} if seed == 1 else known  # noqa: E731
    sweep = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd"]}, accuracy, change=change)
    assert "mix" not in caption(aggregate([sweep]))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"37": {"optimizer.lr": [0.0003, 0.5], "trainer.max_epochs": [1, 2]}}, ["optimizer.lr"]),
        ({"37": {"optimizer.lr": [0.1, 0.5]}, "73": {"penalty.strength": [0, 1]}}, ["optimizer.lr, penalty.strength"]),
        ({"37": {"trainer.max_epochs": [1, 2]}, "73": {"trainer.max_steps": [1, 2]}}, []),
    ],
    ids=str,
)
def test_a_run_that_was_changed_on_its_way_is_told(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, changes: dict[str, Any], told: list[str]
) -> None:
    change = lambda values, seed: {"changes": changes} if seed == 1 else {}  # noqa: E731
    sweep = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd"]}, accuracy, change=change)
    assert cautions(aggregate([sweep])) == [
        f"1 run resumed with another value of {keys}: no repeat of a run that always had it." for keys in told
    ]
