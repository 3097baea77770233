"""A GAN's two turns: who moves when, and what counts as a step."""

from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from atelier.errors import InputError
from atelier.tasks.gan import GAN, statistics_kept

Make = Callable[..., GAN]
Train = Callable[..., lightning.Trainer]


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


class Turns:
    """Notes, at each step of an optimizer, what of both networks has moved since the step before."""

    def __init__(self, task: GAN, patch: pytest.MonkeyPatch) -> None:
        self.task, self.moves = task, []
        step = SGD.step

        def noting(optimizer: Optimizer, closure: Callable[[], Any] | None = None) -> None:
            step(optimizer, closure)  # type: ignore[arg-type]
            self.note()

        patch.setattr(SGD, "step", noting)
        self.before = self.now()

    def now(self) -> dict[str, dict[str, Tensor]]:
        return {name: state(network) for name, network in self.task.network.named_children()}

    def note(self) -> None:
        after = self.now()
        self.moves.append({name: moved(self.before[name], after[name]) for name in after})
        self.before = after


def test_only_the_network_whose_turn_it_is_moves_down_to_its_statistics(
    monkeypatch: pytest.MonkeyPatch, gan: Make, train: Train
) -> None:
    task = gan()
    turns = Turns(task, monkeypatch)
    train(task, batches=3)
    everything = {name: set(values) for name, values in turns.now().items()}
    assert len(turns.moves) == 6
    for number, move in enumerate(turns.moves):
        mine, other = ("discriminator", "generator") if number % 2 == 0 else ("generator", "discriminator")
        assert move[mine] == everything[mine], "parameters and the batch norm's statistics"
        assert move[other] == set()


@pytest.mark.parametrize(("steps", "turns"), [(1, 6), (2, 3), (3, 2), (5, 1)])
def test_the_generator_has_one_turn_for_so_many_of_the_discriminator(
    steps: int, turns: int, monkeypatch: pytest.MonkeyPatch, gan: Make, train: Train
) -> None:
    task = gan(discriminator_steps=steps)
    noted = Turns(task, monkeypatch)
    trainer = train(task, batches=6)
    assert sum(bool(move["generator"]) for move in noted.moves) == turns
    assert sum(bool(move["discriminator"]) for move in noted.moves) == 6
    assert trainer.global_step == 6, "a batch is one step of the run"


def test_the_discriminators_turns_go_on_over_the_end_of_an_epoch(
    monkeypatch: pytest.MonkeyPatch, gan: Make, train: Train
) -> None:
    task = gan(discriminator_steps=4)
    noted = Turns(task, monkeypatch)
    train(task, batches=3, epochs=4)
    kinds = ["generator" if move["generator"] else "discriminator" for move in noted.moves]
    assert kinds == (["discriminator"] * 4 + ["generator"]) * 3


def test_a_run_of_so_many_steps_has_so_many_batches(gan: Make, train: Train) -> None:
    assert train(gan(), batches=6, epochs=5, max_steps=8).global_step == 8


@pytest.mark.parametrize("loss", ["bce", "lsgan", "hinge", "wgan_gp"])
def test_every_loss_trains_both_networks(loss: str, gan: Make, train: Train) -> None:
    task = gan(loss=loss)
    before = state(task.network)
    train(task, batches=2)
    assert moved(before, state(task.network)) == set(before)
    assert all(value.isfinite().all() for value in task.network.state_dict().values())


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(8), nn.SyncBatchNorm(8), nn.Sequential(nn.BatchNorm2d(8))])
def test_a_gradient_penalty_beside_batch_norm_is_refused(gan: Make, train: Train, layer: nn.Module) -> None:
    """It would bound the slope of a sum of scores that hang together."""
    told = "task.loss=wgan_gp: batch norm gives no sample a score of its own"
    task = gan(loss="wgan_gp", discriminator=nn.Sequential(nn.Linear(2, 8), layer, nn.Linear(8, 1)))
    with pytest.raises(InputError, match=told):
        train(task)
    task.setup("test")  # one that was trained so before can be tested


def test_statistics_are_kept_and_the_batch_normalises() -> None:
    layer = nn.BatchNorm1d(3)
    inputs = torch.randn(20, 3) * 5 + 2
    with statistics_kept(layer):
        found = layer(inputs)
    torch.testing.assert_close(found, (inputs - inputs.mean(0)) / (inputs.var(0, correction=0) + layer.eps).sqrt())
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.num_batches_tracked == 0
    layer(inputs)
    assert layer.num_batches_tracked == 1
