"""A GAN's settings: learning rates and their schedule, penalty, clipping, averaging; a wrong one is told."""

import warnings
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from atelier.errors import InputError
from atelier.losses.penalty import l2
from atelier.tasks.gan import GAN
from atelier.tasks.schedule import Schedule

Make = Callable[..., GAN]
Train = Callable[..., lightning.Trainer]
LATENT = 3


def test_each_network_has_its_own_learning_rate(gan: Make, train: Train) -> None:
    trainer = train(gan())
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == [0.2, 0.1]


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        (Schedule(partial(ExponentialLR, gamma=0.5), "epoch"), 0.5**2),
        (Schedule(partial(LambdaLR, lr_lambda=lambda step: 1 / (1 + step)), "step"), 1 / 13),
        (Schedule(partial(ReduceLROnPlateau, factor=0.1, patience=0, mode="max", threshold=1e9), "epoch"), 0.1),
    ],
    ids=["epoch", "step", "plateau"],
)
def test_both_learning_rates_follow_the_schedule(schedule: Schedule, factor: float, gan: Make, train: Train) -> None:
    """Two epochs of six batches. The plateau's first epoch is its best, since nothing is much larger."""
    trainer = train(gan(scheduler=schedule), epochs=2)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
    assert rates == pytest.approx([0.2 * factor, 0.1 * factor])


def test_a_plateau_of_a_training_metric_reads_that_of_the_epoch(gan: Make, train: Train) -> None:
    """For both networks, in each of two epochs."""
    seen: list[float] = []

    class Plateau(ReduceLROnPlateau):
        def step(self, metrics: Any, epoch: int | None = None) -> None:
            seen.append(float(metrics))

    metric = "train/generator_loss"
    trainer = train(gan(scheduler=Schedule(Plateau, "epoch"), metric=metric), epochs=2)
    last = float(trainer.callback_metrics[metric])
    assert seen == [seen[0], seen[0], last, last]
    assert seen[0] != last


def test_one_cycle_is_refused_with_two_learning_rates(gan: Make, train: Train) -> None:
    schedule = Schedule(partial(OneCycleLR, max_lr=0.1), "step", "total_steps")
    with pytest.raises(InputError, match="both networks one learning rate"):
        train(gan(scheduler=schedule))


def test_the_penalty_is_on_both_networks(gan: Make, train: Train) -> None:
    plain, penalised = gan(), gan(penalty=partial(l2, strength=1.0))
    for task in (plain, penalised):
        train(task)
    for name in ("generator", "discriminator"):
        sizes = [task.network[name][0].weight.norm().item() for task in (plain, penalised)]
        assert sizes[1] < 0.9 * sizes[0]


def test_the_norm_of_each_networks_gradient_is_clipped(gan: Make, train: Train) -> None:
    task = gan(gradient_clip_val=1e-3, optimizer=partial(SGD), generator_lr=1.0, discriminator_lr=1.0)
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in task.network.named_children()}
    train(task, batches=1)
    for name, network in task.network.named_children():
        squares = [(p.detach() - q).square().sum() for p, q in zip(network.parameters(), before[name], strict=True)]
        assert float(torch.stack(squares).sum().sqrt()) == pytest.approx(1e-3, rel=0.02)


@pytest.mark.parametrize(("discriminator_steps", "moves"), [(1, 6), (2, 3)])
def test_the_average_follows_the_generator_by_its_formula(
    discriminator_steps: int, moves: int, gan: Make, train: Train
) -> None:
    task = gan(average=0.9, discriminator_steps=discriminator_steps)
    expected = [p.detach().clone() for p in task.generator.parameters()]
    step, values = task.train_generator, []

    def noting(count: int) -> torch.Tensor:
        loss = step(count)
        values.append([p.detach().clone() for p in task.generator.parameters()])
        return loss

    task.train_generator = noting  # type: ignore[method-assign]
    train(task, batches=6)
    for value in values:
        expected = [0.9 * mean + 0.1 * now for mean, now in zip(expected, value, strict=True)]
    assert len(values) == moves
    for found, mean in zip(task.generator.parameters(), expected, strict=True):
        torch.testing.assert_close(found.detach(), mean)


def test_the_average_makes_the_pictures_and_changes_no_training(gan: Make, train: Train) -> None:
    made: dict[float | None, list[torch.Tensor]] = {None: [], 0.9: []}
    discriminators = []
    for average, seen in made.items():
        task = gan(average=average)
        task.on_validation_epoch_end = (  # type: ignore[method-assign]
            lambda task=task, seen=seen: seen.append(task.pictures(task.draw_latents(4, seed=0)))
        )
        train(task)
        torch.testing.assert_close(task.eval().pictures(task.draw_latents(4, seed=0)), seen[-1])
        discriminators.append([p.detach() for p in task.discriminator.parameters()])
    assert not torch.allclose(made[None][-1], made[0.9][-1], atol=1e-3)
    assert all(torch.equal(one, other) for one, other in zip(*discriminators, strict=True))


def test_pictures_lie_between_0_and_1_and_depend_on_the_seed_alone(gan: Make) -> None:
    task = gan().eval()
    first, again, other = (task.pictures(task.draw_latents(50, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 1


def test_no_picture_that_the_test_scores_is_one_that_validation_scored(gan: Make, train: Train) -> None:
    """Validation has chosen the epoch by its pictures; each stage makes the same ones every time."""
    task, made = gan(), []
    trainer = train(task)
    add = lambda pictures, real=None: made.append(pictures)  # noqa: E731
    task.quality = SimpleNamespace(has_reference=True, to=id, add=add, compute=dict)  # type: ignore[assignment]
    points = DataLoader(TensorDataset(torch.zeros(32, 2), torch.zeros(32)), batch_size=16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's own
        for evaluate in (trainer.validate, trainer.test) * 2:
            evaluate(task, points, verbose=False)
    validated, tested, *again = (torch.cat(made[batch : batch + 2]) for batch in (0, 2, 4, 6))
    assert torch.equal(torch.cat(again), torch.cat([validated, tested]))
    assert torch.cdist(validated, tested).min() > 0


def test_a_gan_tells_nothing_of_ones_own_files(gan: Make) -> None:
    with pytest.raises(InputError, match=r"src/sample\.py"):
        gan()(torch.zeros(1, 2))
