"""torchvision's networks: their outputs, gray images, refusals, and the weights that torchvision publishes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torchvision import models

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.networks.initialize import Initializer
from atelier.networks.torchvision import classifier
from atelier.start.published import published

Run = Callable[..., Any]
Compose = Callable[..., Any]
UNCHANGED = Initializer(None)
NOT_ON_META = "regnet"  # their constructors compute with tensors
NAMES = [name for name in models.list_models(module=models) if not name.startswith(NOT_ON_META)]
QUICK = ("alexnet", "googlenet", "inception_v3", "resnet18", "squeezenet1_1", "vit_b_16")


def made(name: str, side: int = 64, channels: int = 3, dropout: float | None = None) -> nn.Module:
    return classifier([channels, side, side], 7, name, dropout, UNCHANGED)


@pytest.mark.parametrize("name", [pytest.param(one, marks=[pytest.mark.slow] * (one not in QUICK)) for one in NAMES])
def test_every_network_has_an_output_for_each_class(name: str) -> None:
    """On the meta device, which has shapes and no values."""
    with torch.device("meta"):
        network = made(name, side=224)
        assert network(torch.empty(2, 3, 224, 224)).shape == (2, 7)
    own = models.get_model_weights(name)
    assert "DEFAULT" in own.__members__


@pytest.mark.slow
@pytest.mark.parametrize("name", ["regnet_x_400mf", "regnet_y_400mf"])
def test_regnets_have_an_output_for_each_class(name: str) -> None:
    assert made(name)(torch.rand(2, 3, 64, 64)).shape == (2, 7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "resnet19"}, "network.name=resnet19: torchvision has no 'resnet19'; choose from: resnet18, "),
        ({"name": "fasterrcnn_resnet50_fpn"}, "network.name=fasterrcnn_resnet50_fpn: torchvision has no "),
        ({"name": "squeezenet1_1", "channels": 2}, "data.shape=[2, 64, 64]: squeezenet1_1 takes images "),
        ({"name": "resnet18", "dropout": 0.2}, "network.dropout=0.2: resnet18 has no dropout; give null"),
    ],
    ids=str,
)
def test_what_it_cannot_make_is_told_with_what_fits(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as told:
        made(**options)
    assert str(told.value).startswith(words)


def test_the_sides_that_it_takes_are_told() -> None:
    for name, sides in (("alexnet", "sides of 63 or more"), ("vit_b_16", "sides of 224")):
        with torch.device("meta"), pytest.raises(InputError, match=rf"^data.shape=\[3, 32, 32\]: {name} .*{sides}$"):
            made(name, side=32)


def test_gray_images_give_what_they_give_in_three_equal_channels() -> None:
    torch.manual_seed(0)
    gray = made("squeezenet1_1", channels=1).eval()
    torch.manual_seed(0)
    colour = made("squeezenet1_1").eval()
    images = torch.rand(2, 1, 64, 64)
    assert torch.equal(gray(images), colour(images.expand(-1, 3, -1, -1)))


def test_its_tensors_have_torchvisions_names() -> None:
    assert made("squeezenet1_1").state_dict().keys() == models.squeezenet1_1(num_classes=7).state_dict().keys()


# ---------------------------------------------------------------------- published weights


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """`server()` publishes weights of squeezenet1_1 for 1,000 classes, all of the value 0.1, from a file."""

    def publish(sha: str | None = None) -> Path:
        content = {name: torch.full_like(one, 0.1) for name, one in models.squeezenet1_1().state_dict().items()}
        torch.save(content, tmp_path / "served")
        sha = sha or hashlib.sha256((tmp_path / "served").read_bytes()).hexdigest()[:8]
        path = (tmp_path / "served").rename(tmp_path / f"squeezenet1_1-{sha}.pth")
        monkeypatch.setattr(models.SqueezeNet1_1_Weights.DEFAULT.value, "url", path.as_uri())
        return path

    return publish


NETWORK = {"_target_": "atelier.networks.torchvision.classifier", "name": "squeezenet1_1"}
SMALL = [
    *("network=torchvision", "network.name=squeezenet1_1", "data=random_images", "data.shape=[3,32,32]"),
    *("data.num_images=100", "trainer=cpu", "trainer.max_epochs=1", "callbacks=none"),
]


def test_a_training_starts_from_published_weights_which_are_fetched_once(
    run_verb: Run, server: Callable[..., Path], tmp_path: Path
) -> None:
    served = server()
    here = [*SMALL, f"paths.data={tmp_path / 'data'}", "start.weights=DEFAULT", "start.freeze=[features]"]
    outcome = run_verb("train", *here)
    assert (outcome.code, outcome.err) == (0, "")
    assert "of another shape: classifier.1.weight [1000, 512, 1, 1] → [10, 512, 1, 1]" in outcome.out
    assert outcome.manifest["start"]["checksum"] == served.stem
    weights = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    features = [one for name, one in weights.items() if name.startswith("network.features.")]
    assert features
    assert all(bool((one == 0.1).all()) for one in features)
    served.unlink()
    again = run_verb("train", *here, "test=false")
    assert again.code == 0
    assert again.manifest["config_hash"] == outcome.manifest["config_hash"]
    assert run_verb("eval", f"run={outcome.folder}").code == 0


def test_where_there_is_no_network_it_is_told_what_to_download_and_where_to_put_it(
    run_verb: Run, server: Callable[..., Path], tmp_path: Path
) -> None:
    served = server()
    served.unlink()
    outcome = run_verb("train", *SMALL, f"paths.data={tmp_path / 'data'}", "start.weights=DEFAULT")
    assert outcome.code == 2
    place = tmp_path / "data" / "torchvision" / served.name
    first, second = outcome.err.splitlines()
    assert first == "start.weights=DEFAULT: its server does not answer; download"
    assert second == f"{served.as_uri()} elsewhere, and put it at {place}"
    assert not outcome.logs.joinpath("runs").exists()


@pytest.mark.parametrize("placed", [False, True])
def test_a_damaged_file_is_not_taken(server: Callable[..., Path], tmp_path: Path, placed: bool) -> None:
    served = server(sha="0" * 8)
    found = published("IMAGENET1K_V1", {"network": NETWORK}, tmp_path)
    if placed:
        found.path.parent.mkdir()
        served.rename(found.path)
    with pytest.raises(InputError, match="is damaged: its SHA-256" if placed else "cannot be downloaded .*hash"):
        found.fetch()
    assert found.path.exists() is placed


@pytest.mark.parametrize(
    ("word", "network", "words"),
    [
        ("DEFAULT", None, "only network=torchvision has published weights"),
        ("DEFAULT", {"_target_": "atelier.networks.cnn.CNN"}, "only network=torchvision has published weights"),
        ("IMAGENET1K", NETWORK, "squeezenet1_1 has no 'IMAGENET1K'; choose from: IMAGENET1K_V1, DEFAULT"),
        ("DEFAULT", {**NETWORK, "name": "resnet19"}, "torchvision has no 'resnet19'; choose from: resnet18, "),
    ],
    ids=str,
)
def test_weights_that_are_not_published_are_told(word: str, network: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        published(word, {"network": network}, tmp_path)
    assert words in str(told.value)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_weights_of_pixels_from_minus_1_to_1_are_for_these(name: str, tmp_path: Path) -> None:
    network = {**NETWORK, "name": name}
    for mean, std in ((0.5, 0.5), ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])):
        assert published("DEFAULT", {"network": network, "data": {"mean": mean, "std": std}}, tmp_path).url
    for mean, std in (([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), (0.5, 0.25), (0.0, 0.5)):
        with pytest.raises(InputError, match=f"{name}'s are for pictures of data.mean=0.5 data.std=0.5"):
            published("DEFAULT", {"network": network, "data": {"mean": mean, "std": std}}, tmp_path)


@pytest.mark.parametrize(
    ("name", "word", "scale"),
    [
        ("efficientnet_v2_l", "DEFAULT", "data.mean=0.5 data.std=0.5"),
        ("vgg16", "IMAGENET1K_FEATURES", "data.mean=[0.4824,0.4588,0.4078] data.std=0.003922"),
    ],
)
def test_weights_of_another_scale_are_for_no_other(name: str, word: str, scale: str, tmp_path: Path) -> None:
    """Their pictures would be 2.2 times too large, or 57 times too small."""
    network = {**NETWORK, "name": name}
    usual = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    with pytest.raises(InputError) as caught:
        published(word, {"network": network, "data": usual}, tmp_path)
    assert str(caught.value) == f"{name}'s are for pictures of {scale}"
    given = OmegaConf.to_container(OmegaConf.from_dotlist(scale.split()).data)
    assert published(word, {"network": network, "data": given}, tmp_path).url
    assert published("IMAGENET1K_V1", {"network": {**NETWORK, "name": "vgg16"}, "data": usual}, tmp_path).url


def test_making_a_network_downloads_nothing(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", None)
    build(compose(*SMALL, "start.weights=DEFAULT").network)
