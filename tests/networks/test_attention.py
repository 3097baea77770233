"""The transformer and the ViT: their equations, what positions and the class token do, and how they begin."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torchvision.models import VisionTransformer

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.attention import sinusoids
from atelier.networks.transformer import Transformer
from atelier.networks.vit import ViT

Make = Callable[..., Any]
NETWORKS = ["transformer", "vit"]


@pytest.fixture
def make(compose: Callable[..., DictConfig]) -> Make:
    """`make("vit", "network.patch=2")`: the network of conf/, for gray pictures of 8 px unless told otherwise."""

    def made(name: str, *overrides: str, data: str = "digits") -> nn.Module:
        torch.manual_seed(0)
        return build(compose(f"data={data}", f"network={name}", "activation=gelu", *overrides).network)

    return made


# {a name of torchvision's network: ours}
NAMES = {
    "class_token": "encoder.token",
    "conv_proj": "patches",
    "encoder.pos_embedding": "encoder.positions",
    r"encoder.layers.encoder_layer_(\d+).": r"encoder.blocks.\1.",
    ".ln_": ".norm",
    ".self_attention.": ".self_attn.",
    ".mlp.0.": ".linear1.",
    ".mlp.3.": ".linear2.",
    "encoder.ln.": "encoder.norm.",
    "heads.head.": "output.",
}


def ours(name: str) -> str:
    for theirs, own in NAMES.items():
        name = re.sub(theirs.replace(".", r"\."), own, name)
    return name


@pytest.mark.parametrize("recording", [True, False], ids=["training", "evaluation"])
def test_the_vit_computes_what_torchvisions_does(make: Make, recording: bool) -> None:
    """Also on torch's quick path, which a layer takes where no gradient is recorded."""
    sizes: Any = {"patch_size": 4, "num_layers": 2, "num_heads": 3, "hidden_dim": 12, "mlp_dim": 20, "num_classes": 5}
    theirs = VisionTransformer(image_size=16, **sizes)
    shape = ["data.shape=[3,16,16]", "data.num_classes=5"]
    small = ["network.layers=2", "network.heads=3", "network.hidden=12", "network.feedforward=20"]
    own = make("vit", *shape, *small, data="random_images")
    for network in (theirs, own):
        for layer in network.modules():
            if isinstance(layer, nn.LayerNorm):
                layer.eps = 1e-6
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)  # its output layer begins with zeros
    state = {ours(name): tensor for name, tensor in theirs.state_dict().items()}
    state["encoder.token"] = state["encoder.token"].flatten()
    state["encoder.positions"] = state["encoder.positions"][0]
    own.load_state_dict(state)
    images = torch.randn(6, 3, 16, 16)
    with torch.set_grad_enabled(recording):
        torch.testing.assert_close(own.eval()(images), theirs.eval()(images), atol=1e-4, rtol=1e-4)


def attended(block: nn.TransformerEncoderLayer, vectors: Tensor) -> Tensor:
    """Attention of two heads over vectors (T, 4), written out."""
    attention, normed = block.self_attn, block.norm1(vectors)
    query, key, value = (normed @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, 1)
    heads = []
    for part in (slice(0, 2), slice(2, 4)):
        weights = (query[:, part] @ key[:, part].T / math.sqrt(2)).softmax(1)
        heads.append(weights @ value[:, part])
    return torch.cat(heads, 1) @ attention.out_proj.weight.T + attention.out_proj.bias


