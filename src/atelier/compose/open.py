"""Which run a command is about: a new one, one to go on with, or a finished one to use again."""

import os
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import ALL, check_run, check_targets, decide_devices
from atelier.compose.explain import CHANGEABLE
from atelier.compose.features import name_classifier
from atelier.compose.targets import plain
from atelier.errors import InputError
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, attach, create, find
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import key_of
from atelier.runs.run import Run, rank
from atelier.runs.setting import setting_hash

FOLDER_OF_RANKS = "ATELIER_RUN"  # environment: where the first process of a run tells the others to look


def open_run(config: DictConfig) -> tuple[Run, DictConfig]:
    """The run that train.py is to do, and its configuration."""
    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    experiment = hydra.runtime.choices.get("experiment") or "default"
    changed: dict[str, Any] = {}
    if config.resume is not None:
        folder = find(str(config.resume), Path(config.paths.logs))
        config, changed = resumed_config(folder, overrides, str(config.paths.data))
    check_run(config, experiment, overrides)
    if rank() > 0 and FOLDER_OF_RANKS in os.environ:
        config.paths.run = os.environ[FOLDER_OF_RANKS]
        run = Run(attach(Path(config.paths.run)), plain(config), resumed=config.resume is not None)
    elif config.resume is not None:
        run = Run.resume(folder, plain(config), changed)
    else:
        decide_devices(config.trainer)
        folder = create(Path(config.paths.logs), experiment, Path(config.paths.run) if config.paths.run else None)
        config.paths.run = str(folder.path)
        names = {"experiment": experiment, "study": hydra.runtime.choices.get("study")}
        typed = [override for override in overrides if not of_the_launcher(override, config)]
        run = Run.start(folder, plain(config), names, typed, project_root(), setting_hash(config))
    os.environ[FOLDER_OF_RANKS] = str(run.folder.path)
    return run, OmegaConf.create(run.config)


def of_the_launcher(override: str, config: DictConfig) -> bool:
    """Whether a job was given this by the sweep that it belongs to, and not by the user."""
    return override.startswith("sweep.") or (config.sweep.folder is not None and override.startswith("paths.run="))


def project_root() -> Path:
    return Path(OmegaConf.create({"root": "${project_root:}"}).root)


def resumed_config(folder: RunFolder, overrides: list[str], data: str) -> tuple[DictConfig, dict[str, Any]]:
    """The configuration of the run in `folder`; composed anew from what was typed then and now, if anything is new.

    Where `data` sets lie now may be new as well: they are looked for there, if that leaves the setting as it was.

    Returns:
        It, and what changes in run.json.

    Raises:
        InputError: if something is new and what was typed then no longer gives the setting that the run began with.
    """
    stored = config = stored_config(folder)
    new = [override for override in overrides if key_of(override) != "resume"]
    changed = {}
    if new or data != stored.paths.data:
        manifest, features = Manifest.read(folder.manifest), features_of(stored)
        typed = manifest["overrides"]
        begun = composed(typed, stored)
        if "features" in stored:
            begun.features = stored.features  # whose run may lie elsewhere now; compared below
        if setting_hash(begun) == manifest["config_hash"]:
            replaced = [key_of(override) for override in new]
            typed = [override for override in typed if key_of(override) not in replaced] + new
            config = composed(typed, stored)
            for key, value in features_of(config).items():
                if value != features.get(key):
                    raise InputError(f"features.{key}={value}: the scores of this run began with {features.get(key)}")
            changed = {"overrides": typed, "config_hash": setting_hash(config)}
        elif new:
            raise InputError(
                f"conf/ or the code has changed since {folder.path} began, so that it would be another setting; "
                f"resume it without {' '.join(new)}"
            )
    config.resume = config.paths.run = str(folder.path)
    return config, changed


def composed(overrides: list[str], stored: DictConfig) -> DictConfig:
    """A checked configuration from what was typed, of the run that has `stored`: its sweep, its number of devices."""
    config = compose("train", overrides)
    config.sweep = stored.get("sweep") or config.sweep
    if config.trainer.devices in ALL:
        config.trainer.devices = stored.trainer.devices
    check_targets(config)
    return config


def features_of(config: DictConfig) -> dict[str, Any]:
    """What a run's made pictures are scored on, wherever that lies."""
    features = plain(config.features) if config.get("features") is not None else {}
    return {key: value for key, value in features.items() if key != "run"}


def reopen(options: DictConfig) -> tuple[RunFolder, DictConfig, Path]:
    """A finished run, its configuration with what `options` changes, and the checkpoint to use.

    `options` names the `run` and the `checkpoint`; a `trainer` takes the place of the run's, and keys of `data` and
    `task` (data.eval_batch_size) are set in the run's own. The run's callbacks give way to those of `options`, if any.
    """
    if OmegaConf.is_missing(options, "run"):
        raise InputError("run is missing: give it as run=FOLDER or run=latest")
    folder = find(str(options.run), Path(options.paths.logs))
    path = folder.checkpoint(str(options.checkpoint))
    config = stored_config(folder, path)
    for override in HydraConfig.get().overrides.task:
        added = key_of(override).partition(".")[0] if override.startswith("+") else None  # no key of the command itself
        if added not in (None, "callbacks", *CHANGEABLE):
            raise InputError(f"{added}: of a finished run, {', '.join(CHANGEABLE)} can be changed")
    if options.get("trainer") is not None:
        config.trainer = options.trainer
    for group in ("data", "task"):
        config[group] = OmegaConf.merge(config[group], options.get(group) or {})
    config.callbacks = options.get("callbacks") or {}
    config.paths.data = options.paths.data
    if "folder" in config.data:
        config.data.folder = options.paths.data
    check_targets(config)
    return folder, config, path


def stored_config(folder: RunFolder, checkpoint: Path | None = None) -> DictConfig:
    """A run's configuration: from a checkpoint that has loaded safely, or before there is one from config.yaml.

    Raises:
        InputError: if it asks to build anything that is not allowed.
    """
    source = checkpoint or next((path for path in (folder.last, folder.best) if path.exists()), None)
    content: Any = open_checkpoint(source)["config"] if source else OmegaConf.load(folder.config)
    config = OmegaConf.create(content)
    assert isinstance(config, DictConfig)
    name_classifier(config, Manifest.read(folder.manifest).get("features") or {})
    check_targets(config)
    return config
