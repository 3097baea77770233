"""Fixed networks that tell pictures apart, for the scores of made ones: plain pixels, a classifier, Inception."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from atelier.errors import InputError


@runtime_checkable  # configurations are checked against it
class Features(Protocol):
    """A fixed network that tells pictures apart."""

    num_features: int
    num_classes: int | None  # None: it knows no classes
    identity: dict[str, object]  # which network it is, in plain data

    def __call__(self, pictures: Tensor) -> Tensor:
        """Pictures (N, C, H, W) with values in 0–1 to features (N, num_features)."""

    def classes(self, features: Tensor) -> Tensor:
        """Features (N, num_features) to classes (N,)."""


class Pixels(nn.Module):
    """Pictures scaled down: features that need no network, for trying things out. They know no classes.

    Args:
        shape: (C, H, W) of a picture, or the shape of what is no picture, which is taken as it is.
        side: of the small picture, pixels.
    """

    def __init__(self, shape: Sequence[int], side: int) -> None:
        super().__init__()
        self.side = side
        self.num_features = self(torch.zeros(1, *shape)).shape[1]
        self.num_classes = None
        self.identity: dict[str, object] = {"features": "pixels", "side": side}

    def forward(self, pictures: Tensor) -> Tensor:
        small = F.adaptive_avg_pool2d(pictures, self.side) if pictures.dim() == 4 else pictures
        return small.flatten(1)

    def classes(self, features: Tensor) -> Tensor:
        raise NotImplementedError


class Classifier(nn.Module):
    """What the last linear layer of a trained classifier is given.

    Args:
        network: images to logits; its last module of the kind nn.Linear makes these.
        mean, std: with which its images were normalised.
        identity: where it is from, in plain data.
    """

    def __init__(self, network: nn.Module, mean: float, std: float, identity: dict[str, object]) -> None:
        super().__init__()
        self.network, self.mean, self.std, self.identity = network.eval().requires_grad_(False), mean, std, identity
        self.last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        self.num_features, self.num_classes = self.last.in_features, self.last.out_features
        self.last.register_forward_pre_hook(lambda layer, inputs: self.seen.append(inputs[0]))
        self.seen: list[Tensor] = []

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen.clear()
        self.network((pictures - self.mean) / self.std)
        return self.seen.pop()

    def classes(self, features: Tensor) -> Tensor:
        return self.last(features).argmax(1)


class Inception(nn.Module):
    """The network of the published Fréchet Inception distances, for who has its weights.

    Args:
        weights: its file, as the package torch-fidelity keeps it.

    Raises:
        InputError: without the package or the file.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        if not Path(weights).is_file():
            raise InputError(f"features.weights={weights}: there is no such file; features=pixels needs none")
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self.network = NoTrainInceptionV3("inception-v3-compat", ["2048"], weights)
        except ModuleNotFoundError:
            raise InputError("features=inception needs the package torch-fidelity, which is not installed") from None
        self.num_features, self.num_classes = 2048, None
        crc = zlib.crc32(Path(weights).read_bytes())
        self.identity: dict[str, object] = {"features": "inception-v3-compat 2048", "weights_crc32": f"{crc:08x}"}

    def forward(self, pictures: Tensor) -> Tensor:
        images = (pictures * 255).round().byte()
        return self.network(images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images)

    def classes(self, features: Tensor) -> Tensor:
        raise NotImplementedError
