"""Every generator, discriminator, encoder and decoder of conf/: shapes, sizes of pictures, gradients, parameters."""

from collections.abc import Callable

import pytest
import torch
from omegaconf import DictConfig
from torch import nn

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.conv_generator import ConvGenerator
from atelier.networks.strided import GaussianNoise, check_picture, halved

Compose = Callable[..., DictConfig]
SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 20, 30)]


@pytest.fixture(scope="module")
def made(compose: Compose) -> Callable[..., nn.Module]:
    """`made("generator", "conv", (1, 28, 28))`: that network, small, for pictures of this shape."""

    known: dict[tuple[str, ...], DictConfig] = {}  # composing takes longer than everything else

    def make(kind: str, option: str, shape: tuple[int, ...], *overrides: str) -> nn.Module:
        task = "vae" if kind in ("encoder", "decoder") else "gan"
        small = [f"{kind}.channels=4", f"{kind}.depth=3"] if option == "conv" else [f"{kind}.hidden=[16,16]"]
        chosen = [f"task={task}", "task.latent_size=5", f"{kind}={option}", *small, *overrides]
        if tuple(chosen) not in known:
            known[tuple(chosen)] = compose(*chosen)
        config = known[tuple(chosen)]
        config.data.shape = list(shape)
        torch.manual_seed(0)
        return build(config[kind])

    return make


def check_learns(network: nn.Module, size: tuple[int, ...], out: tuple[int, ...]) -> None:
    output = network(torch.randn(4, *size))
    assert output.shape == (4, *out)
    output.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_generator_makes_pictures_of_any_size(made: Callable[..., nn.Module], generator_option: str) -> None:
    for shape in SHAPES:
        generator = made("generator", generator_option, shape)
        check_learns(generator, (5,), shape)
        assert generator(100 * torch.randn(4, 5)).abs().max() <= 1


def test_a_decoder_makes_pictures_of_any_size(made: Callable[..., nn.Module], decoder_option: str) -> None:
    for shape in SHAPES:
        check_learns(made("decoder", decoder_option, shape), (5,), shape)


def test_a_discriminator_scores_pictures_of_any_size(made: Callable[..., nn.Module], discriminator_option: str) -> None:
    for shape in SHAPES:
        check_learns(made("discriminator", discriminator_option, shape), shape, (1,))


def test_an_encoder_gives_two_numbers_for_each_latent_of_pictures_of_any_size(
    made: Callable[..., nn.Module], encoder_option: str
) -> None:
    for shape in SHAPES:
        check_learns(made("encoder", encoder_option, shape), shape, (10,))


@pytest.mark.parametrize("kind", ["generator", "discriminator", "encoder", "decoder"])
def test_networks_follow_activation_and_initializer(made: Callable[..., nn.Module], kind: str) -> None:
    for option in ("conv", {"generator": "gan_mlp", "discriminator": "gan_mlp"}.get(kind, "mlp")):
        network = made(kind, option, (1, 8, 8), "activation=elu", "initializer=orthogonal")
        assert any(isinstance(module, nn.ELU) for module in network.modules())
        biases = [parameter for parameter in network.parameters() if parameter.dim() == 1]
        assert all(not bias.any() for bias in biases if len(bias) != 16 or option == "conv")


@pytest.mark.parametrize("kind", ["generator", "discriminator", "encoder", "decoder"])
def test_a_depth_that_a_picture_is_too_small_for_is_told(made: Callable[..., nn.Module], kind: str) -> None:
    with pytest.raises(InputError, match=r"depth=4: with data.shape=\[1, 8, 8\], \w+ takes a depth from 1 to 3"):
        made(kind, "conv", (1, 8, 8), f"{kind}.depth=4")


@pytest.mark.parametrize(("sides", "most"), [((28, 28), 5), ((8, 33), 3), ((33, 8), 3), ((3, 9), 2), ((1, 1), 1)])
def test_the_deepest_network_halves_the_smaller_side_to_a_pixel(sides: tuple[int, int], most: int) -> None:
    check_picture(nn.Identity(), (1, *sides), most)
    assert halved(min(sides), most)[-1] == 1
    with pytest.raises(InputError, match=f"^depth={most + 1}: .* Identity takes a depth from 1 to {most}$"):
        check_picture(nn.Identity(), (1, *sides), most + 1)


def test_what_is_no_picture_is_told(made: Callable[..., nn.Module]) -> None:
    with pytest.raises(InputError, match="is for pictures"):
        made("generator", "conv", (2,))


def test_the_leiden_generator_has_the_reports_layers() -> None:
    """Dense 1024 as 256×2×2, five transposed convolutions of 128 to 64×64, three colours."""
    generator = ConvGenerator(32, (3, 64, 64), 256, 128, 5, False, nn.ReLU, nn.Tanh, lambda network: None)
    sizes: list[tuple[int, ...]] = []
    for layer in generator.layers:
        if not isinstance(layer, (nn.ReLU, nn.Tanh, nn.Linear)):
            layer.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[1:])))
    generator(torch.zeros(1, 32))
    assert sizes == [(256, 2, 2), *[(128, side, side) for side in (4, 8, 16, 32, 64)], (3, 64, 64)]
    convolutions = (256 * 128 + 4 * 128 * 128) * 9 + 5 * 128
    expected = 32 * 1024 + 1024 + convolutions + 128 * 3 * 9 + 3
    assert sum(parameter.numel() for parameter in generator.parameters()) == expected


