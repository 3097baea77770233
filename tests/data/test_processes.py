"""Several processes that share a data set which has too few samples for them."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atelier.compose.build import build_data
from atelier.errors import InputError

SETS = {
    "points": ["data=disk", "data.train_points=20"],
    "sequences": ["experiment=palindrome_rnn", "data.eval_size=20"],
}


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_process_without_a_sample_is_told_before_the_training(
    compose: Callable[..., Any], kind: str, split: str
) -> None:
    data: Any = build_data(compose(*SETS[kind]))
    data.setup()
    rows = data.sets[split].rows
    for count, world, enough in ((2, 2, True), (1, 2, False), (3, 4, False), (1, 1, True), (0, 2, True)):
        data.sets[split].rows = rows[:count]
        data.trainer = SimpleNamespace(world_size=world, global_rank=0)
        if enough:
            assert len(data.train_dataloader())
            continue
        with pytest.raises(InputError) as told:
            data.train_dataloader()
        given = f"{world} processes need a sample each of the {split} set, which has {count}"
        assert str(told.value) == f"trainer.devices: {given}; give trainer.devices=1 trainer.num_nodes=1"


def test_a_small_training_set_is_repeated_for_the_processes(compose: Callable[..., Any]) -> None:
    data: Any = build_data(compose(*SETS["points"], "data.batch_size=4"))
    data.setup()
    data.sets["train"].rows = torch.arange(1)
    data.trainer = SimpleNamespace(world_size=2, global_rank=1)
    assert [len(labels) for _, labels in data.train_dataloader()] == [1]
