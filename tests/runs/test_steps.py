"""Runs that count steps: where they validate and what they log, say and draw; and that they resume to equal numbers."""

import csv
import itertools
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError

Run = Callable[..., Any]
COUNTING = [
    "trainer=cpu",
    "trainer.max_epochs=-1",
    "trainer.max_steps=45",
    "trainer.check_val_every_n_epoch=null",
    "trainer.val_check_interval=10",
    "save_every=0",
    "callbacks=none",
]
# What could differ is random: shuffling and dropout in the one, an endless stream in the other. An epoch of the first
# has 36 steps, one of the second 20; a validation follows every 10, whichever epoch it is.
SETTINGS = {
    "digits": ["network.dropout=0.3", "network.hidden=[16]", "scheduler=one_cycle"],
    "palindromes": [
        *["data=palindromes", "data.length=5", "data.batch_size=16", "data.epoch_size=320", "data.eval_size=50"],
        *["network=gru", "network.hidden=8", "task=sequence", "trainer.gradient_clip_val=1.0", "scheduler=exponential"],
    ],
}


@pytest.fixture(scope="module")
def whole(run_verb: Run) -> Callable[[str], Any]:
    """The run of a setting that nothing stopped."""
    known: dict[str, Any] = {}

    def run(setting: str) -> Any:
        if setting not in known:
            known[setting] = run_verb("train", *COUNTING, *SETTINGS[setting])
            assert known[setting].code == 0, known[setting].err
        return known[setting]

    return run


def rows(outcome: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(outcome.metrics.splitlines()))


@pytest.mark.parametrize("setting", SETTINGS)
def test_training_and_validation_are_logged_together_every_n_steps(whole: Run, setting: str) -> None:
    trained = [row for row in rows(whole(setting)) if row["train/loss"] or row["val/loss"]]
    assert [(row["step"], row["val/loss"] != "") for row in trained if row["train/loss"]] == [
        (str(step), True) for step in (9, 19, 29, 39)
    ]


