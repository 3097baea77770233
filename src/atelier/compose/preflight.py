"""Checks a job of a sweep before it starts: its configuration composes, its arguments fit, its data exist."""

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from atelier.arguments import typed
from atelier.compose.command_line import check_typed
from atelier.compose.explain import explain
from atelier.compose.verb import about_settings, register_resolvers
from atelier.errors import InputError
from atelier.project import conf_of
from atelier.runs.setting import setting_hash
from atelier.runs.terminal import quieten_lightning
from atelier.runs.trust import check_overrides


def check_job(
    root: Path, environment: Mapping[str, str], gpus: int | None, swept: Sequence[str], overrides: list[str]
) -> dict[str, Any]:
    """Compose one job of a sweep and check it.

    Args:
        root: the project's folder.
        environment: the environment variables of the process that starts the sweep.
        gpus: number of GPUs of a cluster's node; None: the job runs on this machine, whose devices are checked.
        swept: keys whose values are returned; `overrides`: the job's command line.

    Returns:
        {"problem": message}, or {seed, experiment, config_hash, objective {metric, mode}, accelerator, gpus, devices,
        nodes, epochs, steps, values {swept key: value as text}}; only the counted unit, epochs or steps, is not None.
    """
    import torch  # not at the top: the process that starts a sweep does not import torch

    from atelier.compose.build import ALL, build_data, build_trainer, check_networks, check_run, decide_devices

    conf = conf_of(root)
    quieten_lightning()
    os.environ.update(environment)
    register_resolvers(root)
    GlobalHydra.instance().clear()
    try:
        check_overrides(overrides, "-m")  # as when it is resumed
        check_typed(overrides, conf, "job")  # its sweep may read a key that no other reads
        with initialize_config_dir(str(conf), version_base="1.3"), contextlib.redirect_stderr(io.StringIO()):
            config = compose("train", overrides, return_hydra_config=True)
            choices = config.hydra.runtime.choices
            experiment = choices.get("experiment") or "default"
            config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            OmegaConf.set_struct(config, True)
            config.sweep.swept = list(swept)  # as in the job itself
            check_run(config, experiment, overrides)
            if config.lr_find:
                raise InputError("lr_find=true looks for the learning rate of one configuration: without -m")
            if OmegaConf.is_list(listed := config.trainer.devices):
                told = f"a sweep chooses each job's GPUs; give their number, trainer.devices={len(listed)}, and"
                alone = f"CUDA_VISIBLE_DEVICES={','.join(map(str, listed))} before the command to use these alone"
                raise InputError(f"trainer.devices={listed}: {told} {alone}")
            build_data(config).check_source()
            check_networks(config)
            accelerator = config.trainer.accelerator
            if gpus is None:
                build_trainer(config, torch.nn.Identity())  # Lightning refuses values, too
                accelerator = decide_devices(config.trainer)
            elif config.trainer.devices in ALL:
                config.trainer.devices = 1 if accelerator == "cpu" else gpus
    except Exception as error:
        if not about_settings(error):
            raise
        return {"problem": explain(error, conf)}
    by_steps = config.trainer.check_val_every_n_epoch is None
    return {
        "seed": config.seed,
        "experiment": experiment,
        "config_hash": setting_hash(config),
        "objective": {"metric": config.task.metric, "mode": config.task.mode},
        "accelerator": accelerator,
        "gpus": torch.cuda.device_count() if gpus is None else 0,
        "devices": config.trainer.devices,
        "nodes": config.trainer.num_nodes,
        "epochs": None if by_steps else config.trainer.max_epochs,
        "steps": config.trainer.max_steps if by_steps else None,
        "values": {key: composed_value(config, choices, key) for key in swept},
    }


def composed_value(config: DictConfig, choices: Mapping[str, str | None], key: str) -> str:
    """The value of a key as text: of a group its chosen option; "" for null and for a mapping."""
    if chosen := choices.get(key):
        return chosen
    value = OmegaConf.select(config, key)
    return "" if value is None or OmegaConf.is_dict(value) else typed(value)
