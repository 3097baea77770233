"""Accumulated gradients: the steps are those of the larger batch, whatever the task, its penalty and its clipping.

Of 150 samples in batches of 16, four to a step, an epoch makes steps of 64, 64 and 22: the last has one batch of 16
and one of 6. The larger batch, 64, makes the same. No network here has batch norm, whose statistics are of a batch.
"""

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from atelier.compose.build import build_data, build_task, build_trainer
from atelier.runs.terminal import quieten_lightning

Compose = Callable[..., DictConfig]
Run = Callable[..., Any]
TASKS = {
    "classifier": ["data.train_size=150", "network.hidden=[16]"],
    "clock": [
        *["data=clocks", "data.augment=false", "data.image_size=32", "data.num_images=2160", "data.train_size=150"],
        *["task=clock", "encoding=angles", "network.hidden=[16]", "network.num_classes=4"],
    ],
    "pairs": [
        *["data=digit_pairs_digits", "data.augment=false", "data.train_pairs=150", "task=pairs"],
        *["network.hidden=[16]", "network.num_classes=22"],  # 2 of the comparison, 10 of each digit
    ],
    "sequence": ["data=palindromes", "data.length=6", "data.epoch_size=150", "task=sequence", "network=gru"],
    "vae": [
        *["experiment=digits_vae", "features=pixels", "data.train_size=150", "encoder.hidden=[16]"],
        *["decoder.hidden=[16]", "task.warmup_epochs=2"],
    ],
}
SGD = ["callbacks=none", "optimizer=sgd_momentum", "optimizer.lr=0.01", "trainer.max_epochs=2"]
ACCUMULATED, LARGER = ["data.batch_size=16", "trainer.accumulate_grad_batches=4"], ["data.batch_size=64"]
WEIGHTED = ["task.class_weights=[0,1,1,1,1,1,1,1,1,9]"]
PENALTY, CLIPPED = ["penalty=l2", "penalty.strength=0.01"], ["trainer.gradient_clip_val=0.1"]


