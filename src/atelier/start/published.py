"""The weights that torchvision publishes for its networks, downloaded once into the data folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torchvision import models

from atelier.data.vision import reachable
from atelier.errors import InputError, not_among

NETWORK = "atelier.networks.torchvision.classifier"  # the `_target_` of conf/network/torchvision.yaml
# The scale, {data.mean: …, data.std: …}, of pictures from which most were trained; weights of another take no other.
USUAL = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALVES = ("googlenet", "inception_v3")  # trained on pixels from -1 to 1, to which torchvision changes the usual scale


@dataclass(frozen=True)
class Published:
    """Published weights.

    Args:
        url: address of their file.
        path: place of the file in the data folder.
    """

    url: str
    path: Path

    @property
    def name(self) -> str:
        """The name of the file, which ends with a part of its SHA-256."""
        return self.path.stem

    def check(self) -> None:
        """
        Raises:
            InputError: if the file is not there and its server does not answer.
        """
        if not self.path.is_file() and not reachable(self):
            raise InputError(f"its server does not answer; {self.remedy}")

    def fetch(self) -> Path:
        """The file, downloaded if it is not there.

        Raises:
            InputError: if it cannot be downloaded, or its SHA-256 differs.
        """
        if not self.path.is_file():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                torch.hub.download_url_to_file(self.url, str(self.path), self.name.rpartition("-")[2], progress=False)
            except (OSError, RuntimeError) as error:
                raise InputError(f"it cannot be downloaded ({error}); {self.remedy}") from error
        known, found = self.name.rpartition("-")[2], hashlib.sha256(self.path.read_bytes()).hexdigest()
        if not found.startswith(known):
            raise InputError(f"{self.path} is damaged: its SHA-256 begins with {found[: len(known)]}; delete it")
        return self.path

    @property
    def remedy(self) -> str:
        return f"download\n{self.url} elsewhere, and put it at {self.path}"


def alike(given: list[float] | None, wanted: list[float]) -> bool:
    """Whether a user has given these numbers of the channels, as rounded as a message tells them."""
    return given is not None and [f"{one:.4g}" for one in given] == [f"{one:.4g}" for one in wanted]


def told(scale: Mapping[str, list[float]]) -> str:
    """A scale as it is typed."""
    texts = {key: list(dict.fromkeys(f"{one:.4g}" for one in values)) for key, values in scale.items()}
    lists = {key: ",".join(one) for key, one in texts.items()}
    return " ".join(f"data.{key}={f'[{one}]' if ',' in one else one}" for key, one in lists.items())


def published(word: str, config: Mapping[str, Any], folder: Path) -> Published:
    """The published weights of a network of conf/network/torchvision.yaml; `word`: DEFAULT, or their name.

    Args:
        config: {network, data}.
        folder: the data folder.

    Raises:
        InputError: if the network is another one, has no such weights, or takes pictures of another scale.
    """
    network = config.get("network")
    if network is None or network["_target_"] != NETWORK:
        raise InputError("there is no such file; only network=torchvision has published weights")
    if network["name"] not in models.list_models(module=models):
        raise InputError(f"torchvision has {not_among(network['name'], models.list_models(module=models))}")
    known = models.get_model_weights(network["name"])
    if word not in known.__members__:
        raise InputError(f"{network['name']} has {not_among(word, known.__members__)}")
    made_for = known[word].transforms()
    wanted = {key: [0.5] * 3 if network["name"] in HALVES else list(getattr(made_for, key)) for key in USUAL}
    given = {key: config.get("data", {}).get(key) for key in USUAL}
    given = {key: [one] * 3 if isinstance(one, (int, float)) else one for key, one in given.items()}
    if wanted != USUAL and any(not alike(given[key], wanted[key]) for key in USUAL):
        raise InputError(f"{network['name']}'s are for pictures of {told(wanted)}")
    url = known[word].url
    return Published(url, folder / "torchvision" / url.rpartition("/")[2])
