"""A GAN finds every mode of a mixture."""

import math
import warnings
from collections.abc import Callable
from functools import partial

import lightning.pytorch as lightning
import pytest
import torch
from torch import nn
from torch.optim import Adam

from atelier.data.loader import BatchSampler, ResumableLoader, TensorSet
from atelier.tasks.gan import GAN

Make = Callable[..., GAN]
CENTRES = torch.tensor([[math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)] for k in range(8)]) * 0.7
SPREAD = 0.02


def dense(size: int, out: int, last: nn.Module) -> nn.Sequential:
    layers = [nn.Linear(size, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, out)]
    return nn.Sequential(*layers, last)


@pytest.mark.slow
def test_all_modes_of_a_mixture_are_found(gan: Make) -> None:
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
