"""A run that was killed or stopped, and resumed, ends with the numbers of one that never was.

What could differ is random: the run has dropout, augmentation and shuffling. Whoever resumes may be another process, so
the killed ones are processes of their own; the resuming happens here. Here are the ways from the command line and back;
`test_keeper.py` stops a toy task after each of its steps.
"""

import csv
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.errors import InputError
from atelier.runs.keeper import Keeper

Run = Callable[..., Any]
EPOCHS, STEPS = 3, 9  # of an epoch of the bundled digits in batches of 128
SMALL = ["network.hidden=[16]", "trainer=cpu", "trainer.max_epochs=2", "optimizer=adamw", "scheduler=one_cycle"]
RANDOM = [
    *("network.dropout=0.3", "data.augment=true", "data.batch_size=128"),
    *("save_every=0", f"trainer.max_epochs={EPOCHS}", "callbacks=none"),
]
SHORT = ["callbacks=none", "trainer.limit_train_batches=5"]
SETTINGS = {
    "adamw one_cycle": [],
    "sgd_momentum plateau": ["optimizer=sgd_momentum", "scheduler=plateau", "scheduler.scheduler.patience=0"],
    "adam exponential": ["optimizer=adam", "scheduler=exponential", "scheduler.scheduler.gamma=0.3"],
}


@pytest.fixture(scope="module")
def whole(run_verb: Run) -> Callable[[str], str]:
    """metrics.csv of the run of a setting that nothing stopped."""
    known: dict[str, str] = {}

    def metrics(setting: str = "adamw one_cycle") -> str:
        if setting not in known:
            known[setting] = run_verb("train", *SMALL, *RANDOM, *SETTINGS[setting]).metrics
        return known[setting]

    return metrics


def validations(folder: Path) -> int:
    """How many epochs of the run are validated."""
    file = folder / "metrics.csv"
    rows = csv.DictReader(file.read_text().splitlines()) if file.exists() else []
    return sum(bool(row.get("val/loss")) for row in rows)


def seconds(folder: Path) -> float:
    """How long the run has trained."""
    return float(json.loads((folder / "run.json").read_text())["seconds"]["fit"])


@pytest.fixture
def caught(start_verb: Run, hold: Any, wait_until: Run, tmp_path: Path) -> Run:
    """`caught(40, "adamw one_cycle")`: the process of a run, and its folder, that waits after so many steps."""

    def start(place: int | str, setting: str = "adamw one_cycle", **options: Any) -> tuple[Any, Path]:
        folder, held = tmp_path / "run", f"run@{place}"
        overrides = [*SMALL, *RANDOM, *SETTINGS[setting], f"paths.run={folder}"]
        process = start_verb("train", *overrides, environment=hold.at(held), **options)
        wait_until(lambda: hold.reached(held), process)
        return process, folder

    return start


