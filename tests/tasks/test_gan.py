"""A GAN's two turns: who moves when, what counts as a step, clipping, averaging; and that it finds every mode."""

import math
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LambdaLR, OneCycleLR, ReduceLROnPlateau
from torch.utils.data import DataLoader, TensorDataset

from atelier.data.loader import BatchSampler, ResumableLoader, TensorSet
from atelier.errors import InputError
from atelier.losses.penalty import l2, none
from atelier.tasks.gan import GAN, statistics_kept
from atelier.tasks.schedule import Schedule

LATENT = 3


def normalised(size: int, *rest: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), *rest)


def gan(**changed: Any) -> GAN:
    """Points of two numbers in -1 to 1; both networks have batch norm. A last bias would not matter to wgan_gp."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "generator": normalised(LATENT, nn.Linear(8, 2), nn.Tanh()),
        "discriminator": normalised(2, nn.Linear(8, 1, bias=False)),
        "loss": "bce",
        "penalty_weight": 10.0,
        "discriminator_steps": 1,
        "generator_lr": 0.1,
        "discriminator_lr": 0.2,
        "average": None,
        "gradient_clip_val": None,
        "latent_size": LATENT,
        "mean": 0.5,
        "std": 0.5,
        "features": None,
        "reference_size": 10,
        "optimizer": SGD,
        "schedule": Schedule(None),
        "penalty": none,
        "metric": "val/discriminator_loss",
        "mode": "min",
    }
    return GAN(**{**settings, **changed})


def train(task: GAN, batches: int = 6, epochs: int = 1, **settings: Any) -> lightning.Trainer:
    """Batches of 16 random points."""
    points = torch.rand(16 * batches, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    data = DataLoader(TensorDataset(points, torch.zeros(len(points))), batch_size=16)
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **settings,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers and logging, which are the run's affair
        trainer.fit(task, data, val_dataloaders=data)
    return trainer


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


def test_only_the_network_whose_turn_it_is_moves_down_to_its_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    task = gan()
    turns = Turns(task, monkeypatch)
    train(task, batches=3)
    everything = {name: set(values) for name, values in turns.now().items()}
    assert len(turns.moves) == 6
    for number, move in enumerate(turns.moves):
        mine, other = ("discriminator", "generator") if number % 2 == 0 else ("generator", "discriminator")
        assert move[mine] == everything[mine], "parameters and the batch norm's statistics"
        assert move[other] == set()


def test_each_network_has_its_own_learning_rate() -> None:
    trainer = train(gan())
    assert [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers] == [0.2, 0.1]


@pytest.mark.parametrize(("steps", "turns"), [(1, 6), (2, 3), (3, 2), (5, 1)])
def test_the_generator_has_one_turn_for_so_many_of_the_discriminator(
    steps: int, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = gan(discriminator_steps=steps)
    noted = Turns(task, monkeypatch)
    trainer = train(task, batches=6)
    assert sum(bool(move["generator"]) for move in noted.moves) == turns
    assert sum(bool(move["discriminator"]) for move in noted.moves) == 6
    assert trainer.global_step == 6, "a batch is one step of the run"


def test_the_discriminators_turns_go_on_over_the_end_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    task = gan(discriminator_steps=4)
    noted = Turns(task, monkeypatch)
    train(task, batches=3, epochs=4)
    kinds = ["generator" if move["generator"] else "discriminator" for move in noted.moves]
    assert kinds == (["discriminator"] * 4 + ["generator"]) * 3


def test_a_run_of_so_many_steps_has_so_many_batches() -> None:
    assert train(gan(), batches=6, epochs=5, max_steps=8).global_step == 8


@pytest.mark.parametrize("loss", ["bce", "lsgan", "hinge", "wgan_gp"])
def test_every_loss_trains_both_networks(loss: str) -> None:
    task = gan(loss=loss)
    before = state(task.network)
    train(task, batches=2)
    assert moved(before, state(task.network)) == set(before)
    assert all(value.isfinite().all() for value in task.network.state_dict().values())


def test_the_penalty_is_on_both_networks() -> None:
    plain, penalised = gan(), gan(penalty=partial(l2, strength=1.0))
    for task in (plain, penalised):
        train(task)
    for name in ("generator", "discriminator"):
        sizes = [task.network[name][0].weight.norm().item() for task in (plain, penalised)]
        assert sizes[1] < 0.9 * sizes[0]


def test_the_norm_of_each_networks_gradient_is_clipped() -> None:
    task = gan(gradient_clip_val=1e-3, optimizer=partial(SGD), generator_lr=1.0, discriminator_lr=1.0)
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in task.network.named_children()}
    train(task, batches=1)
    for name, network in task.network.named_children():
        squares = [(p.detach() - q).square().sum() for p, q in zip(network.parameters(), before[name], strict=True)]
        assert float(torch.stack(squares).sum().sqrt()) == pytest.approx(1e-3, rel=0.02)


def test_the_average_follows_the_generator_by_its_formula() -> None:
    task = gan(average=0.9)
    expected = [p.detach().clone() for p in task.generator.parameters()]
    update, values = task.update_average, []

    def noting() -> None:
        values.append([p.detach().clone() for p in task.generator.parameters()])
        update()

    task.update_average = noting  # type: ignore[method-assign]
    train(task, batches=5)
    for value in values:
        expected = [0.9 * mean + 0.1 * now for mean, now in zip(expected, value, strict=True)]
    assert len(values) == 5
    assert task.average is not None
    for found, mean in zip(task.average.parameters(), expected, strict=True):
        torch.testing.assert_close(found, mean)
    assert torch.equal(task.average[1].running_mean, task.generator[1].running_mean)


def test_the_average_makes_the_pictures() -> None:
    task = gan(average=0.9).eval()
    nn.init.constant_(task.generator[-2].bias, 5.0)
    latents = torch.randn(4, LATENT)
    assert task.pictures(latents).max() < 0.99
    torch.testing.assert_close(task.pictures(latents), task.average(latents) / 2 + 0.5)


def test_pictures_lie_between_0_and_1_and_depend_on_the_seed_alone() -> None:
    task = gan().eval()
    first, again, other = (task.pictures(task.draw_latents(50, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 1


@pytest.mark.parametrize(
    ("schedule", "factor"),
    [
        (Schedule(partial(ExponentialLR, gamma=0.5), "epoch"), 0.5**2),
        (Schedule(partial(LambdaLR, lr_lambda=lambda step: 1 / (1 + step)), "step"), 1 / 13),
        (Schedule(partial(ReduceLROnPlateau, factor=0.1, patience=0, mode="max", threshold=1e9), "epoch"), 0.1),
    ],
    ids=["epoch", "step", "plateau"],
)
def test_both_learning_rates_follow_the_schedule(schedule: Schedule, factor: float) -> None:
    """Two epochs of six batches. The plateau's first epoch is its best, since nothing is much larger."""
    trainer = train(gan(schedule=schedule), epochs=2)
    rates = [optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers]
    assert rates == pytest.approx([0.2 * factor, 0.1 * factor])


