"""The test set over the training: the numbers of its checkpoints, and nothing else changed by it."""

import csv
import json
import random
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from atelier.callbacks.watch_test import WatchTest
from atelier.compose.build import build_data, build_task
from atelier.errors import InputError
from atelier.runs.generators import seed_generators
from atelier.tasks.gan import GAN

Run = Callable[..., Any]
SMALL = ["network.hidden=[16]", "network.dropout=0.5", "trainer=cpu"]
EPOCHS = [*SMALL, "trainer.max_epochs=3"]
STEPS = [
    *(*SMALL, "trainer.max_steps=20", "trainer.max_epochs=-1"),
    *("trainer.val_check_interval=10", "trainer.check_val_every_n_epoch=null"),
]


def rows(outcome: Any, *splits: str) -> list[dict[str, str]]:
    """Rows of metrics.csv with values of these splits, and of nothing else."""
    kept = [
        {name: value for name, value in row.items() if value and name.split("/")[0] in ("epoch", "step", *splits)}
        for row in csv.DictReader(outcome.metrics.splitlines())
    ]
    return [row for row in kept if len(row) > 2]


@pytest.fixture(scope="module")
def watched(run_verb: Run) -> Any:
    outcome = run_verb("train", *EPOCHS, "callbacks=watch_test")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome


def test_all_other_numbers_are_those_of_a_run_that_does_not_watch(run_verb: Run, watched: Any) -> None:
    without = run_verb("train", *EPOCHS, "callbacks=none")
    assert rows(without, "train", "val") == rows(watched, "train", "val")
    for part in ("objective", "test", "config_hash"):
        assert without.manifest[part] == watched.manifest[part]


def test_a_run_that_counts_steps_watches_with_its_validations(run_verb: Run) -> None:
    outcome, without = run_verb("train", *STEPS, "callbacks=watch_test"), run_verb("train", *STEPS, "callbacks=none")
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(without, "train", "val") == rows(outcome, "train", "val")
    seen = [row for row in rows(outcome, "test") if int(row["step"]) < 20]
    assert [int(row["step"]) for row in seen] == [9, 19]


def test_at_the_best_epoch_it_is_what_testing_gives(watched: Any) -> None:
    best = watched.manifest["objective"]["best_epoch"]
    seen = {int(row["epoch"]): row for row in rows(watched, "test")}
    for name in ("loss", "accuracy"):
        assert float(seen[best][f"test/{name}"]) == pytest.approx(watched.manifest["test"][name], abs=1e-7)


def test_it_is_measured_in_every_epoch_as_the_validation_is(watched: Any) -> None:
    seen = [row for row in rows(watched, "test") if int(row["epoch"]) < 3]
    assert [int(row["epoch"]) for row in seen] == [0, 1, 2]
    assert {name for row in seen for name in row} == {"epoch", "step", "test/loss", "test/accuracy"}


def test_random_numbers_go_on_as_without_it(compose: Callable[..., DictConfig], data_dir: Path) -> None:
    """Those of a data set's own code too, whichever generator it draws from."""
    config = compose(*EPOCHS, "callbacks=none")
    config.paths.data = str(data_dir)
    task, data = build_task(config), build_data(config)
    data.setup("fit")
    draws = {"torch": lambda: torch.rand(1).item(), "numpy": np.random.rand, "python": random.random}

    def normalise(inputs: Tensor) -> Tensor:
        return inputs.float() * sum(draw() for draw in draws.values())

    data.normalise = normalise
    plugin = SimpleNamespace(val_step_context=nullcontext)
    task._trainer = SimpleNamespace(datamodule=data, precision_plugin=plugin, world_size=1)
    task.log_dict = lambda values: None
    seed_generators(0)
    expected = [draw() for draw in draws.values()]
    seed_generators(0)
    task.pass_over("val", "test/")
    assert [draw() for draw in draws.values()] == expected


@pytest.mark.slow
def test_a_sequence_is_watched_too(run_verb: Run) -> None:
    outcome = run_verb("train", "experiment=palindrome_rnn", "debug=fast", "callbacks=watch_test")
    assert outcome.code == 0, outcome.err
    assert {"test/loss", "test/accuracy"} <= {name for row in rows(outcome, "test") for name in row}


def test_nothing_is_chosen_by_the_test_set(run_verb: Run) -> None:
    outcome = run_verb("train", *EPOCHS, "callbacks=watch_test", "task.metric=test/accuracy")
    assert outcome.code == 2
    assert outcome.err == "task.metric=test/accuracy: a test metric selects no checkpoint; give a metric of val/\n"
    assert json.loads((outcome.folder / "run.json").read_text())["objective"]["best"] is None


def test_what_makes_pictures_is_refused() -> None:
    task = GAN.__new__(GAN)
    nn.Module.__init__(task)
    task.metric = "val/frechet_distance"
    with pytest.raises(InputError, match=r"callbacks\.watch_test: only for tasks that predict"):
        WatchTest().setup(SimpleNamespace(), task, "fit")  # type: ignore[arg-type]
