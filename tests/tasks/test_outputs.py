"""A network whose outputs are not what the task reads is refused before it is trained, whatever the task."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from atelier.compose.build import build_task
from atelier.errors import InputError

Run = Callable[..., Any]
SHORT = ["trainer=cpu", "trainer.max_epochs=1", "callbacks=none", "network.hidden=[8]"]
CLOCKS = ["data=clocks", "data.image_size=32", "data.num_images=2160", "task=clock", "network=mlp"]
CASES = {
    "classifier, more": (["network.num_classes=12"], "MLP gives 12 outputs for an input; data.num_classes=10 needs 10"),
    "classifier, fewer": (["network.num_classes=9"], "MLP gives 9 outputs for an input; data.num_classes=10 needs 10"),
    "scratch": (
        ["task=scratch", "network=scratch_mlp", "optimizer=sgd", "network.num_classes=12"],
        "ScratchMLP gives 12 outputs for an input; data.num_classes=10 needs 10",
    ),
    "sequence": (
        [
            "data=mnist_rows",
            "data.source=fake",
            "task=sequence",
            "network=gru",
            "network.hidden=8",
            "network.num_classes=11",
        ],
        "Recurrent gives 11 outputs for an input; data.num_classes=10 needs 10",
    ),
    "pairs": (
        ["data=digit_pairs_digits", "task=pairs", "network.num_classes=24"],
        "MLP gives 24 outputs for an input; data.num_classes=10 needs 22",
    ),
    "clock": (
        [*CLOCKS, "encoding=multihead", "network.num_classes=14"],
        "MLP gives 14 outputs for an input; encoding.outputs=[12, 1] needs 13",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_other_outputs_than_the_task_reads_are_refused(run_verb: Run, case: str) -> None:
    setting, told = CASES[case]
    outcome = run_verb("train", *SHORT, *setting)
    assert (outcome.code, outcome.err) == (2, f"network: {told}\n")
    assert outcome.manifest["steps"] == 0


def test_a_classifier_of_other_classes_than_the_data_has_is_refused(run_verb: Run) -> None:
    outcome = run_verb("train", *SHORT, "task.num_classes=12")
    assert outcome.err == "task.num_classes=12: the data have data.num_classes=10\n"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["data.num_classes=1"], "data.num_classes=1: Classifier tells classes apart; give 2 or more"),
        (
            ["data.num_classes=1", "task=scratch", "network=scratch_mlp", "optimizer=sgd"],
            "data.num_classes=1: Scratch tells classes apart; give 2 or more",
        ),
        (["data.num_classes=0"], "data.num_classes=0: RandomImages takes a whole number of 1 or more"),
    ],
    ids=" ".join,
)
def test_too_few_classes_are_refused(run_verb: Any, overrides: list[str], told: str) -> None:
    outcome = run_verb("train", *SHORT, "data=random_images", "data.num_images=100", *overrides)
    assert (outcome.code, outcome.err) == (2, f"{told}\n")


def test_one_class_that_only_the_data_know_of_is_refused(compose: Callable[..., DictConfig]) -> None:
    task = build_task(compose())
    task._trainer = SimpleNamespace(datamodule=SimpleNamespace(num_classes=1))
    with pytest.raises(InputError, match=r"^data\.num_classes=1: Classifier tells classes apart; give 2 or more$"):
        task.outputs()


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ((torch.zeros(2, 10), None), "gives a tuple; data.num_classes=10 needs one tensor of 10 outputs for an input"),
        ({"logits": torch.zeros(2, 10)}, "gives a dict; data.num_classes=10 needs one tensor of 10 outputs for an inp"),
        (torch.zeros(2, 5, 10), "gives 5 × 10 outputs for an input; data.num_classes=10 needs 10"),
    ],
    ids=["tuple", "dictionary", "sequence"],
)
def test_an_output_of_another_kind_is_refused(compose: Callable[..., DictConfig], output: Any, told: str) -> None:
    task = build_task(compose())
    task._trainer = SimpleNamespace(datamodule=SimpleNamespace())
    task.network.forward = lambda images: output
    task.setup("fit")
    with pytest.raises(InputError, match=f"^network: MLP {told}"):
        task(torch.zeros(2, 1, 8, 8))
