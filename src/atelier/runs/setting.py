"""The hash of a setting: runs with equal hashes are repeats of each other, and share a row of a table.

All keys of a configuration count, except: `REPEATS`, over which means are taken; `ASIDE`, which do not change numbers
by intent; callbacks with `only_watches = True`; and paths, with the values that interpolate them (`data.folder`, a data
set's `images`). A key that a sweep varies counts in that sweep even if it is in `ASIDE`: a sweep over precisions has a
row for each. So do all keys of `trainer`, if the sweep varies that group; in another varied group, only keys that count
anyway, so that a sweep's runs are repeats of runs started by hand.

run.json holds the hash as `config_hash`; a run of an earlier version keeps the hash of that version.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import reduce
from pydoc import locate
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from atelier.runs.overrides import bare

# {key: plural for its values}
REPEATS = {"seed": "seeds", "data.fold": "folds", "data.draw": "draws"}
# Keys that do not count, with the keys below them. run.json records those that change last digits or time.
ASIDE = (
    *("paths", "logger"),  # places of files; logging
    *("train", "test", "checkpoint", "resume", "save_every", "save_last", "lr_find"),  # stages of a run
    *("tags", "note"),  # for whoever looks for the run
    *("study", "budget", "quick", "sweep"),  # membership; the keys that a study or budget changes count themselves
    *("trainer.accelerator", "trainer.strategy", "trainer.precision"),  # a table says when a row mixes them
    *("trainer.deterministic", "trainer.benchmark"),  # choice of GPU kernels
    *("trainer.log_every_n_steps", "trainer.profiler", "trainer.detect_anomaly"),  # monitoring
    *("data.eval_batch_size", "data.resident"),  # speed and memory
    *("data.rebuild", "data.download"),  # source of the data file
    *("data.changed", "data.skip_broken"),  # handling of changed and of broken files
    *("features.run", "task.features.run", "start.weights"),  # paths of weights; the checksums count
    "task.clean_train_accuracy",  # an additional measurement
)
# {dotted key that earlier versions did not have: its value in their runs}, with which it does not count. The hashes of
# earlier runs stay as they are.
LATER: dict[str, Any] = {
    "start": {"checksum": None, "freeze": None},
    "data.operations": 0,
    "data.magnitude": 9,
    "data.mixing": None,
    "data.balanced": False,
    "data.shortest": None,
    "task.class_weights": None,
    "task.mirrored": False,
    "trainer.patience": None,
    "task.average": None,
    "encoding.whole_minutes": False,
    "task.encoding.whole_minutes": False,
}
HAD = {"task.average": "atelier.tasks.gan.GAN"}  # {key of LATER: the `_target_` that had it before}


def is_aside(key: str, varied: Iterable[str] = ()) -> bool:
    """Whether a dotted key does not count in a setting whose sweep has `varied` these keys."""
    aside = any(within(key, one) for one in ASIDE)
    return aside and not any(within(v, key) or (within(key, v) and (v == "trainer" or is_aside(v))) for v in varied)


def within(key: str, above: str) -> bool:
    return key == above or key.startswith(f"{above}.")


def leaves(node: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def setting_hash(config: DictConfig) -> str:
    """The hash of a setting: twelve hexadecimal digits, equal for all its runs."""
    setting = setting_of(config)
    if "scheduler" in (task := setting.get("task") or {}):
        task["schedule"] = task.pop("scheduler")  # its name in the hashes of docs/results
    return hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()[:12]


def setting_of(config: DictConfig) -> dict[str, Any]:
    """The part of a configuration that counts, as plain data.

    Args:
        config: the composed configuration with its interpolations; checked, since its callbacks are imported here.
    """
    masked = config.copy()
    for key in masked.get("paths") or ():
        masked.paths[key] = f"<{key}>"
    for key in REPEATS:
        if OmegaConf.select(masked, key) is not None:
            OmegaConf.update(masked, key, -1)  # a value that no run can have
    varied = [bare(str(key)) for key in OmegaConf.select(config, "sweep.swept") or ()]
    setting = without_aside(resolved(masked, config), varied)
    for key, before in LATER.items():
        (*above, name) = key.split(".")
        node = reduce(lambda found, part: found.get(part) or {}, above, setting)
        if name in node and node[name] == before and node.get("_target_") != HAD.get(key, ""):
            del node[name]
    if not any(within(key, "callbacks") for key in varied):
        callbacks = (setting.get("callbacks") or {}).items()
        setting["callbacks"] = {name: node for name, node in callbacks if node and not only_watches(node)}
    if isinstance(devices := setting.get("trainer", {}).get("devices"), list):
        setting["trainer"]["devices"] = len(devices)  # only the number of devices changes the batch
    return setting


def resolved(node: DictConfig, real: DictConfig) -> dict[str, Any]:
    """A masked node as plain data; a value that needs real paths (the number of class folders) comes from `real`."""
    content: dict[str, Any] = {}
    for key in node:
        try:
            value = node[key]
        except InterpolationResolutionError:
            value = real[key]
        if isinstance(value, DictConfig):
            value = resolved(value, real[key])
        content[str(key)] = OmegaConf.to_container(value, resolve=True) if isinstance(value, ListConfig) else value
    return content


def without_aside(content: dict[str, Any], varied: list[str], path: str = "") -> dict[str, Any]:
    return {
        key: without_aside(value, varied, f"{path}{key}.") if isinstance(value, dict) else value
        for key, value in content.items()
        if not is_aside(f"{path}{key}", varied)
    }


def only_watches(callback: dict[str, Any]) -> bool:
    return getattr(locate(str(callback.get("_target_"))), "only_watches", False)
