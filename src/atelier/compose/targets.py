"""Checks and builds the `_target_` nodes of a configuration: the class is allowed and exists, its arguments fit."""

import functools
import importlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from atelier.arguments import WrongValue, check_arguments
from atelier.compose.bounds import ADDED, REFUSED, names_of, stated_for
from atelier.errors import InputError, wrong_value
from atelier.project import trusted

# The packages that a configuration may build from, besides those that a project trusts (`atelier.project`).
ALLOWED = (
    "atelier",
    "torch.nn",
    "torch.optim",
    "torchvision.models",
    "torchvision.ops",
    "torchvision.transforms",
    "lightning.pytorch",
    "optuna.samplers",
    "optuna.pruners",
)
# A configuration may come from a stranger, and these packages hold functions that start programs, write and download.
# {place in a configuration, as a pattern: the class whose subclasses may stand there, and nowhere else}
PLACES = {
    r"task": "atelier.tasks.task.Task",
    r"data": "atelier.data.tensors.TensorData",
    r"callbacks\.\w+": "lightning.pytorch.callbacks.callback.Callback",
    r"logger\.\w+": "atelier.runs.metrics.RunLogger",
    r"trainer": "lightning.pytorch.trainer.trainer.Trainer",
    r"trainer\.strategy": "lightning.pytorch.strategies.strategy.Strategy",
    r"trainer\.profiler": "lightning.pytorch.profilers.profiler.Profiler",
    r"hydra\.sweeper\.sampler": "optuna.samplers._base.BaseSampler",
    r"hydra\.sweeper\.pruner(\.wrapped_pruner)*": "optuna.pruners._base.BasePruner",
}
# Elsewhere: subclasses of these classes, and
PARTS = ("torch.nn.modules.module.Module", "torch.optim.optimizer.Optimizer", "torch.optim.lr_scheduler.LRScheduler")
# what is defined in these modules or has this name, and what is defined in the `parts` of a project.
NAMED = (
    "atelier.compose.features.trained_classifier",
    "atelier.data.augment",
    "atelier.losses.penalty",
    "atelier.networks.initialize",
    "atelier.networks.torchvision.classifier",
    "atelier.tasks.encodings",
    "atelier.tasks.schedule",
    "torch.nn.init",
)


