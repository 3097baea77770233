"""Feature networks for the scores of made pictures: a classifier of this project's, plain pixels, or Inception."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from torch import Tensor, nn

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, attach

OWN = ("ATELIER_RUN", "LOCAL_RANK", "NODE_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # of this run


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
            raise InputError(f"features.weights={weights}: there is no such file; features=classifier needs none")
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


def of_classifier(
    experiment: str, run: str | None, logs: str, data: str, root: str, shape: Sequence[int]
) -> Classifier:
    """The features of a classifier that this project has trained, or trains now.

    Args:
        experiment: what trains it.
        run: its run folder; None takes the first that finished under `logs`, so that scores stay comparable.
        logs: where runs lie; data: where data sets lie; root: the project's folder.
        shape: (C, H, W) of the pictures to come.

    Raises:
        InputError: if the run is none of a classifier of such pictures, or cannot be trained.
    """
    folder = attach(Path(run)) if run else found_or_trained(experiment, Path(logs), data, Path(root))
    path = folder.checkpoint("best")
    checkpoint = open_checkpoint(path)
    config, weights = checkpoint["config"], checkpoint["state_dict"]
    if "num_classes" not in (config.get("network") or {}):
        raise InputError(f"features.run={folder.path}: it has trained no classifier")
    if list(config["data"]["shape"]) != list(shape):
        raise InputError(f"features.run={folder.path}: it was trained on {config['data']['shape']}, not {list(shape)}")
    with torch.random.fork_rng(devices=[]):  # who asks for features draws no other numbers than who does not
        network = build(OmegaConf.create(config["network"]))
    prefix = "network."
    network.load_state_dict({key.removeprefix(prefix): v for key, v in weights.items() if key.startswith(prefix)})
    identity = identity_of(folder, network)
    return Classifier(network, config["data"]["mean"], config["data"]["std"], identity)


def identity_of(folder: RunFolder, network: nn.Module) -> dict[str, object]:
    """Which network the scores are of: its run, its weights' checksum, and how good a classifier it is."""
    crc = 0
    for _, value in sorted(network.state_dict().items()):
        crc = zlib.crc32(value.contiguous().numpy().reshape(-1).view("uint8").data, crc)
    manifest = json.loads(folder.manifest.read_text())
    accuracy = manifest["test"].get("accuracy")
    return {
        "features": "classifier",
        "experiment": manifest["experiment"],
        "run": str(folder.path),
        "weights_crc32": f"{crc:08x}",
        "test_accuracy": accuracy,
    }


def found_or_trained(experiment: str, logs: Path, data: str, root: Path) -> RunFolder:
    """The first finished run of an experiment; of several processes that need one, one trains and the others wait."""
    home = logs / "runs" / experiment
    if (found := first_finished(home)) is not None:
        return found
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / ".lock"):
        if (found := first_finished(home)) is not None:
            return found
        print(f"The scores need a classifier once: training experiment={experiment} ...", flush=True)
        environment = {key: value for key, value in os.environ.items() if key not in OWN}
        environment |= {"LOG_DIR": str(logs), "DATA_DIR": data}
        command = [sys.executable, str(root / "src" / "train.py"), f"experiment={experiment}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode or (found := first_finished(home)) is None:
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-2:])
            raise InputError(f"features: experiment={experiment} could not be trained:\n{last}")
        return found


def first_finished(home: Path) -> RunFolder | None:
    """The oldest completed run that was none for debugging."""
    for manifest in sorted(home.glob("*/run.json")):
        found = json.loads(manifest.read_text())
        if found["status"] == "completed" and not any(typed.startswith("debug=") for typed in found["overrides"]):
            return attach(manifest.parent)
    return None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
