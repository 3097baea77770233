"""What identifies a setting: the runs of one are repeats of each other, and one row of a table.

All that a configuration asks for counts, except for what this page names: `REPEATS`, over which means are taken;
`ASIDE`, which is not meant to change a number; callbacks that say of themselves that they only watch (`only_watches`);
and paths, with all that is made from them by interpolation (`data.folder`, a data set's `images`). What a sweep varies
counts in that sweep, whatever it is: who sweeps over precisions, or over trainers, wants a row for each. Of any other
group that it varies counts what counts anyway, so that its runs are repeats of those by hand.

run.json keeps a setting's hash as `config_hash`. A run of an earlier version keeps the hash that it was given then.
"""

import hashlib
import json
from collections.abc import Iterable
from pydoc import locate
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from atelier.runs.overrides import bare

# {key: what several of its values are called}
REPEATS = {"seed": "seeds", "data.fold": "folds", "data.draw": "draws"}
# Keys, with all below them. Where they have a part in the last digits or in the time, run.json records it.
ASIDE = (
    *("paths", "logger"),  # where things lie, who is told
    *("train", "test", "checkpoint", "resume", "save_every"),  # which part of a run is done now
    *("study", "budget", "quick", "sweep"),  # what a run belongs to; what that changes stands in the keys it changes
    *("trainer.accelerator", "trainer.strategy", "trainer.precision"),  # a table says when a row mixes them
    *("trainer.deterministic", "trainer.benchmark"),  # which of a GPU's equal ways is taken
    *("trainer.log_every_n_steps", "trainer.profiler", "trainer.detect_anomaly"),  # what is told about the training
    *("data.eval_batch_size", "data.resident"),  # speed and memory
    *("data.rebuild", "data.download"),  # how the data came here
    *("features.run", "task.features.run"),  # where a classifier lies; its weights' checksum counts
    "task.clean_train_accuracy",  # one more measurement
)


def is_aside(key: str, varied: Iterable[str] = ()) -> bool:
    """Whether a dotted key is left out of a setting, if it is none of those that its sweep has `varied`."""
    aside = any(within(key, one) for one in ASIDE)
    return aside and not any(within(v, key) or (within(key, v) and (v == "trainer" or is_aside(v))) for v in varied)


def within(key: str, above: str) -> bool:
    return key == above or key.startswith(f"{above}.")


def setting_hash(config: DictConfig) -> str:
    """Twelve hexadecimal digits, equal for the runs of one setting."""
    return hashlib.sha256(json.dumps(setting_of(config), sort_keys=True).encode()).hexdigest()[:12]


def setting_of(config: DictConfig) -> dict[str, Any]:
    """What of a configuration counts, as plain data.

    Args:
        config: as it was composed, with its interpolations, and checked: its callbacks are imported here.
    """
    masked = config.copy()
    for key in masked.get("paths") or ():
        masked.paths[key] = f"<{key}>"
    for key in REPEATS:
        if OmegaConf.select(masked, key) is not None:
            OmegaConf.update(masked, key, -1)  # no run can ask for it
    varied = [bare(str(key)) for key in OmegaConf.select(config, "sweep.swept") or ()]
    setting = without_aside(resolved(masked, config), varied)
    if not any(within(key, "callbacks") for key in varied):
        callbacks = (setting.get("callbacks") or {}).items()
        setting["callbacks"] = {name: node for name, node in callbacks if node and not only_watches(node)}
    if isinstance(devices := setting.get("trainer", {}).get("devices"), list):
        setting["trainer"]["devices"] = len(devices)  # how many change the batch; which of them changes nothing
    return setting


def resolved(node: DictConfig, real: DictConfig) -> dict[str, Any]:
    """A node with placeholders as plain data; what cannot be made from these, a folder's number of classes, is real."""
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
