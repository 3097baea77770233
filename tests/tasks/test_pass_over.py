"""A pass over the training set, as for its clean accuracy: what it measures, and that it changes nothing else."""

import random
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor, nn
from torch.optim import SGD

from atelier.losses.penalty import none
from atelier.tasks.average import Average
from atelier.tasks.classifier import Classifier
from atelier.tasks.schedule import Schedule

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 3.0], [1.0, 4.0, 0.0]])
CLASSES = torch.tensor([0, 2, 0])


class Drawing:
    """Data of one's own that draw from every generator of random numbers, in batches of two and of one."""

    def loader(self, split: str) -> Iterator[tuple[Tensor, Tensor]]:
        assert split == "train"
        for rows in ([0, 1], [2]):
            random.random(), np.random.rand(), torch.rand(1)
            yield LOGITS[rows] / 2, CLASSES[rows]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, index: int) -> Any:
        return batch

    def normalise(self, inputs: Tensor) -> Tensor:
        return inputs * 2


def test_it_measures_in_evaluation_and_leaves_all_as_it_was() -> None:
    """In evaluation, this task averages over mirror images."""
    task = Classifier(
        none,
        3,
        mirrored=True,
        clean_train_accuracy=True,
        network=nn.Sequential(nn.Identity()),
        optimizer=partial(SGD, lr=0.1),
        scheduler=Schedule(None),
        metric="val/accuracy",
        mode="max",
    )
    task.network[0].eval()  # a frozen part
    plugin = SimpleNamespace(val_step_context=nullcontext)
    task._trainer = SimpleNamespace(datamodule=Drawing(), world_size=1, precision_plugin=plugin)  # type: ignore[assignment]
    logged: dict[str, Tensor] = {}
    task.log_dict = logged.update  # type: ignore[assignment, method-assign]
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    task.measure_training()
    averaged = (LOGITS + LOGITS.flip(1)).double() / 2
    assert logged.keys() == {"train/clean_loss", "train/clean_accuracy"}
    assert logged["train/clean_loss"].item() == pytest.approx(log_loss(CLASSES, averaged.softmax(1), labels=range(3)))
    assert random.getstate() == before[0]
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), before[1], strict=True))
    assert torch.equal(torch.get_rng_state(), before[2])
    assert [task.training, task.network.training, task.network[0].training] == [True, True, False]
    assert not task.val_loss.update_called
    assert task.measured_as == "val/"


def test_within_a_validation_it_leaves_the_average_in_use() -> None:
    network = nn.Linear(1, 1)
    average, before = Average(network, 0.5), network.weight.detach().clone()
    average.weights = dict(network.named_parameters())
    average.means = {name: torch.full_like(weight, 7.0) for name, weight in average.weights.items()}
    average.take()
    with average.in_use():
        assert network.weight.item() == 7
    assert network.weight.item() == 7
    average.give_back()
    assert torch.equal(network.weight, before)
