"""Turns the exceptions of Hydra and OmegaConf into messages of one or two lines for the user."""

import errno
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from atelier.arguments import optional
from atelier.callbacks import instead
from atelier.compose.targets import locate
from atelier.data.class_folders import readable
from atelier.errors import InputError, not_among
from atelier.option_files import groups, options, told_of_file
from atelier.project import find
from atelier.runs.overrides import typed

UNUSABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)  # of a file or disk
# {words of an error of torch or Hydra: the message in its place}
KNOWN = {
    "Could not delete 'callbacks'": "~callbacks: write callbacks=none, which leaves them out",
    "Could not delete 'logger'": "~logger: write logger=csv, metrics.csv alone",
    "more than 1 value per channel": "data.batch_size: batch norm cannot train on a batch of one; give a larger one",
    "could not create a primitive descriptor": (
        "trainer.precision: this processor cannot compute this network in bf16; give trainer.precision=32-true"
    ),
}
CHANGEABLE = ("trainer", "data", "task")  # groups of a finished run that its commands may change
OF_A_RUN = {**dict.fromkeys(("eval", "predict", "sample"), CHANGEABLE), "export": CHANGEABLE[1:]}  # {command: groups}


def explain(error: BaseException, conf: Path, verb: str = "train") -> str:
    """The message for the user, with key, value and choices.

    Args:
        conf: the folder of the configuration groups.
        verb: the command, whose configuration is conf/<verb>.yaml.
    """
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return missing_option(error.missing_cfg_file, error.options or [])
    if told := told_of_file(error, conf):
        return told
    cause = error.__cause__
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return unknown_key(cause, conf, verb)
    if match := re.match(r"Could not override '([^'@]+)[^']*'\.?\s*No match in the defaults list", str(error)):
        group = match[1].split("/")[-1]
        if group in groups(conf):
            advice = "; data.KEY=VALUE and task.KEY=VALUE change keys of the run" * (verb in OF_A_RUN)
            other = f"this command takes no {group}={advice}"
            return f"{group}: {f'no defaults list has it; write +{group}=OPTION' if verb == 'train' else other}"
        if match[1].startswith("hydra/sweeper/"):
            return f"{match[1]} belongs to hydra/sweeper=optuna: give hydra/sweeper=optuna too"
        return f"{match[1]}: {not_among(group, groups(conf))}"
    if isinstance(error, MissingMandatoryValue):
        return missing_key(str(error.full_key or error.key), conf)
    if match := re.search(r"InputError raised while resolving interpolation: (.*)", str(error)):
        return match[1]
    if match := re.search(r"Missing mandatory value: (\S+)|Interpolation key '(\w+)' not found", str(error)):
        return missing_key(match[1] or match[2], conf)
    if match := re.search(r"Interpolation key '((\w+)\.\w+)' not found", str(error)):
        key = str(getattr(error, "full_key", None) or "")
        others = f" or {key.split('.')[0]}=, or {key}=…" * bool(key)
        return f"{key or 'a value'} needs {match[1]}, which is missing; give another {match[2]}={others}"
    if isinstance(error, OverrideParseException):
        return unparsed(error.override) if "=" in error.override else without_key(error.override, conf, verb)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {str(error.msg or error).splitlines()[0]}"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"cannot read or write: {place}{error.strerror} (LOG_DIR and DATA_DIR say where runs and data lie)"
    if told := next((told for words, told in KNOWN.items() if words in str(error)), None):
        return told
    if match := re.match(r"Ambiguous value for argument '(.*?)=(.*)'", str(error)):
        key, values = match.groups()
        as_list = "" if key in groups(conf) else f"; for a list: {key}=[{values}]"
        return f"{key}={values}: for one run of each: -m {key}={values}{as_list}"
    return "\n".join(str(error).strip().splitlines()[:2])


def without_key(value: str, conf: Path, verb: str) -> str:
    """The message for an argument that is a value alone: the key of an option's group, or a required key."""
    keys = [group for group in groups(conf) if find(conf, f"{group}/{value.split(',')[0]}.yaml").is_file()]
    keys = keys or re.findall(r"^(\w+): \?\?\?", find(conf, f"{verb}.yaml").read_text(encoding="utf-8"), re.M)
    return f"{value}: write {' or '.join(f'{key}={value}' for key in keys or ['KEY'])}; --help lists the keys"


