"""Feature extractors for the scores of generated images: plain pixels, a classifier, Inception."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from annotated_types import Ge
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.metrics.predicted import predicted


@runtime_checkable  # the check of configurations needs it
class Features(Protocol):
    """A fixed feature extractor for images."""

    num_features: int
    num_classes: int | None  # None: no classifier
    identity: dict[str, object]  # description of the network, in plain data

    def __call__(self, pictures: Tensor) -> Tensor:
        """Images (N, C, H, W), values 0 to 1, to features (N, num_features)."""

    def classes(self, features: Tensor) -> Tensor:
        """Features (N, num_features) to classes (N,), NO_CLASS for those of none."""


class Pixels(nn.Module):
    """The pixels of a reduced image as features, without a network and without classes, for quick trials.

    Args:
        shape: (C, H, W) of an image; inputs of another number of dimensions are flattened unchanged.
        side: side of the reduced image in pixels.
    """

    def __init__(self, shape: Sequence[int], side: Annotated[int, Ge(1)]) -> None:
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
    """The inputs of the last linear layer of a trained classifier as features.

    Args:
        network: maps images to logits; its last nn.Linear computes the logits.
        mean, std: with which the classifier's images were normalised, numbers or lists with one for each channel.
        identity: description of the classifier's run, in plain data.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: float | Sequence[float],
        std: float | Sequence[float],
        identity: dict[str, object],
    ) -> None:
        super().__init__()
        self.network, self.identity = network.eval().requires_grad_(False), identity
        self.mean, self.std = (one if isinstance(one, (int, float)) else column(one) for one in (mean, std))
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
        if not linear:
            raise InputError(f"features.run={identity.get('run')}: its network has no linear layer before its logits")
        self.last = linear[-1]
        self.num_features, self.num_classes = self.last.in_features, self.last.out_features
        self.last.register_forward_pre_hook(self.keep)

    def keep(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.kept = inputs[0]

    def forward(self, pictures: Tensor) -> Tensor:
        mean, std = (one.to(pictures) if isinstance(one, Tensor) else one for one in (self.mean, self.std))
        self.network((pictures - mean) / std)
        return self.kept

    def classes(self, features: Tensor) -> Tensor:
        return predicted(self.last(features))


def column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1)


class Inception(nn.Module):
    """The Inception network of published Fréchet Inception distances, with their resize; the user provides its weights.

    Args:
        weights: path of the weights' file, in the format of the package torch-fidelity.

    Raises:
        InputError: if the package or the file is missing.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        if not Path(weights).is_file():
            raise InputError(f"features.weights={weights}: there is no such file; features=pixels needs none")
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self.network = NoTrainInceptionV3("inception-v3-compat", ["2048"], weights, antialias=False)
        except ModuleNotFoundError:
            raise InputError("features=inception needs the package torch-fidelity, which is not installed") from None
        self.num_features, self.num_classes = 2048, None
        crc = zlib.crc32(Path(weights).read_bytes())
        self.identity: dict[str, object] = {"features": "inception-v3-compat 2048", "weights_crc32": f"{crc:08x}"}
        self.identity["resize"] = "bilinear, as TensorFlow 1"

    def forward(self, pictures: Tensor) -> Tensor:
        images = (pictures * 255).round().byte()
        return self.network(images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images)

    def classes(self, features: Tensor) -> Tensor:
        raise NotImplementedError
