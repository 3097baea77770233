"""Opens the finished run of a classifier whose features score generated images."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.metrics.features import Classifier
from atelier.project import command
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, attach
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import typed
from atelier.start.weights import checksum

NETWORK = "network."  # prefix of the network's tensors in a checkpoint


def check_features(config: DictConfig) -> None:
    """Check that a run which scores its images names a classifier that fits them, or a file of weights that is there.

    Raises:
        InputError: if the run names no classifier, with the commands to train it; or if its features cannot be made.
    """
    node = config.get("features")
    if node is not None and "run" in node and node.run is None:
        raise InputError("\n".join(how_to_make(node.experiment, Path(config.paths.logs))))
    if node is not None:
        build(node)


def trained_classifier(
    run: str | None, experiment: str | None, data_set: str | None, source: str, shape: Sequence[int], crc32: str | None
) -> Classifier:
    """The classifier of a finished run, as an extractor of features.

    Args:
        run: the classifier's run folder; `experiment` trains such a classifier, for the message of `check_features`.
        data_set: name of the data set that the classifier must have learnt; None: any data set.
        source: of the generator's data; unless it is "fake", the classifier must have learnt real data.
        shape: (C, H, W) of the images to score.
        crc32: checksum of the classifier's weights; None: any weights.

    Raises:
        InputError: if the run is not completed, trained no such classifier, or has other weights.
    """
    folder = RunFolder(Path(str(run)))
    if not folder.manifest.is_file():
        raise InputError(f"features.run={run}: there is no run in this folder")
    manifest = Manifest.read(attach(folder.path).manifest).content
    if manifest["status"] != "completed":
        how = f"go on with it: {command('train')} {typed('resume', run)}"
        raise InputError(f"features.run={run}: this run is {manifest['status']}, not completed; {how}")
    checkpoint = open_checkpoint(folder.checkpoint("best"))
    config, weights = checkpoint["config"], weights_of(checkpoint)
    learnt = config["data"]
    if "num_classes" not in (config.get("network") or {}):
        raise InputError(f"features.run={run}: this run has trained no classifier")
    if (name := learnt.get("name") or learnt["_target_"]) != (data_set or name):
        raise InputError(f"features.run={run}: this run was trained on {name}, not {data_set}")
    if learnt.get("source") == "fake" != source:
        raise InputError(f"features.run={run}: this run was trained on made-up data")
    if list(learnt["shape"]) != list(shape):
        raise InputError(f"features.run={run}: this run was trained on {learnt['shape']}, not {list(shape)}")
    found = checksum(weights)
    if found != (crc32 or found):
        raise InputError(f"features.run={run}: the scores began with the weights {crc32}, this run has {found}")
    with torch.random.fork_rng(devices=[]):  # scoring must not change the random numbers of the training
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


def weights_of(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    tensors = checkpoint["state_dict"].items()
    return {name.removeprefix(NETWORK): tensor for name, tensor in tensors if name.startswith(NETWORK)}


def how_to_make(experiment: str | None, logs: Path) -> list[str]:
    """The lines of the message for features.run=null: the commands to train the classifier and to use it."""
    lines = ["features.run is missing: name the run folder of a trained classifier, or choose features=pixels"]
    if experiment is None:
        return lines
    path = logs / "runs" / experiment / "scores"
    folder = RunFolder(Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path)
    begun = folder.manifest.is_file()
    if not (begun and Manifest.read(attach(folder.path).manifest)["status"] == "completed"):
        new = f"experiment={experiment} {typed('paths.run', folder.path)}"
        lines.append(f"  {command('train')} {typed('resume', folder.path) if begun else new}")
    return [*lines, f"  {command('train')} {shlex.join(sys.argv[1:])} {typed('features.run', folder.path)}"]
