"""Opens the run of a command: a new run, a run to resume, or a finished run to use again."""

import os
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import ALL, build_data, check_networks, check_run, check_targets, decide_devices
from atelier.compose.explain import CHANGEABLE, absent_group
from atelier.compose.targets import locate, plain
from atelier.errors import InputError
from atelier.places import in_full, with_places
from atelier.project import conf_of, project_root
from atelier.runs.changes import check_changes, check_length, differences
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, attach, create, find, read_yaml
from atelier.runs.manifest import MARKS, UNTESTED, Manifest
from atelier.runs.overrides import key_of, merged
from atelier.runs.provenance import rank
from atelier.runs.run import Run
from atelier.runs.setting import leaves, setting_hash, within
from atelier.runs.trust import check_files, check_overrides

ALONE = {"devices": 1, "num_nodes": 1, "strategy": "auto", "profiler": None}  # how a finished run is used again
FOLDER_OF_RANKS = "ATELIER_RUN"  # environment variable by which rank 0 passes the run folder to the other ranks


def open_run(config: DictConfig) -> tuple[Run, DictConfig]:
    """The run of train.py, new or resumed, and its configuration."""
    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    experiment = hydra.runtime.choices.get("experiment") or "default"
    if config.resume is not None:
        folder = to_resume(config)
        config, changed = resumed_config(folder, overrides, str(config.paths.data))
    check_run(config, experiment, overrides)
    if rank() > 0:
        if FOLDER_OF_RANKS not in os.environ:
            told = f"this is process {rank()} of several that torchrun, srun or a set RANK has begun"
            raise InputError(f"{told}; begin one: trainer.devices=2 begins the others, on Slurm hydra/launcher=slurm")
        config.paths.run = os.environ[FOLDER_OF_RANKS]
        run = Run(attach(Path(config.paths.run)), plain(config), resumed={} if config.resume else None)
    elif config.resume is not None:
        build_data(config).check_same(Manifest.read(folder.manifest).get("data"))
        if "changed" in config.data:
            config.data.changed = "refuse"  # data.changed=accept holds for this command only
        run = Run(folder, plain(config), changed)
    else:
        if config.sweep.folder is None:  # a sweep has checked its jobs
            build_data(config).check_source()
            check_networks(config)
        decide_devices(config.trainer)
        check_resolved(plain(config), "train.py")  # as where it is opened again
        folder = create(Path(config.paths.logs), experiment, Path(config.paths.run) if config.paths.run else None)
        config.paths.run = str(folder.path)
        names = {"experiment": experiment, "study": hydra.runtime.choices.get("study")}
        by_launcher = ("sweep.",) if config.sweep.folder is None else ("sweep.", "paths.run=")
        typed = [override for override in overrides if not override.startswith(by_launcher)]
        run = Run.start(folder, plain(config), names, with_places(typed, config), setting_hash(config))
    os.environ[FOLDER_OF_RANKS] = str(run.folder.path)
    return run, OmegaConf.create(run.config)


def after_what_was_typed(arguments: Sequence[str], conf: Path) -> list[str]:
    """Prefix the overrides of a command that changes a resumed run with the run's own overrides.

    Hydra then composes both together, and knows the keys of the run's experiment.
    """
    where = [argument for argument in arguments if key_of(argument) in ("resume", "paths.logs")]
    if len(where) == len(arguments):
        return list(arguments)
    with initialize_config_dir(str(conf), version_base="1.3"):
        config = compose("train", where)
    own = [] if config.resume is None else own_overrides(to_resume(config))
    return merged(own, arguments)


def own_overrides(folder: RunFolder) -> list[str]:
    """The overrides of a run, checked; without those that held for the command that began it."""
    manifest = Manifest.read(folder.manifest)
    check_overrides(manifest["overrides"], folder.manifest)
    return [override for override in manifest["overrides"] if key_of(str(override)) != "data.rebuild"]


def to_resume(config: DictConfig) -> RunFolder:
    """The run that `resume=` names: by its folder, by its last.ckpt, or as `latest`."""
    return find(str(config.resume).removesuffix("/checkpoints/last.ckpt"), Path(config.paths.logs))