def test_a_transformer_computes_its_equations(make: Make) -> None:
    small = ["network.hidden=4", "network.heads=2", "network.layers=2", "network.feedforward=3"]
    network = make("transformer", *small, data="palindromes").double()
    digits = torch.randint(10, (1, 9))
    vectors = network.input.weight[:, digits[0]].T + network.input.bias + sinusoids(9, 4).double()
    for block in network.encoder.blocks:
        vectors = vectors + attended(block, vectors)
        vectors = vectors + block.linear2(nn.functional.gelu(block.linear1(block.norm2(vectors))))
    expected = network.output(network.encoder.norm(vectors).mean(0))
    torch.testing.assert_close(network(digits)[0], expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_where_all_is_dropped_nothing_of_an_image_is_left(make: Make, name: str) -> None:
    network = make(name, "network.dropout=1.0").train()
    first, second = network(torch.randn(2, 1, 8, 8))
    assert torch.equal(first, second)
    first, second = network.eval()(torch.randn(2, 1, 8, 8))
    assert not torch.allclose(first, second)


def test_sinusoids_are_sines_and_cosines_of_the_position() -> None:
    table = sinusoids(50, 6)
    assert table.shape == (50, 6)
    for position, pair in ((0, 0), (7, 1), (49, 2)):
        angle = position / 10_000 ** (2 * pair / 6)
        found = table[position, 2 * pair : 2 * pair + 2].tolist()
        assert found == pytest.approx([math.sin(angle), math.cos(angle)], abs=1e-5)
    assert torch.equal(sinusoids(50, 5), sinusoids(50, 5)[:, :5])
    assert sinusoids(3, 5).shape == (3, 5), "also of an odd size"


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("readout", ["token", "mean"])
def test_the_order_of_a_sequence_matters_by_its_positions_alone(make: Make, positions: str, readout: str) -> None:
    chosen = [f"network.positions={positions}", f"network.readout={readout}"]
    network = make("transformer", *chosen, data="palindromes").eval()
    digits = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    with torch.no_grad():
        assert (network(digits) - network(digits.flip(1))).abs().max() > 1e-4
        network.encoder.positions.zero_()
        torch.testing.assert_close(network(digits), network(digits.flip(1)))


@pytest.mark.parametrize("symbols", ["one_hot", "scalar", "embedding"])
def test_a_transformer_reads_symbols_of_any_length_up_to_its_own(make: Make, symbols: str) -> None:
    network: Transformer = make("transformer", f"network.symbols={symbols}", data="palindromes")
    for length in (1, 4, 9):
        assert network(torch.randint(10, (3, length))).shape == (3, 10)


@pytest.mark.parametrize(("name", "size"), [("vit", (1, 6, 6)), ("vit", (1, 10, 10)), ("transformer", (9, 8))])
def test_inputs_of_another_size_are_told(make: Make, name: str, size: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^network: it was made for "):
        make(name, "network.patch=2" if name == "vit" else "seed=0")(torch.zeros(2, *size))


def test_it_reads_the_rows_of_a_picture_and_vectors_alike(make: Make) -> None:
    network = make("transformer")
    picture = torch.randn(2, 1, 8, 8)
    assert torch.equal(network(picture), network(picture[:, 0]))
    high = make("transformer", "data.shape=[2,9,6]", data="random_images")
    assert high(torch.randn(3, 2, 9, 6)).shape == (3, 10)


def test_sides_that_a_patch_does_not_divide_are_padded_with_zeros(make: Make) -> None:
    network: ViT = make("vit", "data.shape=[1,6,9]", data="random_images")
    padded: ViT = make("vit", "data.shape=[1,8,12]", data="random_images")
    padded.load_state_dict(network.state_dict())
    picture = torch.randn(2, 1, 6, 9)
    whole = torch.zeros(2, 1, 8, 12)
    whole[:, :, :6, :9] = picture
    assert torch.equal(network(picture), padded(whole))


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_begin_with_weights_of_their_own(make: Make, name: str) -> None:
    first, second = make(name, "network.layers=2").encoder.blocks
    assert not torch.equal(first.linear1.weight, second.linear1.weight)
    assert not torch.equal(first.self_attn.in_proj_weight, second.self_attn.in_proj_weight)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("initializer", ["default", "normal_05", "zeros"])
def test_token_and_positions_begin_small_with_every_initializer(make: Make, name: str, initializer: str) -> None:
    chosen = [f"initializer={initializer}", "network.readout=token", "network.positions=learned", "network.hidden=256"]
    network = make(name, *chosen)
    for tensor in (network.encoder.token, network.encoder.positions):
        assert tensor.std().item() == pytest.approx(0.02, rel=0.2)
    if initializer != "default":
        for block in network.encoder.blocks:
            spread = {"normal_05": 0.5, "zeros": 0.0}[initializer]
            assert block.self_attn.in_proj_weight.std().item() == pytest.approx(spread, rel=0.05)
            assert not block.self_attn.in_proj_bias.any()


def test_their_numbers_of_parameters(make: Make) -> None:
    def block(size: int, units: int) -> int:
        return 4 * (size + 1) * size + (size + 1) * units + (units + 1) * size + 4 * size

    def count(network: nn.Module) -> int:
        return sum(parameter.numel() for parameter in network.parameters())

    ends = 2 * 64 + 65 * 10  # the last norm and the output
    assert count(make("transformer")) == (8 + 1) * 64 + 2 * block(64, 128) + ends
    assert count(make("vit")) == (16 + 1) * 64 + 64 + (4 + 1) * 64 + 3 * block(64, 128) + ends


@pytest.mark.parametrize(
    ("name", "data", "override", "told"),
    [
        ("transformer", "digits", "network.heads=3", "network.heads=3: give a divisor of network.hidden=64"),
        ("vit", "digits", "network.hidden=30", "network.heads=4: give a divisor of network.hidden=30"),
        (
            "transformer",
            "palindromes",
            "network.num_symbols=null",
            "data.shape=[9]: a sequence of symbols needs data.num_symbols",
        ),
    ],
)
def test_a_wrong_option_is_told(make: Make, name: str, data: str, override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        make(name, override, data=data)
    assert str(error.value) == told


# ---------------------------------------------------------------------- training


@pytest.mark.parametrize("name", ["vit", pytest.param("transformer", marks=pytest.mark.slow)])
def test_a_run_with_dropout_goes_on_to_the_same_metrics(run_verb: Callable[..., Any], name: str) -> None:
    small = ["network.hidden=8", "network.layers=1", "network.dropout=0.3", "data.train_size=200"]
    command = [f"network={name}", *small, "trainer=cpu", "callbacks=none", "test=false"]
    run = run_verb("train", *command, "trainer.max_epochs=1")
    assert run_verb("train", f"resume={run.folder}", "trainer.max_epochs=3").code == 0
    assert run.manifest["epochs"] == 3
    assert run.metrics == run_verb("train", *command, "trainer.max_epochs=3").metrics
