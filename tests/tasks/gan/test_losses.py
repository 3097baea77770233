"""What each network of a GAN is trained for, and what is logged of it, by the formulas of linear networks."""

from collections.abc import Callable

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor, nn

from atelier.tasks.gan import GAN

Make = Callable[..., GAN]
Train = Callable[..., lightning.Trainer]
SLOPE, MADE = torch.tensor([0.3, 0.4]), torch.tensor([0.2, -0.1])  # the discriminator's, and what the generator makes


class Always(nn.Module):
    """Makes one point of any latent."""

    def __init__(self, point: Tensor) -> None:
        super().__init__()
        self.point = nn.Parameter(point.clone())

    def forward(self, latents: Tensor) -> Tensor:
        return self.point.expand(len(latents), -1)


@pytest.mark.parametrize(("loss", "weight"), [("hinge", 0.0), ("wgan_gp", 10.0)])
def test_a_step_of_each_network_is_that_of_its_loss(loss: str, weight: float, gan: Make, train: Train) -> None:
    """Scores between -1 and 1 have the slopes of the mean scores also with margins; the penalty is not logged."""
    discriminator = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        discriminator.weight.copy_(SLOPE)
    networks = {"generator": Always(MADE), "discriminator": discriminator}
    rates = {"generator_lr": 0.5, "discriminator_lr": 0.1}
    task = gan(**networks, **rates, loss=loss, mean=0.5, std=0.25, penalty=lambda network: 7.0)
    logged = train(task, batches=1).callback_metrics
    points = torch.rand(16, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1
    real = ((points * 0.25 + 0.5) * 2 - 1).mean(0)
    norm = SLOPE.norm()
    slope = SLOPE - 0.1 * (MADE - real + weight * 2 * (norm - 1) * SLOPE / norm)
    torch.testing.assert_close(discriminator.weight.detach()[0], slope)
    made = MADE + 0.5 * slope
    torch.testing.assert_close(task.generator.point.detach(), made)
    margins = 2 if loss == "hinge" else 0
    assert logged["train/real_score"].item() == pytest.approx((real @ SLOPE).item(), abs=1e-6)
    assert logged["train/made_score"].item() == pytest.approx((MADE @ SLOPE).item(), abs=1e-6)
    assert logged["train/discriminator_loss"].item() == pytest.approx(((MADE - real) @ SLOPE).item() + margins)
    assert logged["train/generator_loss"].item() == pytest.approx(-(MADE @ slope).item(), abs=1e-6)
    assert logged["val/discriminator_loss"].item() == pytest.approx(((made - real) @ slope).item() + margins)


def test_pictures_have_the_generators_range_scaled_to_0_to_1(gan: Make) -> None:
    task = gan(generator=Always(torch.tensor([-1.0, 0.5, 2.0])))
    assert task.pictures(torch.zeros(1, 3)).tolist() == [[0.0, 0.75, 1.0]]


def test_an_epoch_without_a_turn_of_the_generator_logs_no_loss_of_it(gan: Make, train: Train) -> None:
    logged = train(gan(discriminator_steps=4), batches=3).callback_metrics
    assert logged.keys() >= {"train/discriminator_loss", "train/real_score", "train/made_score"}
    assert "train/generator_loss" not in logged
