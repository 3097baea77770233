"""What is wrong with a file of conf/ that somebody wrote: its text, its first line, its defaults list, its keys."""

import re
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from atelier.errors import InputError, not_among, unread
from atelier.project import find, layers
from atelier.runs.folder import LOADER
from atelier.runs.overrides import key_of

FIRST_LINE = "# @package _global_"
GLOBAL = ("experiment", "study", "debug")  # groups whose files begin with that line
SEVERAL = ("callbacks", "logger")  # groups that take any number of options
ASLEEP = {"data.augmentation.": "data.augment", "data.magnitude": "data.operations"}  # {key: what switches it on}
BUILT = ("data", "task", "trainer", "paths", *SEVERAL)  # groups that a run reads itself; others are read by these
READER = "hydra._internal.core_plugins.file_config_source"  # the module that reads the files of conf/


def is_unreadable(error: BaseException) -> bool:
    """Whether `error` was raised because a file of conf/ is no YAML, or not UTF-8."""
    if not isinstance(error, (yaml.YAMLError, UnicodeDecodeError)):
        return False
    return any(frame.f_globals.get("__name__") == READER for frame, _ in traceback.walk_tb(error.__traceback__))


def told_of_file(error: BaseException, conf: Path) -> str | None:
    """The message for an exception that a file of `conf` or two options of a group have caused; None for any other.

    It names the file, the line where that is known, and what to write.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{shown(Path(error.problem_mark.name), conf)}, {unread(error)}"
    if is_unreadable(error):
        files = (file for layer in layers(conf) for file in sorted(layer.rglob("*.yaml")) if not is_utf8(file))
        return f"{shown(next(files, conf), conf)}: {error}; save it as UTF-8"
    if match := re.match(r"In '([^']+)': Could not override '(?:\S*/)?(\w+)@([\w.]*)'", str(error)):
        name, group, package = match.groups()
        file = find(conf, f"{name}.yaml")
        if package.startswith(GLOBAL):
            return f"{shown(file, conf)}: {must_begin(file)}"
        if (conf / group).is_dir():
            return f"{shown(file, conf)}: in its defaults list, write `override /{group}: …`, with a slash"
    again = r"(\w+) appears more than once|Multiple values for (\w+)\."
    if (match := re.match(again, str(error))) and (group := match[1] or match[2]) in SEVERAL:
        return f"{group}: all options stand in one list: {group}=[A,B], or +{group}=[A,B] besides the usual ones"
    if match := re.match(r"Multiple values for (\w+)\. To override a value use 'override \w+: (\S+)'", str(error)):
        return f"{match[1]}: {match[2]}: in a defaults list, write `override /{match[1]}: {match[2]}`"
    return None


def check_keys(config: DictConfig, conf: Path, experiment: str, typed: Iterable[str]) -> None:
    """Compare the uppermost keys of a composed configuration with those that something reads.

    Args:
        experiment: the chosen experiment, or "default"; `typed`: the overrides of the command line.

    Raises:
        InputError: if nothing reads a key that no override sets, an option stands outside of a defaults list, or an
            override has no effect.
    """
    own = content_of(conf, "train") | {"paths": dict.fromkeys(("data", "logs", "run"))}
    of_user = {key_of(override).split(".")[0] for override in typed}
    known = {*own, *groups(conf)}
    values: Any = OmegaConf.to_container(config)
    check_effect(config, values, conf, typed)
    for name, value in values.items():
        key = str(name)
        if key in GLOBAL and key not in own:
            option = experiment if key == "experiment" else "OPTION"
            raise InputError(f"conf/{key}/{option}.yaml: {must_begin(find(conf, f'{key}/{option}.yaml'))}")
        if key in known - {*own} and isinstance(value, str) and not value.startswith("${"):
            source, listed = source_of(conf, experiment, key), f"- override /{key}: {value}"
            raise InputError(f"{key}: {value} ({source}): choose an option in the defaults list, as `{listed}`")
        if "." in key:
            source, (outer, _, inner) = source_of(conf, experiment, key), key.partition(".")
            raise InputError(f"{key}: {value} ({source}): write `{outer}:` and, indented below it, `{inner}: {value}`")
        if isinstance(parts := own.get(key), dict):  # as of start
            for part in value.keys() - parts.keys() if isinstance(value, dict) else ():
                if is_read(conf, f"{key}.{part}", list(typed)):
                    continue
                source = source_of(conf, experiment, str(part))
                raise InputError(f"{key}.{part} ({source}): nothing reads it; {not_among(str(part), parts)}")
        if key in known or key in of_user or is_read(conf, key):
            continue
        source = source_of(conf, experiment, key)
        raise InputError(f"{key} ({source}): nothing reads it; {not_among(key, known - {'defaults', 'hydra'})}")
    for group in SEVERAL:
        for name, node in (values.get(group) or {}).items():
            if isinstance(node, dict) and "_target_" not in node:
                told = f"choose the option that it changes, +{group}={name}, or leave it out"
                raise InputError(f"{group}.{name}: it has no _target_; {told}")


def content_of(conf: Path, name: str) -> dict[str, Any]:
    """The content of a file of conf/, without its defaults being followed."""
    return yaml.load(find(conf, f"{name}.yaml").read_text(encoding="utf-8"), LOADER)


def keys_of_train(conf: Path) -> tuple[set[str], dict[str, Any]]:
    """The uppermost keys of train.yaml, and {group: its option, or None} of its defaults list."""
    content = content_of(conf, "train")
    listed = (one for one in content["defaults"] if isinstance(one, dict))
    return {*content}, {group: option for one in listed for group, option in one.items()}


def source_of(conf: Path, experiment: str, key: str) -> str:
    """Where a key that was not typed is set: by the experiment if its file has it, else by another file."""
    file = find(conf, f"experiment/{experiment}.yaml")
    named = re.compile(rf"(?:^|[{{,])[\s'\"]*{re.escape(key.rpartition('.')[2])}[\s'\"]*:", re.MULTILINE)
    own = file.is_file() and named.search(file.read_text(encoding="utf-8"))
    return f"set by experiment={experiment}" if own else "set by a file of conf/"


def check_effect(config: DictConfig, values: dict[str, Any], conf: Path, typed: Iterable[str]) -> None:
    """
    Raises:
        InputError: for an override of a group that nothing reads, or of a key that another one switches off, unless it
            may be for other jobs of a sweep.
    """
    there, swept = groups(conf), config.sweep.swept
    idle = unused(values, there)
    varied = [one for one in swept if one in there]
    for override in typed:
        key = key_of(override)
        group = key.split(".")[0]
        if group in idle and not for_others(conf, group, swept, varied):
            raise InputError(f"{override}: no part of this configuration reads {group}; leave it out")
        switch = next((switch for part, switch in ASLEEP.items() if key.startswith(part)), "")
        value = OmegaConf.select(config, switch) if switch else None
        if value in (False, 0) and not {switch, "data", "experiment"} & {*swept}:
            raise InputError(f"{override}: {switch}={str(value).lower()} leaves it without effect")


def unused(values: dict[str, Any], groups: Iterable[str]) -> set[str]:
    """The groups of a composed configuration whose options nothing refers to that is built."""
    texts = {key: str(value) for key, value in values.items()}
    idle = {group for group in groups if values.get(group) is not None} - {*BUILT, *GLOBAL}
    while read := {group for group in idle if any(refers(group, texts[key]) for key in texts.keys() - idle)}:
        idle -= read
    return idle


def for_others(conf: Path, group: str, swept: Sequence[str], varied: Sequence[str]) -> bool:
    """Whether a group with one option in all jobs of a sweep may be for others of them, as those of another network.

    `varied`: the groups among the `swept` keys.
    """
    constant = all(key.split(".")[0] != group for key in swept)
    return constant and any(one == "experiment" or is_read(conf, group, within=one) for one in varied)


def is_read(conf: Path, key: str, arguments: Sequence[str] = (), within: str = "") -> bool:
    """Whether a file of conf/, or of the folder `within` it, or another argument refers to `${key}`."""
    texts = (file.read_text(encoding="utf-8") for layer in layers(conf) for file in (layer / within).rglob("*.yaml"))
    return any(refers(key, text) for text in (*arguments, *texts))


def refers(key: str, text: str) -> bool:
    """
    >>> refers("lr", "${..lr}"), refers("mixing", "${oc.select:mixing,null}"), refers("lr", "${optimizer.lr}")
    (True, True, False)
    """
    return re.search(rf"\$\{{(?:[^}}]*(?<![\w.]))?\.*{re.escape(key)}\b", text) is not None


def groups(conf: Path) -> list[str]:
    """The names of the groups of options, the folders of `conf`."""
    return sorted({one.name for layer in layers(conf) for one in layer.iterdir() if one.is_dir()} - {"hydra", "local"})


def options(group: str, conf: Path, key: str = "") -> list[str]:
    """The options of a group; if some of them have the `key`, only these."""
    files = sorted({file.name: file for layer in layers(conf) for file in (layer / group).glob("*.yaml")}.values())
    line = re.compile(rf"^{key.rpartition('.')[2]}:", re.MULTILINE)
    having = [file for file in files if line.search(file.read_text("utf-8"))]
    return [file.stem for file in (having if key and having else files)]


def must_begin(file: Path) -> str:
    marked = file.is_file() and file.read_bytes().startswith(b"\xef\xbb\xbf")
    return f"its first line must be `{FIRST_LINE}`" + (
        ", with no byte-order mark before it: save the file as UTF-8 without BOM" if marked else ""
    )


def shown(file: Path, conf: Path) -> str:
    return str(file.relative_to(conf.parent)) if file.is_relative_to(conf.parent) else str(file)


def is_utf8(file: Path) -> bool:
    try:
        file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True