def unparsed(override: str) -> str:
    """The message for a value that Hydra cannot read, with the way to write it."""
    key, _, value = override.partition("=")
    if (name := readable(override)) != override:
        return f"{name}: Hydra reads no name that is not UTF-8, or with such a letter; give the folder that it lies in"
    opened = next((pair for pair in ("[]", "()", "{}") if value.count(pair[0]) > value.count(pair[1])), "")
    told = f"a {opened[0]} without its {opened[1]}; " if opened else ""
    if re.fullmatch(r"(?a)(\[|\([\w\s.+-]*,)[\w\s.,+-]*[\])]?", value):  # a list of numbers and words
        return f"{override}: {told}a list is written as {key}=[{','.join(re.findall('[^][(), ]+', value))}]"
    quoted = typed(key, value) if re.search(r"""["'$`\\!]""", value) else f"\"{key}='{value}'\""
    written = f"\"{key}=['{value[1:].rstrip(']').split(',')[0]}', …]\"" if value.startswith("[") else quoted
    return f"{override}: {told}text with such characters stands in quotes, Hydra's and the shell's:\n  {written}"


def missing_key(key: str, conf: Path) -> str:
    """The message for a missing value; for a missing group, with its options."""
    if key in groups(conf):
        return f"{key} is missing: choose from: {', '.join(options(key, conf))}"
    return f"{key} is missing: give it as {key}=VALUE"


def missing_option(file: str, options: Iterable[str]) -> str:
    """The message for a missing option; `file`: group and option, such as optimizer/adamm."""
    group, _, name = file.rpartition("/")
    told = instead.OPTIONS.get(name) if group == "callbacks" else None
    return f"{group or 'config'}={name}: {told or not_among(name, options)}"


def unknown_key(error: OmegaConfBaseException, conf: Path, verb: str) -> str:
    """The message for a key that the configuration does not have, with the keys that it has at that place."""
    key = error.full_key or str(error.key)
    parent = error.parent_node
    known = {str(k) for k in parent if k != "hydra" and not str(k).startswith("_")} if parent is not None else set()
    if key in groups(conf):
        return absent_group(key, conf, verb)
    if "." not in key:
        parts: Any = OmegaConf.to_container(parent) if isinstance(parent, DictConfig) else {}
        if places := [place for place in sorted(known) if isinstance(parts.get(place), dict) and key in parts[place]]:
            return f"{key}: no such key here; write {' or '.join(f'{place}.{key}=VALUE' for place in places)}"
        known.update(groups(conf) if verb == "train" else OF_A_RUN.get(verb, ()))
    target = OmegaConf.select(parent, "_target_") if isinstance(parent, DictConfig) else None
    owner = str(target or "").rpartition(".")[2]  # the class that the configuration builds at that place
    place, _, name = key.rpartition(".")
    try:
        added = target and name in optional(locate("", target))
    except InputError:  # a wrong `_target_` is told with the next command, once the key is right
        added = False
    if added:
        return f"{key}: {owner} has it, and no file sets it; write +{key}=VALUE"
    if known:
        return f"{key}: {owner + ' has ' if owner else ''}{not_among(name, sorted(known))}"
    told = f"{key}: {place}{f'={owner}' if owner and place in groups(conf) else ''} has no keys"
    if place in groups(conf):
        return f"{told}; choose {place}={' or '.join(options(place, conf, key))}"
    group = place.rpartition(".")[2]  # `task.network` is the chosen `network`
    return f"{told}; write {group}.{name}=VALUE" if group in groups(conf) else told


def absent_group(group: str, conf: Path, verb: str) -> str:
    """The message for a key of a group without a chosen option."""
    if group not in (changeable := OF_A_RUN.get(verb, (group,))):
        return f"{group}: of a finished run, {', '.join(changeable)} can be changed"
    if verb not in ("train", *OF_A_RUN):
        return f"{group}: this command takes no {group}.KEY="
    return f"{group}: no option is chosen; choose {group}={' or '.join(options(group, conf))}"
