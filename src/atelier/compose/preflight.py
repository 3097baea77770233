"""Everything about a job that can be known before it starts: does it compose, does it fit, is its data there."""

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from atelier.compose.explain import explain
from atelier.errors import InputError


def check_job(
    root: Path, environment: Mapping[str, str], gpus: int | None, swept: Sequence[str], overrides: list[str]
) -> dict[str, Any]:
    """Compose one job of a sweep as it will be composed, and check it.

    Args:
        root: the project's folder.
        environment: variables of the process that starts the sweep.
        gpus: of the cluster's node that the job will get; None: it runs here, on devices that have to be here.
        swept: keys whose values are asked for.
        overrides: the job's command line.

    Returns:
        {"problem": message}, or the facts {seed, experiment, config_hash, objective {metric, mode}, accelerator, gpus,
        devices, nodes, epochs, steps, values {swept key: its value as text}} of the job; of epochs and steps the one
        that it counts, else None.
    """
    import torch  # late: the process that starts a sweep stays light

    from atelier.compose.build import ALL, build_data, check_networks, check_run, decide_devices
    from atelier.compose.verb import register_resolvers
    from atelier.runs.setting import setting_hash

    os.environ.update(environment)
    register_resolvers(root)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(root / "conf"), version_base="1.3"), contextlib.redirect_stderr(io.StringIO()):
            config = compose("train", overrides, return_hydra_config=True)
            choices = config.hydra.runtime.choices
            experiment = choices.get("experiment") or "default"
            config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            OmegaConf.set_struct(config, True)
            config.sweep.swept = list(swept)  # as the job will have it
            check_run(config, experiment, overrides)
            build_data(config).check_source()
            check_networks(config)
            accelerator = config.trainer.accelerator
            if gpus is None:
                accelerator = decide_devices(config.trainer)
            elif config.trainer.devices in ALL:
                config.trainer.devices = 1 if accelerator == "cpu" else gpus
    except (InputError, HydraException, OmegaConfBaseException) as error:
        return {"problem": explain(error, root / "conf")}
    devices, by_steps = config.trainer.devices, config.trainer.check_val_every_n_epoch is None
    return {
        "seed": config.seed,
        "experiment": experiment,
        "config_hash": setting_hash(config),
        "objective": {"metric": config.task.metric, "mode": config.task.mode},
        "accelerator": accelerator,
        "gpus": torch.cuda.device_count() if gpus is None else 0,
        "devices": len(devices) if OmegaConf.is_list(devices) else int(devices) if str(devices).isdigit() else devices,
        "nodes": config.trainer.num_nodes,
        "epochs": None if by_steps else config.trainer.max_epochs,
        "steps": config.trainer.max_steps if by_steps else None,
        "values": {key: composed_value(config, choices, key) for key in swept},
    }


def composed_value(config: DictConfig, choices: Mapping[str, str | None], key: str) -> str:
    """What a key composes to, as its job's values tell it: a group's chosen option, or a plain value."""
    return choices.get(key) or text(OmegaConf.select(config, key))


def text(value: Any) -> str:
    """A value as it is typed; "" for none, and for a node, which has no short name."""
    if value is None or OmegaConf.is_dict(value):
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