@pytest.mark.parametrize(
    ("place", "setting"),
    [
        pytest.param("start", "adamw one_cycle", marks=pytest.mark.slow),  # nothing is saved yet
        (STEPS - 2, "adamw one_cycle"),
        pytest.param(STEPS, "sgd_momentum plateau", marks=pytest.mark.slow),
        pytest.param(2 * STEPS + 5, "adamw one_cycle", marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_resumes_to_the_same_metrics(
    caught: Run, run_verb: Run, whole: Callable[[str], str], place: int | str, setting: str
) -> None:
    process, folder = caught(place, setting)
    assert (folder / "checkpoints" / "last.ckpt").exists() is (place != "start")
    assert validations(folder) == (0 if isinstance(place, str) else place // STEPS)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    before = seconds(folder)
    assert (before > 0) is (place != "start"), "the time until last.ckpt"
    resumed = run_verb("train", f"resume={folder}")
    assert resumed.code == 0, resumed.err
    assert (folder / "metrics.csv").read_text() == whole(setting)
    assert seconds(folder) > before
    assert '"status": "completed"' in (folder / "run.json").read_text()


@pytest.mark.parametrize(
    ("number", "python"),
    [(signal.SIGINT, None), *(pytest.param(n, (), marks=pytest.mark.slow) for n in (signal.SIGINT, signal.SIGTERM))],
    ids=["SIGINT", "SIGINT of an interpreter", "SIGTERM of an interpreter"],
)
def test_a_stopped_run_saves_says_how_to_go_on_and_resumes_to_the_same_metrics(
    caught: Run, ended: Run, run_verb: Run, whole: Callable[[], str], number: signal.Signals, python: Any
) -> None:
    process, folder = caught(STEPS + 5, python=python)
    process.send_signal(number)
    code, _, err = ended(process)
    assert code == 128 + number
    assert "Traceback" not in err
    (command,) = re.findall(r"python (src/train\.py resume=\S+)", err)
    assert command == f"src/train.py resume={folder}"
    assert '"status": "interrupted"' in (folder / "run.json").read_text()
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == STEPS + 6, "the step in which it was stopped is finished"
    assert validations(folder) == 1
    resumed = run_verb("train", f"resume={folder}")
    assert resumed.code == 0, resumed.err
    assert (folder / "metrics.csv").read_text() == whole()


# ---------------------------------------------------------------------- stops at an exact place, in this process


class Stop:
    """Sends this process a signal after so many training steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, steps: int, number: int = signal.SIGTERM) -> None:
        from atelier.tasks.classifier import Classifier

        original, left = Classifier.training_step, [steps]

        def step(task: Any, *args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), number)
            return original(task, *args, **kwargs)

        monkeypatch.setattr(Classifier, "training_step", step)


@pytest.mark.parametrize(
    ("steps", "setting"),
    [
        (EPOCHS * STEPS, "adamw one_cycle"),
        *(pytest.param(20, setting, marks=pytest.mark.slow) for setting in list(SETTINGS)[1:]),
        *(pytest.param(steps, "adamw one_cycle", marks=pytest.mark.slow) for steps in (1, STEPS)),
    ],
)
def test_a_run_stopped_in_its_last_step_or_any_other_resumes_to_the_same_metrics(
    run_verb: Run, whole: Callable[[str], str], steps: int, setting: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch, steps)
        stopped = run_verb("train", *SMALL, *RANDOM, *SETTINGS[setting])
    assert stopped.code == 128 + signal.SIGTERM
    assert stopped.manifest["status"] == "interrupted"
    assert run_verb("train", f"resume={stopped.folder}").code == 0
    assert stopped.metrics == whole(setting)
    assert stopped.manifest["status"] == "completed"
    assert stopped.manifest["error"] is None
    assert stopped.manifest["epochs"] == EPOCHS


@pytest.mark.slow
def test_a_run_can_be_stopped_many_times(run_verb: Run, whole: Callable[[], str]) -> None:
    overrides, times, logs = [*SMALL, *RANDOM], 0, None
    while True:
        with pytest.MonkeyPatch.context() as patch:
            Stop(patch, 10)
            run = run_verb("train", *overrides, logs=logs)
        overrides, logs = ["resume=latest"], run.logs
        if run.code == 0:
            break
        times += 1
        assert times < 10
    assert times == 2
    assert run.metrics == whole()


def test_resuming_the_latest_run_goes_on_with_it_and_with_its_log(run_verb: Run, whole: Callable[[], str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Stop(patch, 20)
        stopped = run_verb("train", *SMALL, *RANDOM)
    resumed = run_verb("train", "resume=latest", logs=stopped.logs)
    assert resumed.folder == stopped.folder
    assert resumed.metrics == whole()
    log = (stopped.folder / "run.log").read_text()
    assert "Interrupted. Go on with: " in log
    assert log.rstrip().endswith(resumed.out.strip())


def test_a_finished_run_goes_on_when_it_is_given_more_epochs(run_verb: Run) -> None:
    """With a constant learning rate, two epochs and one more are three."""
    constant = [*SMALL, *SHORT, "network.dropout=0.3", "scheduler=constant", "test=false"]
    run = run_verb("train", *constant)
    took = run.manifest["seconds"]["fit"]
    assert run_verb("train", f"resume={run.folder}", "trainer.max_epochs=3").code == 0
    assert run.manifest["epochs"] == 3
    assert run.manifest["seconds"]["fit"] > took, "that of all epochs"
    assert run.metrics == run_verb("train", *constant, "trainer.max_epochs=3").metrics


def test_a_setting_changed_on_resuming_takes_effect(run_verb: Run) -> None:
    """Everything that a task is given stands twice in a resolved configuration: both have to change."""
    run = run_verb("train", *SMALL, "callbacks=none", "scheduler=constant")
    before = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    changed = ["trainer.max_epochs=3", "penalty=l2", "penalty.strength=100.0"]
    assert run_verb("train", f"resume={run.folder}", *changed).code == 0
    after = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)
    weights = [
        sum(float(t.square().sum()) for name, t in content["state_dict"].items() if name.endswith("weight"))
        for content in (before, after)
    ]
    assert after["config"]["task"]["penalty"] == after["config"]["penalty"]
    assert after["config"]["penalty"]["strength"] == 100
    assert weights[1] < 0.9 * weights[0], "so strong a penalty shrinks the weights"


def test_resuming_a_finished_run_changes_no_number_until_it_is_given_more_epochs(run_verb: Run) -> None:
    """The default schedule, one_cycle, was made for so many steps; more must not end in torch's complaint."""
    run = run_verb("train", *SMALL, *SHORT)
    metrics, objective, test = run.metrics, run.manifest["objective"], run.manifest["test"]
    assert run_verb("train", f"resume={run.folder}/checkpoints/last.ckpt").code == 0
    assert run.metrics == metrics
    assert (run.manifest["objective"], run.manifest["test"]) == (objective, test)
    assert run_verb("train", f"resume={run.folder}", "trainer.max_epochs=3").code == 0
    assert (run.manifest["epochs"], run.manifest["steps"]) == (3, 15)


ONE = [*SMALL, *SHORT, "trainer.max_epochs=1", "save_every=0"]


@pytest.fixture(scope="module")
def whole_epoch(run_verb: Run) -> dict[str, Any]:
    """run.json of a run of one epoch that nothing stopped."""
    return run_verb("train", *ONE).manifest


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_run_that_ends_with_any_of_its_checkpoints_has_the_same_results(
    run_verb: Run, whole_epoch: dict[str, Any], monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    """The checkpoint of the last epoch's start, the best one, and that of the end of the training."""
    save, done = Keeper.save, list[Path]()

    def end_after(self: Keeper, trainer: Any, path: Path) -> None:
        save(self, trainer, path)
        done.append(path)
        if len(done) == saves:
            raise InputError("the machine ends")

    monkeypatch.setattr(Keeper, "save", end_after)
    ended = run_verb("train", *ONE)
    assert (ended.manifest["status"], len(done)) == ("failed", saves)
    assert run_verb("train", f"resume={ended.folder}").code == 0
    for key in ("status", "objective", "epochs", "steps", "test"):
        assert ended.manifest[key] == whole_epoch[key]


def test_a_second_interruption_ends_it_at_once(run_verb: Run) -> None:
    from atelier.tasks.classifier import Classifier

    original = Classifier.training_step

    def step(task: Any, *args: Any, **kwargs: Any) -> Any:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        return original(task, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", step)
        stopped = run_verb("train", *SMALL, *RANDOM)
    assert stopped.code == 130
    assert stopped.manifest["status"] == "interrupted"
    assert stopped.manifest["steps"] == 0
