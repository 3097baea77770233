"""A network whose outputs are not what the task reads is refused before it is trained, whatever the task."""

from collections.abc import Callable
from typing import Any

import pytest

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


def test_one_class_is_refused(run_verb: Run) -> None:
    outcome = run_verb("train", *SHORT, "data=random_images", "data.num_classes=1")
    assert outcome.code == 2
    assert outcome.err == "data.num_classes=1: Classifier tells classes apart; give 2 or more\n"
