"""Which run a command is about: a new one, one to go on with, or a finished one to use again."""

import os
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import check_run, check_targets, plain
from atelier.errors import InputError
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, create, find
from atelier.runs.provenance import config_hash
from atelier.runs.run import Run

FOLDER_OF_RANKS = "ATELIER_RUN"  # environment: where the first process of a run tells the others to look


def open_run(config: DictConfig) -> tuple[Run, DictConfig]:
    """The run that train.py is to do, and its configuration."""
    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    experiment = hydra.runtime.choices.get("experiment") or "default"
    if config.resume is not None:
        folder = find(str(config.resume), Path(config.paths.logs))
        config = resumed_config(folder, config, overrides)
    check_run(config)
    if rank_zero_only.rank > 0 and FOLDER_OF_RANKS in os.environ:
        config.paths.run = os.environ[FOLDER_OF_RANKS]
        run = Run.join(plain(config))
    elif config.resume is not None:
        run = Run.resume(folder, plain(config))
    else:
        setting = config_hash(plain(OmegaConf.merge(config, {"seed": 0})))
        folder = create(Path(config.paths.logs), experiment, Path(config.paths.run) if config.paths.run else None)
        config.paths.run = str(folder.path)
        run = Run.start(folder, plain(config), experiment, overrides, project_root(), setting)
    os.environ[FOLDER_OF_RANKS] = str(run.folder.path)
    return run, OmegaConf.create(run.config)


def project_root() -> Path:
    return Path(OmegaConf.create({"root": "${project_root:}"}).root)


def resumed_config(folder: RunFolder, given: DictConfig, overrides: list[str]) -> DictConfig:
    """The configuration of the run in `folder`, with what this command line changes.

    A group (`trainer=cpu`) is replaced as a whole, a key (`trainer.max_epochs=50`) alone.
    """
    config, changed = stored_config(folder), OmegaConf.create(plain(given))
    for override in overrides:
        key = override.partition("=")[0].lstrip("+")
        if key not in ("resume", "experiment", "debug"):
            OmegaConf.update(config, key, OmegaConf.select(changed, key), merge=False)
    config.resume = config.paths.run = str(folder.path)
    return config


def reopen(options: DictConfig) -> tuple[RunFolder, DictConfig, Path]:
    """A finished run, its configuration with what `options` changes, and the checkpoint to use.

    `options` names the `run` and the `checkpoint`; a `trainer` takes the place of the run's, and what else has a place
    in the run's configuration (data.batch_size) is set there.
    """
    if OmegaConf.is_missing(options, "run"):
        raise InputError("run is missing: give it as run=FOLDER or run=latest")
    folder = find(str(options.run), Path(options.paths.logs))
    path = folder.checkpoint(str(options.checkpoint))
    config = stored_config(folder, path)
    changed = OmegaConf.create(
        {key: value for key, value in plain(options).items() if key in config and value is not None}
    )
    config.paths.data = changed.pop("paths").data
    changed.pop("checkpoint")
    if "trainer" in changed:
        config.trainer = changed.pop("trainer")
    config = OmegaConf.merge(config, changed)
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
    check_targets(config)
    return config
