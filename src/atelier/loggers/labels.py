"""The labels of a run in W&B: name, group (its sweep), job type (its setting) and tags; the command that sends it."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from atelier.runs.folder import last_two, read_yaml
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import bare, key_of, value_of

OFFLINE = "wandb/offline-run-*"  # offline W&B runs, in a run folder
# Maximum numbers of characters; W&B refuses a run with a longer one, also when it is sent later.
TAG_LENGTH, TYPE_LENGTH, NAME_LENGTH = 64, 64, 128


@dataclass(frozen=True)
class Labels:
    """The labels of a run.

    Args:
        name: setting and seed; for a single run, the last two parts of its folder.
        group: the run's sweep, `<study or experiment>/<stamp>`; None for a single run.
        setting: the common name of repeats in sweeps over the same keys: the swept values, or study or experiment, and
            the `config_hash`; a W&B job type.
        config_hash: the setting's hash, as in run.json.
        tags: a tag for each swept key, such as `optimizer=sgd`.
    """

    name: str
    group: str | None
    setting: str
    config_hash: str
    tags: tuple[str, ...]


def read_labels(folder: Path) -> Labels:
    """The labels of the run in `folder`, from its config.yaml and run.json."""
    config, run = read_yaml(folder / "config.yaml"), Manifest.read(folder / "run.json")
    sweep, known = config.get("sweep") or {}, run["config_hash"]
    if not sweep.get("folder"):
        setting = cut(str(run["experiment"]), f" ({known})", TYPE_LENGTH)
        return Labels(last_two(folder)[-NAME_LENGTH:], None, setting, known, ())
    typed = {key_of(override): value_of(override) for override in run["overrides"]}
    keys = map(bare, sweep.get("swept") or ())
    words = tuple(f"{key}={typed[key]}" for key in keys if key in typed)
    told = " ".join(words) or Path(sweep["folder"]).parent.name
    tags = tuple(word[:TAG_LENGTH] for word in words)
    name, setting = cut(told, f" seed={config['seed']}", NAME_LENGTH), cut(told, f" ({known})", TYPE_LENGTH)
    return Labels(name, last_two(Path(sweep["folder"])), setting, known, tags)


def cut(words: str, ending: str, length: int) -> str:
    """The words and the ending, with as many of the words' characters as `length` allows.

    >>> cut("optimizer=sgd", " (c0ffee)", 20)
    'optimizer=s (c0ffee)'
    """
    return words[: length - len(ending)] + ending


def how_to_send(folder: Path) -> str | None:
    """The command that sends the offline W&B runs of a run, or of all jobs of a sweep; None if there are none."""
    for pattern in (OFFLINE, f"*/{OFFLINE}"):
        if any(folder.glob(pattern)):
            return f"wandb sync {shlex.quote(str(folder))}/{pattern}"
    return None
