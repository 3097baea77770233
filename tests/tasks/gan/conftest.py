"""A GAN of points in the plane, small enough to train in a test."""

import warnings
from collections.abc import Callable
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from atelier.losses.penalty import none
from atelier.tasks.gan import GAN
from atelier.tasks.schedule import Schedule

LATENT = 3


def normalised(size: int, *rest: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), *rest)


def gan(**changed: Any) -> GAN:
    """Points of two numbers in -1 to 1; both networks have batch norm, but for the discriminator of wgan_gp, to which
    a last bias would not matter."""
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
        "scheduler": Schedule(None),
        "penalty": none,
        "metric": "val/discriminator_loss",
        "mode": "min",
    }
    if changed.get("loss") == "wgan_gp":
        bare = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1, bias=False))
        settings["discriminator"] = bare
    return GAN(**{**settings, **changed})


@pytest.fixture(scope="session", name="gan")
def gan_fixture() -> Callable[..., GAN]:
    return gan


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


@pytest.fixture(scope="session", name="train")
def train_fixture() -> Callable[..., lightning.Trainer]:
    return train