@pytest.mark.parametrize(
    ("every", "windows"),
    [
        (0, [10, 20, 30, 40]),  # with each validation alone
        (5, [5, 10, 15, 20, 25, 30, 35, 40, 45]),
        (8, [8, 10, 16, 20, 24, 30, 32, 40]),  # and with each validation, where that comes in between
    ],
)
def test_the_training_metrics_are_those_since_they_were_last_logged(
    every: int, windows: list[int], run_verb: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atelier.tasks.sequence import SequencePredictor

    losses, original = [], SequencePredictor.training_step

    def step(task: Any, *args: Any) -> Any:
        loss = original(task, *args)
        losses.append(loss.item())
        return loss

    monkeypatch.setattr(SequencePredictor, "training_step", step)
    outcome = run_verb("train", *COUNTING, *SETTINGS["palindromes"], f"trainer.log_every_n_steps={every}")
    logged = {int(row["step"]) + 1: float(row["train/loss"]) for row in rows(outcome) if row["train/loss"]}
    means = [sum(losses[start:end]) / (end - start) for start, end in itertools.pairwise([0, *windows])]
    assert list(logged) == windows
    assert list(logged.values()) == pytest.approx(means, rel=1e-5)
    assert [int(row["step"]) + 1 for row in rows(outcome) if row["val/loss"]] == [10, 20, 30, 40]


def test_the_manifest_counts_steps(whole: Run) -> None:
    outcome = whole("palindromes")
    losses = {int(row["step"]) + 1: float(row["val/accuracy"]) for row in rows(outcome) if row["val/accuracy"]}
    objective = outcome.manifest["objective"]
    assert (outcome.manifest["counts"], outcome.manifest["steps"]) == ("steps", 45)
    assert objective["best"] == pytest.approx(max(losses.values()))
    assert objective["best_step"] == min(step for step, value in losses.items() if value == max(losses.values()))
    assert re.search(rf"best val/accuracy .* step {objective['best_step']} *\n", outcome.out)
    trained = {int(row["step"]) + 1: float(row["train/accuracy"]) for row in rows(outcome) if row["train/accuracy"]}
    assert objective["validation_gap"] == pytest.approx(trained[objective["best_step"]] - objective["best"])


def test_a_run_of_epochs_says_so(run_verb: Run) -> None:
    outcome = run_verb("train", "trainer=cpu", "trainer.max_epochs=1", "network.hidden=[8]", "callbacks=none")
    assert outcome.manifest["counts"] == "epochs"
    assert "epoch 1/1  train/accuracy" in outcome.out


def test_the_terminal_is_told_of_steps(whole: Run) -> None:
    lines = [line for line in whole("digits").out.splitlines() if line.startswith(("step", "epoch"))]
    assert lines[-1].startswith("step 45/45  train/accuracy")
    assert not [line for line in lines if line.startswith("epoch")]


def test_the_curves_are_drawn_over_steps(run_verb: Run) -> None:
    from atelier.figures.curves import series_by_metric

    drawn = ["callbacks=default", "trainer.max_steps=20"]
    counting = [one for one in COUNTING if one.partition("=")[0] not in ("callbacks", "trainer.max_steps")]
    outcome = run_verb("train", *counting, *SETTINGS["palindromes"], *drawn)
    assert outcome.code == 0, outcome.err
    assert (outcome.folder / "figures" / "curves.png").is_file()
    series = series_by_metric(outcome.folder / "metrics.csv", "step")
    assert series["loss"]["train"][0] == series["loss"]["val"][0] == [10, 20]
    assert set(series) == {"loss", "accuracy", "gradient_norm"}


# ---------------------------------------------------------------------- resuming


def stop_after(patch: pytest.MonkeyPatch, steps: int) -> None:
    """Have this process sent SIGTERM in the training step of this number."""
    in_step(patch, steps, lambda: os.kill(os.getpid(), signal.SIGTERM))


def fail_after(patch: pytest.MonkeyPatch, steps: int) -> None:
    def fail() -> None:
        raise InputError("the machine ends")

    in_step(patch, steps, fail)


def in_step(patch: pytest.MonkeyPatch, steps: int, act: Callable[[], None]) -> None:
    from atelier.tasks.classifier import Classifier
    from atelier.tasks.sequence import SequencePredictor

    left = [steps]
    for task_class in (Classifier, SequencePredictor):

        def step(task: Any, *args: Any, original: Any = task_class.training_step, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                act()
            return original(task, *args, **kwargs)

        patch.setattr(task_class, "training_step", step)


@pytest.mark.parametrize(
    ("setting", "steps"),
    [("palindromes", 20)]
    + [pytest.param("palindromes", steps, marks=pytest.mark.slow) for steps in (1, 10, 11, 19, 40, 45)]
    + [pytest.param("digits", steps, marks=pytest.mark.slow) for steps in (30, 36, 37)],
)
def test_a_run_stopped_after_any_step_resumes_to_the_same_metrics(
    run_verb: Run, whole: Run, setting: str, steps: int
) -> None:
    """Where an interval and an epoch end at once; within both, below. tests/runs/test_keeper.py stops everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, steps)
        stopped = run_verb("train", *COUNTING, *SETTINGS[setting])
    assert stopped.code == 128 + signal.SIGTERM
    resumed = run_verb("train", f"resume={stopped.folder}")
    assert resumed.code == 0, resumed.err
    assert stopped.metrics == whole(setting).metrics
    for key in ("status", "steps", "objective", "test"):
        assert stopped.manifest[key] == whole(setting).manifest[key], key


OFTEN = [
    (5, 15),  # in a step that logs
    pytest.param(5, 20, marks=pytest.mark.slow),  # and validates
    pytest.param(5, 17, marks=pytest.mark.slow),
    pytest.param(1, 12, marks=pytest.mark.slow),
    pytest.param(2, 40, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("every", "steps"), OFTEN)
def test_a_run_that_logs_between_validations_resumes_to_the_same_rows(run_verb: Run, every: int, steps: int) -> None:
    overrides = [*COUNTING, *SETTINGS["palindromes"], f"trainer.log_every_n_steps={every}"]
    left_alone = run_verb("train", *overrides)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, steps)
        stopped = run_verb("train", *overrides)
    assert stopped.code == 128 + signal.SIGTERM
    assert run_verb("train", f"resume={stopped.folder}").code == 0
    assert stopped.metrics == left_alone.metrics


def test_a_run_that_logs_each_step_counts_no_batch_twice_after_a_crash(run_verb: Run) -> None:
    """Its last checkpoint is of the step after a validation, whose row is in metrics.csv already."""
    overrides = [*COUNTING, *SETTINGS["palindromes"], "trainer.log_every_n_steps=1", "trainer.max_steps=25"]
    left_alone = run_verb("train", *overrides)
    with pytest.MonkeyPatch.context() as patch:
        fail_after(patch, 14)
        failed = run_verb("train", *overrides)
    assert failed.manifest["status"] == "failed"
    assert run_verb("train", f"resume={failed.folder}").code == 0
    assert failed.metrics == left_alone.metrics


def test_a_run_can_be_stopped_again_at_once(run_verb: Run, whole: Run) -> None:
    """What the metrics held when it was first stopped is kept by the second stop, before anything is added to it."""
    overrides, logs = [*COUNTING, *SETTINGS["palindromes"]], None
    for steps in (13, 1, 1, 5, 100):
        with pytest.MonkeyPatch.context() as patch:
            stop_after(patch, steps)
            run = run_verb("train", *overrides, logs=logs)
        overrides, logs = ["resume=latest"], run.logs
    assert run.code == 0, run.err
    assert run.metrics == whole("palindromes").metrics


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_killed_run_resumes_to_the_same_metrics(
    start_verb: Run, hold: Any, wait_until: Run, run_verb: Run, whole: Run, tmp_path: Path, setting: str
) -> None:
    folder = tmp_path / "run"
    overrides = [*COUNTING, *SETTINGS[setting], f"paths.run={folder}"]
    process = start_verb("train", *overrides, environment=hold.at("run@25"))
    wait_until(lambda: hold.reached("run@25"), process)
    logged = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
    assert [row["step"] for row in logged if row["val/loss"]] == ["9", "19"]
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert run_verb("train", f"resume={folder}").code == 0
    assert (folder / "metrics.csv").read_text() == whole(setting).metrics
    assert json.loads((folder / "run.json").read_text())["status"] == "completed"


def test_resuming_a_finished_run_changes_no_number(run_verb: Run) -> None:
    run = run_verb("train", *COUNTING, *SETTINGS["palindromes"])
    metrics, test = run.metrics, run.manifest["test"]
    assert run_verb("train", f"resume={run.folder}").code == 0
    assert (run.metrics, run.manifest["test"]) == (metrics, test)


@pytest.mark.parametrize("first", [20, 25])
def test_a_finished_run_goes_on_when_it_is_given_more_steps(run_verb: Run, first: int) -> None:
    """At its end it has no validation to make up for; it is at the end of an epoch, or in the middle of one and of an
    interval."""
    constant = [*SETTINGS["palindromes"], "scheduler=constant", "test=false"]
    run = run_verb("train", *COUNTING, *constant, f"trainer.max_steps={first}")
    assert run.manifest["epochs"] == first // 20
    resumed = run_verb("train", f"resume={run.folder}", "trainer.max_steps=45")
    assert resumed.code == 0, resumed.err
    assert (run.manifest["steps"], run.manifest["epochs"]) == (45, 2)
    assert run.metrics == run_verb("train", *COUNTING, *constant).metrics


def test_a_run_of_steps_is_told_how_many_lie_between_validations(run_verb: Run) -> None:
    outcome = run_verb("train", "trainer.check_val_every_n_epoch=null")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("trainer.val_check_interval=1.0: a run that counts steps")


def test_a_schedule_that_waits_for_a_plateau_of_epochs_is_refused(run_verb: Run) -> None:
    outcome = run_verb("train", *COUNTING, *SETTINGS["digits"][:2], "scheduler=plateau")
    assert outcome.code == 2
    assert outcome.err.startswith("scheduler=plateau counts epochs")


@pytest.mark.slow
def test_two_processes_count_steps_and_go_on_in_the_middle_of_an_interval(run_process: Run) -> None:
    """Equal but for rounding: the first process goes on with the sums of both."""
    settings = [*COUNTING[1:], *SETTINGS["palindromes"], "trainer=ddp_cpu", "scheduler=constant"]
    begun = run_process("train", *settings, "trainer.max_steps=25")
    assert (begun.code, begun.err) == (0, "")
    resumed = run_process("train", f"resume={begun.folder}", "trainer.max_steps=45")
    assert (resumed.code, resumed.err) == (0, "")
    whole = run_process("train", *settings)
    for row, expected in zip(rows(begun), rows(whole), strict=True):
        assert row["step"] == expected["step"]
        for name, value in expected.items():
            assert bool(row[name]) == bool(value), name
            assert not value or float(row[name]) == pytest.approx(float(value), rel=1e-5), name