def test_the_leiden_discriminator_has_the_reports_parameters(compose: Compose) -> None:
    config = compose("task=gan", "discriminator=conv", "data.shape=[3,64,64]")
    network = build(config.discriminator)
    expected = (3 * 128 + 4 * 128 * 128) * 9 + 5 * 128 + 128 * 2 * 2 + 1
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("batch_norm", [False, True])
def test_ascis_networks_have_the_reports_layers(compose: Compose, batch_norm: bool) -> None:
    """Batch norm in the discriminator is the report's, and an option here."""
    config = compose("experiment=mnist_gan", f"discriminator.batch_norm={str(batch_norm).lower()}")
    hidden = ["Linear", "BatchNorm1d", "LeakyReLU"]
    judging = hidden if batch_norm else ["Linear", "LeakyReLU"]
    for network, layers in (
        (build(config.generator), [*hidden * 4, "Linear", "Tanh", "Unflatten"]),
        (build(config.discriminator), ["Flatten", *judging * 3, "Linear"]),
    ):
        assert [type(layer).__name__ for layer in network.layers] == layers


def test_a_discriminator_with_batch_norm_does_not_see_what_a_batch_has_in_common(compose: Compose) -> None:
    """Why the report's batch norm is left out of it: a pattern on all made pictures changes no score."""
    pictures, pattern = torch.rand(16, 1, 28, 28), torch.rand(1, 28, 28)
    for batch_norm, blind in ((True, True), (False, False)):
        config = compose("experiment=mnist_gan", f"discriminator.batch_norm={str(batch_norm).lower()}")
        network = build(config.discriminator).requires_grad_(False)
        assert torch.allclose(network(pictures), network(pictures + pattern), atol=1e-3) is blind


def test_noise_is_added_in_training_only() -> None:
    layer = GaussianNoise(0.5)
    zeros = torch.zeros(10_000)
    assert layer(zeros).std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.equal(layer.eval()(zeros), zeros)


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_each_value_has_its_own_noise_in_any_order_of_memory(memory: torch.memory_format) -> None:
    single = torch.zeros(1, 20, 5, 5, dtype=torch.float64)
    for zeros in (single.repeat(20, 1, 1, 1).to(memory_format=memory), single.expand(20, 20, 5, 5)):
        assert GaussianNoise(1.0)(zeros).unique().numel() == zeros.numel()


CONVOLUTIONS = ["Conv2d", "ReLU"] * 5
NOISY = ["Conv2d", "LeakyReLU", "GaussianNoise"] * 5
UPWARDS = ["Linear", "ReLU", "Unflatten", *["ConvTranspose2d", "ReLU"] * 5, "Conv2d"]
LEIDEN = [
    ("cats_gan", "generator", [*UPWARDS, "Tanh"]),
    ("cats_gan", "discriminator", [*NOISY, "Flatten", "Linear", "GaussianNoise"]),
    ("cats_vae", "encoder", [*CONVOLUTIONS, "Flatten", "Linear", "ReLU", "Linear"]),
    ("cats_vae", "decoder", [*UPWARDS, "Identity"]),
]


@pytest.mark.parametrize(("experiment", "kind", "expected"), LEIDEN)
def test_leidens_networks_have_the_reports_layers_and_keras_weights(
    compose: Compose, experiment: str, kind: str, expected: list[str]
) -> None:
    """LeakyReLU and noise in the discriminator alone, behind each of its layers; Glorot's bounds and biases of zero."""
    network = build(compose(f"experiment={experiment}", "features=pixels")[kind])
    layers = [layer for layer in network.modules() if not list(layer.children())]
    assert [type(layer).__name__ for layer in layers] == expected
    for layer in layers:
        if isinstance(layer, nn.LeakyReLU):
            assert layer.negative_slope == 0.3
        if isinstance(layer, GaussianNoise):
            assert layer.std == 0.01
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            fans = sum(layer.weight.shape[:2]) * layer.weight[0, 0].numel()
            assert layer.weight.abs().max().item() == pytest.approx((6 / fans) ** 0.5, rel=0.1)
            assert not layer.bias.any()


@pytest.mark.parametrize(("experiment", "batch", "loss"), [("cats_gan", 32, "lsgan"), ("cats_vae", 8, None)])
def test_leidens_settings_are_the_reports(compose: Compose, experiment: str, batch: int, loss: str | None) -> None:
    config = compose(f"experiment={experiment}")
    assert (config.data.batch_size, config.trainer.max_epochs, config.task.latent_size) == (batch, 50, 32)
    assert config.task.get("loss") == loss
    assert config.optimizer.eps == 1e-7, "Keras's"


def test_sides_are_halved_upwards() -> None:
    assert halved(28, 5) == [28, 14, 7, 4, 2, 1]
    assert halved(64, 5) == [64, 32, 16, 8, 4, 2]
