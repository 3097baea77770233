"""The classifier on whose features made pictures are scored: a finished run, which the user names."""

import os
import shlex
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.metrics.features import Classifier
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder
from atelier.runs.manifest import Manifest

NETWORK = "network."  # what the names of its tensors begin with in a checkpoint


def check_features(config: DictConfig) -> None:
    """Check that the scores of a run have the classifier that they need.

    Raises:
        InputError: if none is named, with the commands that make it and go on; or if it does not fit.
    """
    node = config.get("features")
    if node is None or "run" not in node:
        return
    if node.run is None:
        raise InputError("\n".join(how_to_make(node.experiment, Path(config.paths.logs))))
    build(node)


def trained_classifier(
    run: str | None, experiment: str | None, data_set: str | None, source: str, shape: Sequence[int], crc32: str | None
) -> Classifier:
    """The features of a classifier that has been trained.

    Args:
        run: its run folder.
        experiment: what trains such a classifier, for the message that none is named.
        data_set: what it must have learnt, None: anything; `source`: on the real data set, or "fake" on either.
        shape: (C, H, W) of the pictures to come.
        crc32: checksum of its weights; None for any.

    Raises:
        InputError: if the run has not finished, is none of a classifier of such pictures, or has other weights.
    """
    folder = RunFolder(Path(str(run)))
    if not folder.manifest.is_file():
        raise InputError(f"features.run={run}: there is no run in this folder")
    manifest = Manifest.read(folder.manifest).content
    if manifest["status"] != "completed":
        how = f"go on with it: python src/train.py resume={shlex.quote(str(run))}"
        raise InputError(f"features.run={run}: this run is {manifest['status']}, not completed; {how}")
    checkpoint = open_checkpoint(folder.checkpoint("best"))
    config, weights = checkpoint["config"], weights_of(checkpoint)
    learnt = config["data"]
    if "num_classes" not in (config.get("network") or {}):
        raise InputError(f"features.run={run}: it has trained no classifier")
    if (name := learnt.get("name") or learnt["_target_"]) != (data_set or name):
        raise InputError(f"features.run={run}: it was trained on {name}, not {data_set}")
    if learnt.get("source") == "fake" != source:
        raise InputError(f"features.run={run}: it was trained on made-up data")
    if list(learnt["shape"]) != list(shape):
        raise InputError(f"features.run={run}: it was trained on {learnt['shape']}, not {list(shape)}")
    found = checksum(weights)
    if found != (crc32 or found):
        raise InputError(f"features.run={run}: the weights are not those of this run's scores ({found}, not {crc32})")
    with torch.random.fork_rng(devices=[]):  # a run draws the same numbers with scores as without them
        network = build(OmegaConf.create(config["network"]))
    network.load_state_dict(weights)
    identity = {
        "features": "classifier",
        "experiment": manifest["experiment"],
        "run": str(run),
        "weights_crc32": found,
        "test_accuracy": manifest["test"].get("accuracy"),
    }
    return Classifier(network, learnt["mean"], learnt["std"], identity)


def name_classifier(config: DictConfig, scored_by: Mapping[str, Any]) -> None:
    """In the configuration of a run whose version looked for a classifier by itself, name the one that it took."""
    for node in (config, config.task):
        if OmegaConf.select(node, "features._target_") == f"{__name__}.of_classifier":
            kept = {key: node.features[key] for key in ("experiment", "shape")}
            named = {"run": scored_by.get("run"), "crc32": scored_by.get("weights_crc32"), "data_set": None}
            node.features = {"_target_": f"{__name__}.trained_classifier", **kept, **named, "source": "fake"}


def weights_crc32(run: str | None) -> str | None:
    """The checksum of a run's best weights, for `${weights_crc32:run}`; None where there are none."""
    try:
        return None if run is None else checksum(weights_of(open_checkpoint(RunFolder(Path(run)).checkpoint("best"))))
    except InputError:  # which `trained_classifier` tells
        return None


def weights_of(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    tensors = checkpoint["state_dict"].items()
    return {name.removeprefix(NETWORK): tensor for name, tensor in tensors if name.startswith(NETWORK)}


def checksum(weights: dict[str, Tensor]) -> str:
    crc = 0
    for _, tensor in sorted(weights.items()):
        crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def how_to_make(experiment: str | None, logs: Path) -> list[str]:
    """That no run is named, and the two commands: to train the classifier, unless it is there, and to go on."""
    lines = ["features.run is missing: name the run folder of a trained classifier, or choose features=pixels"]
    if experiment is None:
        return lines
    path = logs / "runs" / experiment / "scores"
    folder = RunFolder(Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path)
    begun = folder.manifest.is_file()
    if not (begun and Manifest.read(folder.manifest)["status"] == "completed"):
        train = f"resume={folder.path}" if begun else f"experiment={experiment} paths.run={folder.path}"
        lines.append(f"  python src/train.py {train}")
    return [*lines, f"  python src/train.py {shlex.join([*sys.argv[1:], f'features.run={folder.path}'])}"]