def test_one_cycle_is_refused_with_two_learning_rates() -> None:
    schedule = Schedule(partial(OneCycleLR, max_lr=0.1), "step", "total_steps")
    with pytest.raises(InputError, match="both networks one learning rate"):
        train(gan(schedule=schedule))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loss": "mse"}, "task.loss=mse: choose from: bce, lsgan, hinge, wgan_gp"),
        ({"discriminator_steps": 0}, "task.discriminator_steps=0"),
        ({"average": 1.0}, "task.average=1.0"),
    ],
)
def test_wrong_settings_are_told(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gan(**changed)


def test_a_gan_tells_nothing_of_ones_own_files() -> None:
    with pytest.raises(InputError, match=r"src/sample\.py"):
        gan()(torch.zeros(1, 2))


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


# ---------------------------------------------------------------------- eight modes

CENTRES = torch.tensor([[math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)] for k in range(8)]) * 0.7
SPREAD = 0.02


def dense(size: int, out: int, last: nn.Module) -> nn.Sequential:
    layers = [nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, out)]
    return nn.Sequential(*layers, last)


@pytest.mark.slow
def test_all_modes_of_a_mixture_are_found() -> None:
    """Eight Gaussians on a circle, too far apart for a generator to reach all of them by chance."""
    torch.manual_seed(0)
    task = gan(
        generator=dense(8, 2, nn.Tanh()),
        discriminator=dense(2, 1, nn.Identity()),
        latent_size=8,
        loss="lsgan",
        optimizer=partial(Adam, betas=(0.5, 0.9)),
        generator_lr=2e-3,
        discriminator_lr=2e-3,
        average=0.99,
    )
    generator = torch.Generator().manual_seed(0)
    modes = torch.randint(8, (128 * 1250,), generator=generator)
    points = CENTRES[modes] + SPREAD * torch.randn(len(modes), 2, generator=generator)
    data = TensorSet(points, modes, torch.arange(len(points)))
    batches = ResumableLoader(data, BatchSampler(len(points), 128, train=True))
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(task, batches)
    with torch.no_grad():
        made = task.eval().pictures(task.draw_latents(4000, seed=0)) * 2 - 1
    distance, nearest = torch.cdist(made, CENTRES).min(1)
    close = distance < 0.1
    share = torch.bincount(nearest[close], minlength=8) / len(made)
    assert close.float().mean() > 0.6, "most points belong to a mode"
    assert share.min() > 0.01, share
