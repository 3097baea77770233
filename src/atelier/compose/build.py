"""Checks the configuration of a run, and builds its task, data and Trainer."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as lightning
import torch
from annotated_types import Ge
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from omegaconf import DictConfig, OmegaConf, open_dict

from atelier.arguments import MISSING, Seed, UnknownArgument, check_arguments, signature_of
from atelier.callbacks.patience import Patience
from atelier.callbacks.progress import TrainingProgress
from atelier.callbacks.pruning import Pruning
from atelier.compose.features import check_features
from atelier.compose.targets import build, check, locate, make, parts, plain
from atelier.data.tensors import TensorData
from atelier.errors import InputError
from atelier.figures.words import better
from atelier.internals import NoProfiler, ask_no_driver
from atelier.option_files import check_keys, source_of
from atelier.places import in_full
from atelier.project import command, conf_of, project_root
from atelier.runs.checkpoint import Straight
from atelier.runs.generators import seed_generators
from atelier.runs.overrides import key_of
from atelier.runs.run import Run
from atelier.start.begin import settle
from atelier.start.freeze import freeze
from atelier.tasks.manual import leave_to_the_task
from atelier.tasks.precision import choose_precision
from atelier.tasks.task import Task

ALL = ("auto", -1, "-1")  # values of trainer.devices that mean: every device


@dataclass(frozen=True)
class Options:
    """The options of train.py that build no object; conf/train.yaml describes them."""

    seed: Seed
    train: bool
    test: bool
    checkpoint: str | None
    save_every: Annotated[float, Ge(0)]
    resume: str | None
    save_last: bool
    lr_find: bool
    tags: Sequence[str]
    note: str | None


def check_run(config: DictConfig, experiment: str = "default", overrides: Sequence[str] = ()) -> None:
    """Check the configuration of a run before its data and task are built, and complete it: places, `start`.

    Args:
        experiment: name of the experiment, and the `overrides` that were typed: the message says which of the two sets
            a wrong key.

    Raises:
        InputError: with the key, the value and the choices.
    """
    if config.resume is None:
        check_keys(config, conf_of(project_root()), experiment, overrides)
    check_arguments("", Options, plain(OmegaConf.masked_copy(config, list(signature_of(Options)[0]))))
    if config.get("budget", "full") != "full":
        told = f"is for the sweep of a study: {command('train')} -m study=NAME budget=quick"
        raise InputError(f"budget={config.budget} {told}")
    for path, value in parts(OmegaConf.to_container(config)):
        if value == MISSING:
            raise InputError(f"{path} is missing: give it as {path}=VALUE")
    try:
        check_targets(config)
    except UnknownArgument as error:
        typed = any(override.lstrip("+").startswith(f"{error.key}=") for override in overrides)
        if typed or experiment == "default":
            raise
        told = f"{error.owner} has no {error.key.rpartition('.')[2]!r}; remove it with ~{error.key}"
        source = source_of(conf_of(project_root()), experiment, error.key)
        raise InputError(f"{error.key} ({source}): {told}") from error
    check_measuring(config, overrides)
    if not config.train and config.resume is None and config.checkpoint is None:
        raise InputError("train=false with nothing to test: give checkpoint=PATH")
    if config.train and config.checkpoint is not None:
        told = "is what train=false tests; to train, give checkpoint=null; to go on with a run, use resume=FOLDER"
        raise InputError(f"checkpoint={config.checkpoint} {told}")
    in_full(config)
    check_features(config)
    settle(config)


def check_measuring(config: DictConfig, overrides: Sequence[str]) -> None:
    """
    Raises:
        InputError: for an interval of validations that is no number of steps, or a metric typed with the wrong mode.
    """
    often, every = config.trainer.val_check_interval, config.trainer.check_val_every_n_epoch
    if every is None and not isinstance(often, int):
        counting = "a run that counts steps (trainer.check_val_every_n_epoch=null) needs a whole number of them"
        raise InputError(f"trainer.val_check_interval={often}: {counting}")
    typed = {key_of(override) for override in overrides}
    right = better(config.task.metric)
    if "task.metric" in typed and "task.mode" not in typed and right not in (None, config.task.mode):
        told = f"task.mode={config.task.mode} would keep the worst network; give task.mode={right} too"
        raise InputError(f"task.metric={config.task.metric}: {told}")


def check_targets(config: DictConfig) -> None:
    """Check every `_target_` of the configuration."""
    config = config.copy()
    config.paths.run = str(config.paths.run)  # null for a new run, whose folder is made after this check
    check(config)


def check_networks(config: DictConfig) -> None:
    """Build the networks on the meta device, without memory: an InputError for a refused value or `start.freeze`."""
    for key in config.task:
        node = OmegaConf.select(config, f"task.{key}", throw_on_resolution_failure=False)
        if key == "features" or not OmegaConf.is_dict(node) or "_target_" not in node:
            continue
        path = key if config.get(key) == node else f"task.{key}"  # the key that the user typed
        kind: Any = locate(path, node._target_)
        if key != "network" and not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
            continue
        try:
            with torch.device("meta"):
                made = make(path, plain(node))
        except (InputError, RuntimeError):
            made = make(path, plain(node))  # some constructors read their weights, which the meta device does not hold
        if key == "network" and config.start.freeze:
            freeze(made, config.start.freeze)


def build_task(config: DictConfig) -> Task:
    """The task with its network; the seed alone decides the initial weights."""
    seed_generators(config.seed)
    return build(config.task)


def build_data(config: DictConfig) -> TensorData:
    seed_generators(config.seed)  # some data sets draw from the global generators
    return build(config.data)


def build_trainer(
    config: DictConfig, network: torch.nn.Module, run: Run | None = None, output: Path | None = None
) -> lightning.Trainer:
    """The Trainer of `run`, for its `network`; without a run, one that keeps nothing, whose callbacks write into
    `output`."""
    settings = config.trainer.copy()
    with open_dict(settings):
        patience = settings.pop("patience", None)
    ask_no_driver()
    settings.accelerator = accelerator = decide_devices(settings)
    if settings.precision == "auto":
        settings.precision, reason = choose_precision(accelerator, network, str(settings.strategy))
        if run:
            run.precision_reason = reason
    if not getattr(locate("task", config.task._target_), "automatic_optimization", True):
        leave_to_the_task(settings, config.task)
    if isinstance(settings.val_check_interval, int):  # in optimizer steps; Lightning counts batches
        settings.val_check_interval *= settings.accumulate_grad_batches
    callbacks = build_all(config, "callbacks")
    if run:
        callbacks = [TrainingProgress(), *callbacks, *pruning(config, run)]
        if patience is not None:
            callbacks.append(Patience(patience, lambda done: run.manifest.update(stopped_early=done)))
    elif callbacks and output:
        (output / "figures").mkdir(parents=True, exist_ok=True)
    trainer: lightning.Trainer = build(
        settings,
        callbacks=callbacks + ([run.keeper] if run else []),
        logger=[run.metrics, *build_all(config, "logger")] if run else False,
        default_root_dir=config.paths.run if run else output,
        **({} if settings.profiler else {"profiler": NoProfiler()}),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=run is not None,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    trainer.strategy.checkpoint_io = Straight()
    return trainer


def pruning(config: DictConfig, run: Run) -> list[Pruning]:
    """The callback that prunes a trial of a search; an empty list for every other run."""
    trial = OmegaConf.select(config, "sweep.trial")
    if trial is None:
        return []
    from atelier.runs.judge import Judge  # imports Optuna, which only searches need

    judge = Judge(run.folder.path.parent, trial, functools.partial(make, "hydra.sweeper.pruner"))
    return [Pruning(judge.hopeless, run.prune)]


def build_all(config: DictConfig, group: str) -> list[Any]:
    """Build each object of a group {name: node}, such as `callbacks` and `logger`."""
    return [build(node) for node in (config.get(group) or {}).values() if node is not None]


def pick_accelerator(name: str) -> str:
    here = ["cuda"] * CUDAAccelerator.is_available() + ["mps"] * MPSAccelerator.is_available() + ["cpu"]
    wanted = {"auto": here[0], "gpu": "cuda" if "cuda" in here or "mps" not in here else "mps"}.get(name, name)
    if wanted not in here:
        raise InputError(f"trainer.accelerator={name}: this machine has {', '.join(here)}; trainer=auto takes the best")
    return wanted


def decide_devices(trainer: DictConfig) -> str:
    """Set `devices: auto` to this machine's number of devices, which multiplies the batch; return the accelerator."""
    accelerator, devices = pick_accelerator(trainer.accelerator), trainer.devices
    count = torch.cuda.device_count() if accelerator == "cuda" else 1
    if devices in ALL:
        trainer.devices = count
    elif accelerator == "cpu" and not str(devices).isdigit():
        raise InputError(f"trainer.devices={devices}: a list names GPUs; on a processor, give a number of processes")
    elif accelerator == "cuda" and (len(devices) if OmegaConf.is_list(devices) else int(devices)) > count:
        here = f"{count} GPU{'s' * (count != 1)}"
        raise InputError(f"trainer.devices={devices}: this machine has {here}; trainer=auto takes one")
    return accelerator