@pytest.fixture(autouse=True)
def a_vae_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its draws follow the batches, not the samples."""
    from atelier.tasks import vae

    monkeypatch.setattr(vae, "normal", lambda like, generator: torch.zeros_like(like))


@pytest.fixture
def change(compose: Compose, data_dir: Path, tmp_path: Path) -> Callable[..., Tensor]:
    """What a training changes in the weights, all of them in one row."""

    def trained(*overrides: str) -> Tensor:
        quieten_lightning()
        config = compose(*SGD, "trainer=cpu", "trainer.limit_val_batches=0", *overrides)
        config.paths.data, config.paths.run = str(data_dir), str(tmp_path)
        task = build_task(config)
        before = parameters_to_vector(task.parameters()).detach()
        build_trainer(config, task.network).fit(task, build_data(config))
        return parameters_to_vector(task.parameters()).detach() - before

    return trained


@pytest.mark.parametrize(
    ("task", "more"),
    [
        *((task, PENALTY) for task in TASKS),
        *((task, CLIPPED) for task in ("classifier", "vae")),
        ("classifier", WEIGHTED),
    ],
    ids=str,
)
def test_accumulated_batches_step_as_the_larger_batch(
    change: Callable[..., Tensor], task: str, more: list[str]
) -> None:
    larger = change(*TASKS[task], *more, *LARGER)
    accumulated = change(*TASKS[task], *more, *ACCUMULATED)
    assert larger.norm() > 1e-3
    assert (accumulated - larger).norm() < 1e-5 * larger.norm()


@pytest.mark.parametrize(("batches", "larger"), [(1, 16), (3, 48)])
def test_an_epoch_cut_short_steps_as_the_larger_batch(change: Callable[..., Tensor], batches: int, larger: int) -> None:
    accumulated = change(*TASKS["classifier"], *ACCUMULATED, f"trainer.limit_train_batches={batches}")
    whole = change(*TASKS["classifier"], f"data.batch_size={larger}", "trainer.limit_train_batches=1")
    assert (accumulated - whole).norm() < 1e-5 * whole.norm()


def test_accumulated_batches_step_as_the_larger_batch_in_bf16(change: Callable[..., Tensor]) -> None:
    """Products have 8 bits there: the steps differ by under a hundredth; with a part of the last one, by a fifth."""
    precision = ["trainer.precision=bf16-mixed", *TASKS["classifier"]]
    larger = change(*precision, *LARGER)
    assert (change(*precision, *ACCUMULATED) - larger).norm() < 0.02 * larger.norm()


@pytest.mark.slow
def test_accumulated_batches_of_two_processes_step_as_the_larger_batch(run_verb: Run, run_process: Run) -> None:
    setting = [*TASKS["classifier"], *SGD, "test=false"]
    shared = ["trainer=ddp_cpu", "data.batch_size=8", "trainer.accumulate_grad_batches=4"]
    runs = [run_verb("train", *setting, "trainer=cpu", *LARGER), run_process("train", *setting, *shared)]
    larger, accumulated = (
        torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in runs
    )
    for name, weight in larger.items():
        torch.testing.assert_close(accumulated[name], weight)


# ---------------------------------------------------------------------- runs that stop in between, or count steps

RUN = [*TASKS["classifier"], *SGD, *ACCUMULATED, "trainer=cpu", "network.dropout=0.3", "save_every=0"]


@pytest.fixture(scope="module")
def whole(run_verb: Run) -> str:
    """metrics.csv of a run that nothing stopped."""
    return run_verb("train", *RUN).metrics


@pytest.mark.parametrize("batch", [2, pytest.param(5, marks=pytest.mark.slow), 8])
def test_a_run_stopped_between_two_steps_resumes_to_the_same_metrics(run_verb: Run, whole: str, batch: int) -> None:
    stopped = stopped_after(batch, run_verb, *RUN)
    assert stopped.code == 128 + signal.SIGTERM
    assert run_verb("train", f"resume={stopped.folder}").code == 0
    assert stopped.metrics == whole


def stopped_after(batch: int, run_verb: Run, *overrides: str) -> Any:
    """A run that is sent a signal in a training batch."""
    from atelier.tasks.classifier import Classifier

    original, left = Classifier.training_step, [batch]

    def step(task: Any, *args: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(task, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", step)
        return run_verb("train", *overrides)


@pytest.mark.parametrize("batch", [2, 12], ids=["first epoch", "second epoch"])
def test_a_run_does_not_go_on_between_two_steps(run_verb: Run, batch: int) -> None:
    stopped = stopped_after(batch, run_verb, *RUN)
    resumed = run_verb("train", f"resume={stopped.folder}", "trainer.accumulate_grad_batches=3")
    assert resumed.code == 2
    assert resumed.err == (
        "trainer.accumulate_grad_batches=3: the run goes on after 4 batches of an epoch; give a divisor of 4\n"
    )
    resized = run_verb("train", f"resume={stopped.folder}", "data.batch_size=8")
    assert resized.code == 2
    assert resized.err.startswith("data.batch_size=8: it was 16 in the 4 batches of epoch ")


STEPS = ["trainer=cpu", "trainer.max_epochs=-1", "trainer.max_steps=15", "trainer.check_val_every_n_epoch=null"]
COUNTING = ["data=palindromes", "data.length=5", "data.epoch_size=320", "task=sequence", "network=gru", *STEPS]


def test_a_run_that_counts_steps_validates_after_steps_not_batches(run_verb: Run) -> None:
    counting = [*COUNTING, "network.hidden=8", "trainer.val_check_interval=5", "callbacks=none", "data.eval_size=50"]
    larger = run_verb("train", *counting, "data.batch_size=32")
    accumulated = run_verb("train", *counting, "data.batch_size=16", "trainer.accumulate_grad_batches=2")
    rows, expected = (list(csv.DictReader(run.metrics.splitlines())) for run in (accumulated, larger))
    assert [row["step"] for row in rows if row["val/loss"]] == ["4", "9", "14"]
    for row, wanted in zip(rows, expected, strict=True):
        assert {k: float(v) for k, v in row.items() if v} == pytest.approx(
            {k: float(v) for k, v in wanted.items() if v}, rel=1e-4
        )


def test_training_is_logged_once_a_step_however_many_batches_it_has(compose: Compose) -> None:
    """Also where the run goes on after a step that was logged."""
    task, logged = build_task(compose("network.hidden=[4]")), []
    settings = {"log_every_n_steps": 2, "check_val_every_n_epoch": None, "accumulate_grad_batches": 1}
    task._trainer = SimpleNamespace(global_step=4, **settings)
    task.log_training = lambda: logged.append(task.trainer.global_step)
    task.on_train_start()
    for step in (4, 5, 5, 6, 6, 7, 7, 8):
        task.trainer.global_step = step
        task.on_train_batch_end(None, None, 0)
    assert logged == [6, 8]


def test_steps_that_epochs_would_cut_are_refused_where_a_run_counts_them(run_verb: Run) -> None:
    every = ["trainer.val_check_interval=5", "data.batch_size=16", "trainer.accumulate_grad_batches=3"]
    outcome = run_verb("train", *COUNTING, *every)
    assert outcome.code == 2
    assert outcome.err == (
        "trainer.accumulate_grad_batches=3: a run that counts steps needs a divisor of the 20 batches of an epoch;"
        " or set data.batch_size\n"
    )


def test_no_batches_for_a_step_are_refused(run_verb: Run) -> None:
    outcome = run_verb("train", "trainer.accumulate_grad_batches=0")
    assert (outcome.code, outcome.err) == (
        2,
        "trainer.accumulate_grad_batches=0: Trainer takes a whole number of 1 or more\n",
    )


def test_the_sizes_of_an_epochs_batches_are_worked_out_once_a_run(
    change: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    from atelier.data.loader import ResumableLoader

    asked: list[int] = []
    original = ResumableLoader.sizes

    def sizes(loader: ResumableLoader) -> list[int]:
        asked.append(len(loader))
        return original(loader)

    monkeypatch.setattr(ResumableLoader, "sizes", sizes)
    change(*TASKS["classifier"], *ACCUMULATED)
    assert asked == [10], "two epochs of ten batches"
