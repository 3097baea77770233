"""Comparing two digits: the losses and accuracies, what is kept, and what a user is told."""

import csv
import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from atelier.compose.targets import build
from atelier.tasks.pairs import PairComparer

Compose = Callable[..., DictConfig]
Run = Callable[..., Any]
SMALL = ["experiment=pairs", "data=digit_pairs_digits", "data.train_pairs=128", "network.hidden=[16,16]"]

# Two pairs of three classes: 0 and 2, rightly said to be first ≤ second and read as 0 and 1; 1 and 0, wrongly said so.
OUTPUT = torch.tensor(
    [
        [0.0, math.log(3), *(math.log(8), 0.0, 0.0), *(0.0, math.log(2), 0.0)],
        [0.0, math.log(4), *(0.0, math.log(6), 0.0), *(math.log(3), 0.0, 0.0)],
    ]
)
LABELS = torch.tensor([[1, 0, 2], [0, 1, 0]])
LOSS = (-math.log(3 / 4) - math.log(1 / 5)) / 2
FIRST_DIGIT = -(math.log(8 / 10) + math.log(6 / 8)) / 2
SECOND_DIGIT = -(math.log(1 / 4) + math.log(3 / 5)) / 2


class Fixed(nn.Module):
    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.output = nn.Parameter(output.clone())

    def forward(self, pairs: Tensor) -> Tensor:
        return self.output[: len(pairs)]


@pytest.fixture
def task(compose: Compose) -> Callable[..., PairComparer]:
    """`task("task.auxiliary_weight=2")`: the task with a network whose output is known."""

    def made(*overrides: str) -> PairComparer:
        task = build(compose("experiment=pairs", *overrides).task)
        task.network = Fixed(OUTPUT)
        return task

    return made


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_the_training_loss_is_that_of_the_comparison_and_the_weighted_one_of_each_digit(
    task: Callable[..., PairComparer], weight: float
) -> None:
    loss = task(f"task.auxiliary_weight={weight}").training_step((torch.zeros(2, 2, 4, 4), LABELS), 0)
    assert loss.item() == pytest.approx(LOSS + weight * FIRST_DIGIT + weight * SECOND_DIGIT, rel=1e-5)


def test_the_penalty_is_trained_and_not_reported(task: Callable[..., PairComparer]) -> None:
    made = task("task.auxiliary_weight=0")
    made.penalty = lambda network: 5.0
    assert made.training_step((torch.zeros(2, 2, 4, 4), LABELS), 0).item() == pytest.approx(LOSS + 5)
    assert made.metrics_of("train")["loss"].compute().item() == pytest.approx(LOSS)


@pytest.mark.parametrize("stage", ["train", "val", "test"])
def test_the_metrics_are_as_computed_by_hand(task: Callable[..., PairComparer], stage: str) -> None:
    made = task()
    step = {"train": made.training_step, "val": made.validation_step, "test": made.test_step}[stage]
    with torch.no_grad():
        step((torch.zeros(2, 2, 4, 4), LABELS), 0)
        step((torch.zeros(1, 2, 4, 4), LABELS[:1]), 1)  # of another size: the means are over pairs
    values = {name: metric.compute().item() for name, metric in made.metrics_of(stage).items()}
    first = -math.log(3 / 4), -(math.log(8 / 10) + math.log(1 / 4))
    assert values == {
        "loss": pytest.approx((2 * LOSS + first[0]) / 3, rel=1e-5),
        "accuracy": 2 / 3,
        "auxiliary_loss": pytest.approx((2 * (FIRST_DIGIT + SECOND_DIGIT) + first[1]) / 3, rel=1e-5),
        "digit_accuracy": 4 / 6,
    }


def test_a_tested_pairs_error_is_the_probability_of_the_wrong_answer(task: Callable[..., PairComparer]) -> None:
    with torch.no_grad():
        found = task().test_step((torch.zeros(2, 2, 4, 4), LABELS), 0)
    assert found["error"].tolist() == pytest.approx([1 / 4, 4 / 5])
    assert found["predicted"].tolist() == [[1, 0, 1], [1, 1, 0]]
    assert torch.equal(found["true"], LABELS)


