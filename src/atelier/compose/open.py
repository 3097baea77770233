"""Which run a command is about: a new one, one to go on with, or a finished one to use again."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import check_run, check_targets, plain
from atelier.errors import InputError
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, find
from atelier.runs.run import Run


def open_run(config: DictConfig) -> tuple[Run, DictConfig]:
    """The run that train.py is to do, and its configuration."""
    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    if config.resume is not None:
        folder = find(str(config.resume), Path(config.paths.logs))
        config = resumed_config(folder, config, overrides)
        check_run(config)
        run = Run.resume(folder, plain(config))
    else:
        check_run(config)
        setting = OmegaConf.merge(config, {"seed": 0})
        experiment = hydra.runtime.choices.get("experiment") or "default"
        run = Run.start(plain(config), experiment, overrides, project_root(), plain(setting))
    return run, OmegaConf.create(run.config)


def project_root() -> Path:
    return Path(OmegaConf.create({"root": "${project_root:}"}).root)


def resumed_config(folder: RunFolder, given: DictConfig, overrides: list[str]) -> DictConfig:
    """The configuration of the run in `folder`, with what this command line changes.

    A group (`trainer=cpu`) is replaced as a whole, a key (`trainer.max_epochs=50`) alone.
    """
    config = stored_config(folder)
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key in ("resume", "experiment", "debug"):
            continue
        value = OmegaConf.select(OmegaConf.create(plain(given)), key)
        OmegaConf.update(config, key, value, merge=False, force_add=True)
    config.resume = str(folder.path)
    config.paths.run = str(folder.path)
    return config


def stored_config(folder: RunFolder, checkpoint: Path | None = None) -> DictConfig:
    """A run's configuration: from a checkpoint that has loaded safely, or before there is one from config.yaml.

    Raises:
        InputError: if it asks to build anything that is not allowed.
    """
    source = checkpoint or next((path for path in (folder.last, folder.best) if path.exists()), None)
    content: Any = open_checkpoint(source)["config"] if source else OmegaConf.to_container(OmegaConf.load(folder.config))
    config = OmegaConf.create(content)
    assert isinstance(config, DictConfig)
    check_targets(config)
    return config