def resumed_config(folder: RunFolder, overrides: list[str], data: str) -> tuple[DictConfig, dict[str, Any]]:
    """The configuration of a run to resume, composed again for new `overrides` or if its `data` folder has moved.

    Returns:
        The configuration, and the entries of run.json that change.

    Raises:
        InputError: if there are new overrides, but the run's own no longer compose to its setting.
    """
    stored = config = stored_config(folder)
    manifest, typed = Manifest.read(folder.manifest), own_overrides(folder)
    then, now = ({key_of(override): override for override in given} for given in (typed, overrides))
    new = [override for key, override in now.items() if key != "resume" and then.get(key) != override]
    if any(within(key_of(override), "start") for override in new):
        told = "a run keeps what it started from; a new run, without resume=, can change it"
        raise InputError(f"{' '.join(new)}: {told}")
    changed: dict[str, Any] = {}
    if new or data != stored.paths.data:
        begun = composed(typed, stored)
        if "features" in stored:
            begun.features = stored.features  # the classifier's folder may have moved; its identity is compared below
        if setting_hash(begun) == manifest["config_hash"]:
            typed = merged(typed, new)
            config = composed(typed, stored, new=set(map(key_of, new)))
            once = ("data.changed", "data.rebuild", *["train"] * stored.train)  # hold for this command only
            kept = [override for override in typed if key_of(override) not in once]
            marks = {key: value for key, value in plain(config).items() if key in MARKS & set(map(key_of, new))}
            changed = {"overrides": with_places(kept, config), "config_hash": setting_hash(config), **marks}
            changes = differences(plain(stored), plain(config))
            if changes and stored.train and not config.train:
                key, (_, value) = next(iter(changes.items()))
                raise InputError(f"{key}={value}: train=false trains nothing; leave one of the two out")
            check_changes(changes, manifest.content, batches_done(folder))
            check_length(config.trainer, changes, manifest.content)
        elif new:
            told = f"and its command gives another setting now; resume it without {' '.join(new)}"
            raise InputError(f"conf/ or the code has changed since {folder.path} began, {told}")
    if config.checkpoint != stored.checkpoint:
        changed |= UNTESTED  # another checkpoint was tested
    config.resume = config.paths.run = str(folder.path)
    if not {"data.folder", "paths.data"} & {key_of(override) for override in typed}:
        at_home(config, data)
    places = [("run", logger) for logger in (config.get("logger") or {}).values()]
    for key, node in [*places, ("dirpath", config.trainer.get("profiler"))]:
        if OmegaConf.is_dict(node) and key in node:
            node[key] = config.paths.run  # the folder may have moved, or be a stranger's
    return config, changed


def batches_done(folder: RunFolder) -> int:
    """Number of finished batches in a run's unfinished epoch; 0 at the start of an epoch."""
    if not folder.last.exists():
        return 0
    loaders = open_checkpoint(folder.last)["loops"]["fit_loop"]["state_dict"].get("combined_loader") or [{"given": 0}]
    return int(loaders[0]["given"])


def composed(overrides: list[str], stored: DictConfig, new: Container[str] = ()) -> DictConfig:
    """Compose and check `overrides`; sweep, start, devices, and relative places that are not `new`, are as `stored`."""
    config = compose("train", overrides)
    config.sweep, config.start = stored.get("sweep") or config.sweep, stored.get("start") or config.start
    if config.trainer.devices in ALL:
        config.trainer.devices = stored.trainer.devices
    in_full(config, stored, new)
    check_targets(config)
    return config


def reopen(options: DictConfig, typed: Sequence[str] | None = None) -> tuple[RunFolder, DictConfig, Path]:
    """The folder of a finished run, its configuration as changed by `options`, and the path of the checkpoint.

    `options` name the `run` and the `checkpoint`. Their `callbacks`, and their `trainer` if there is one, replace the
    run's; their keys of `data` and `task` are merged into the run's. `typed`: the overrides; None: Hydra's command's.
    """
    if OmegaConf.is_missing(options, "run"):
        raise InputError("run is missing: give it as run=FOLDER or run=latest")
    folder = find(str(options.run), Path(options.paths.logs))
    check_files(folder.path)
    path = folder.checkpoint(str(options.checkpoint))
    config = stored_config(folder, path)
    for override in HydraConfig.get().overrides.task if typed is None else typed:
        added = key_of(override).partition(".")[0] if override.startswith("+") else None  # a key of the run
        if added not in (None, "callbacks", *CHANGEABLE) or (added == "trainer" and "_target_" not in options.trainer):
            raise InputError(absent_group(added, conf_of(project_root()), str(HydraConfig.get().job.config_name)))
    config.trainer = options.get("trainer") or OmegaConf.merge(config.trainer, ALONE)
    at_home(config, options.paths.data)
    trained = plain(config.data)
    for group in ("data", "task"):
        config[group] = OmegaConf.merge(config[group], options.get(group) or {})
    config.callbacks = options.get("callbacks") or {}
    check_targets(config)
    locate("data", config.data._target_).check_split(trained, plain(config.data))
    return folder, config, path


def at_home(config: DictConfig, data: str) -> None:
    """Let the data of a stored configuration lie in this command's data folder, and files that are gone from theirs."""
    before, config.paths.data = f"{config.paths.data}/", data
    for key, value in config.data.items():
        if isinstance(value, str) and f"{value}/".startswith(before) and (key == "folder" or not Path(value).exists()):
            config.data[key] = data + value[len(before) - 1 :]


def stored_config(folder: RunFolder, checkpoint: Path | None = None) -> DictConfig:
    """The checked configuration of a checkpoint (loaded with `weights_only`), or of the run, from its config.yaml.

    Raises:
        InputError: if a `_target_` is outside `ALLOWED`, a value is an interpolation, or the file cannot be read.
    """
    content: Any = open_checkpoint(checkpoint)["config"] if checkpoint else read_yaml(folder.config)
    check_resolved(content, checkpoint or folder.config)
    config = OmegaConf.create(content)
    if "rebuild" in config.data:
        config.data.rebuild = False  # it holds for one command
    check_targets(config)
    return config


def check_resolved(content: Any, where: Path | str) -> None:
    for key, value in leaves(content):
        if "${" in str(value):  # it could read an environment variable of whoever opens the run
            raise InputError(f"{where}: {key}={value}: a stored configuration is resolved")