def test_captions_and_answers(task: Callable[..., PairComparer]) -> None:
    made = task()
    assert made.captions(LABELS) == ["0 ≤ 2", "1 > 0"]
    assert made.answers(OUTPUT) == [
        {"first ≤ second": True, "probability": 0.75, "first": 0, "second": 1},
        {"first ≤ second": True, "probability": 0.8, "first": 1, "second": 0},
    ]


def test_a_diverged_network_is_right_about_no_pair_and_no_digit(task: Callable[..., PairComparer]) -> None:
    made, labels = task(), torch.zeros(2, 3, dtype=torch.long)
    made.network = Fixed(OUTPUT * torch.nan)
    with torch.no_grad():
        found = made.test_step((torch.zeros(2, 2, 4, 4), labels), 0)
    assert made.metrics_of("test")["accuracy"].compute() == made.metrics_of("test")["digit_accuracy"].compute() == 0
    assert made.captions(found["predicted"]) == ["? ? ?"] * 2
    unread = OUTPUT.clone()
    unread[0, 2:5] = torch.nan
    unread[1, :2] = torch.nan
    made.network = Fixed(unread)
    with torch.no_grad():
        found = made.test_step((torch.zeros(2, 2, 4, 4), labels), 0)
    assert made.captions(found["predicted"]) == ["? ≤ 1", "1 ? 0"]
    assert made.answers(unread) == [
        {"first ≤ second": True, "probability": 0.75, "first": None, "second": 1},
        {"first ≤ second": None, "probability": None, "first": 1, "second": 0},
    ]


# ---------------------------------------------------------------------- through the real entry


@pytest.fixture(scope="module")
def outcomes(run_verb: Run) -> dict[str, Any]:
    """A short run that keeps the last epoch's network, and one that keeps the best's; a late jump spoils both."""
    jump = ["scheduler=step", "scheduler.scheduler.step_size=6", "scheduler.scheduler.gamma=1000"]
    common = [*SMALL, *jump, "optimizer.lr=0.02", "trainer=cpu", "trainer.max_epochs=8"]
    drawn = {"last": [], "best": ["callbacks=none"]}
    return {keep: run_verb("train", *common, f"task.keep={keep}", *more) for keep, more in drawn.items()}


def test_the_last_epoch_counts_or_the_best(outcomes: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(outcomes["last"].metrics)))
    accuracy = [float(row["val/accuracy"]) for row in rows if row["val/accuracy"]]
    last, best = (outcomes[keep].manifest["objective"] for keep in ("last", "best"))
    assert accuracy[-1] < max(accuracy)
    assert (last["best"], last["best_epoch"]) == (pytest.approx(accuracy[-1]), 7)
    assert (best["best"], best["best_epoch"]) == (pytest.approx(max(accuracy)), accuracy.index(max(accuracy)))


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_kept_network_is_the_one_that_is_tested(outcomes: dict[str, Any], keep: str) -> None:
    checkpoints = outcomes[keep].folder / "checkpoints"
    kept, last = (torch.load(checkpoints / f"{name}.ckpt", weights_only=True) for name in ("best", "last"))
    same = [torch.equal(kept["state_dict"][name], last["state_dict"][name]) for name in kept["state_dict"]]
    assert all(same) == (keep == "last")


def test_the_pairs_are_drawn_side_by_side(outcomes: dict[str, Any]) -> None:
    figures = {path.stem for path in (outcomes["last"].folder / "figures").iterdir()}
    assert {"training_pictures", "best_and_worst", "curves"} <= figures
    assert outcomes["last"].code == 0


def test_pairs_are_predicted_from_pictures(run_verb: Run, outcomes: dict[str, Any]) -> None:
    picture = outcomes["last"].folder / "figures" / "training_pictures.png"
    answer = run_verb("predict", f"run={outcomes['best'].folder}", f"inputs=[{picture}]", "format=json")
    assert (answer.code, answer.err) == (0, "")
    assert '"first ≤ second":' in answer.out or '"first \\u2264 second":' in answer.out