def plain(config: DictConfig) -> dict[str, Any]:
    """A configuration as a dictionary of plain Python data, with its interpolations resolved."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def build(node: DictConfig, **arguments: Any) -> Any:
    """Build the object of a node; `arguments` are added to its constructor's.

    Unlike `hydra.utils.instantiate`, it calls only what is `ALLOWED`, passes `arguments` on unchanged, and raises an
    InputError for a refused value. `_partial_` gives a `functools.partial`: Hydra's own checks its target at every
    call, which is too slow in a training step.
    """
    return make("", {**plain(node), **arguments})


def make(path: str, value: Any) -> Any:
    """Replace each mapping with a `_target_` in plain data by the object that it describes, the innermost first.

    Raises:
        InputError: if a constructor refuses a value, or lacks one; the message begins with the dotted key `path`.
    """
    if isinstance(value, list):
        return [make(f"{path}[{index}]", item) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    made = {key: make(f"{path}.{key}" if path else str(key), item) for key, item in value.items()}
    if "_target_" not in made:
        return made
    target = locate(path, made.pop("_target_"))
    if made.pop("_partial_", False):
        return functools.partial(target, **made)
    try:
        with wrong_value(path or target.__name__):
            return target(**made)
    except TypeError as error:
        if not (missing := re.search(r"missing \d+ required .*arguments?: (.+)", str(error))):
            raise
        raise InputError(f"{path}: {target.__name__} needs {missing[1]}".removeprefix(": ")) from error


def check(config: DictConfig) -> None:
    """Check every node with a `_target_` in a resolved configuration.

    Raises:
        InputError: if a target is not allowed at its place or does not exist, or its signature lacks a key or value.
    """
    for path, node in parts(OmegaConf.to_container(config, resolve=True)):
        if not isinstance(node, dict) or "_target_" not in node:
            continue
        target = locate(path, node["_target_"])
        check_place(path, node["_target_"], target)
        if told := next((REFUSED[name] for name in names_of(target) if name in REFUSED), None):
            raise InputError(f"{path}: a run has no {target.__name__}: {told}")
        arguments = {key: value for key, value in node.items() if not key.startswith("_")}
        try:
            check_arguments(path, target, arguments, stated_for(target), added=stated_for(target, ADDED))
        except WrongValue as error:
            raise WrongValue(origin(config, error.key), error.value, error.told) from None


def origin(config: DictConfig, key: str) -> str:
    """The key at which the value of `key` is written: it follows `${other.key}` and `${oc.select:other.key,null}`.

    >>> origin(OmegaConf.create({"a": {"b": 1}, "c": {"d": "${a}"}, "e": "${c.d.b}"}), "e")
    'a.b'
    """
    path = ""
    for part in key.split("."):
        path = f"{path}.{part}".lstrip(".")
        here = OmegaConf.to_container(config)
        for name in path.split("."):
            here = here.get(name) if isinstance(here, dict) else None
        if match := re.fullmatch(r"\$\{(?:oc\.select:)?(\w[\w.]*)(?:,\w+)?\}", str(here)):
            path = origin(config, match[1])
    return path


def parts(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Plain data and all nested values, each with its dotted path."""
    yield path, value
    if isinstance(value, dict):
        for key, child in value.items():
            yield from parts(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from parts(child, f"{path}[{index}]")


def locate(path: str, name: Any) -> Any:
    """The class or function `name` of a package in `ALLOWED`; `path` is the node's key, for the messages.

    The name is checked before the import, and the result after it: `torch.nn.modules.os.system` begins with an allowed
    package, but belongs to `os`.
    """
    if not isinstance(name, str) or not within(name):
        told = f"not allowed. A configuration builds from: {', '.join(allowed())}"
        raise InputError(f"{path}._target_={name}: {told}; trusted, in pyproject.toml, adds packages of your own")
    parts = name.split(".")
    found: Any = None
    split = 0
    for split in range(len(parts) - 1, 0, -1):  # the rest may lead into a class
        try:
            found = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                told = f"{path}._target_={name}: needs the package {error.name!r}, which is not installed"
                raise InputError(told) from error
            continue
        break
    for part in parts[split:]:
        found = getattr(found, part, None)
    if found is None:
        raise InputError(f"{path}._target_={name}: there is no such class or function")
    if not isinstance(found, (type, types.FunctionType)) or not within(found.__module__):
        raise InputError(f"{path}._target_={name}: leads outside of what is allowed: {', '.join(allowed())}")
    if not is_part(found) and not has_place(found):
        told = "if it is your own, name its module in pyproject.toml, [tool.atelier] parts (docs/adding.md)"
        raise InputError(f"{path}._target_={name}: a configuration builds no {found.__name__}; {told}")
    return found


def check_place(path: str, name: str, found: Callable[..., Any]) -> None:
    """
    Raises:
        InputError: if `found`, which has the `name`, is of a kind that does not stand at the key `path`.
    """
    kinds = [kind for place, kind in PLACES.items() if re.fullmatch(place, path)]
    if kinds and not any(kind in names_of(found) for kind in kinds):
        raise InputError(f"{path}._target_={name}: this is the place of a {kinds[0].rpartition('.')[2]}")
    if not kinds and not is_part(found):
        kinds = [kind for place, kind in PLACES.items() if re.fullmatch(place, f"{path}.NAME")]
        told = f"; give it a key of its own: {path}.NAME" if any(kind in names_of(found) for kind in kinds) else ""
        raise InputError(f"{path}._target_={name}: a {found.__name__} does not stand here{told}")


def is_part(found: Callable[..., Any]) -> bool:
    """Whether a class or function is allowed as a part, such as a network or an optimizer."""
    name = f"{found.__module__}.{found.__qualname__}."
    kind = any(kind in names_of(found) for kind in PARTS) and not has_place(found)  # a Task is a Module, too
    return kind or any(name.startswith(f"{known}.") for known in (*NAMED, *trusted("parts")))


def has_place(found: Callable[..., Any]) -> bool:
    return any(kind in names_of(found) for kind in PLACES.values())


def allowed() -> tuple[str, ...]:
    return (*ALLOWED, *trusted())


def within(name: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in allowed())
