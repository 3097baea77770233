"""Checks every `_target_` of a configuration before anything is built: allowed, real, and called with keys it takes."""

import functools
import importlib
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from atelier.arguments import WrongValue, check_arguments
from atelier.compose.bounds import stated_for
from atelier.errors import InputError, wrong_value

# What a configuration may build. A fork adds its own package here.
ALLOWED = (
    "atelier",
    "torch.nn",
    "torch.optim",
    "torchvision.models",
    "torchvision.ops",
    "torchvision.transforms",
    "torchmetrics",
    "lightning.pytorch",
    "optuna.samplers",
    "optuna.pruners",
)

# {what a run made before may name: where that is now}
MOVED = {
    **{f"atelier.compose.features.{name}": f"atelier.metrics.features.{name}" for name in ("Pixels", "Inception")},
    "atelier.runs.wandb.Wandb": "atelier.loggers.wandb.Wandb",
    "atelier.runs.tensorboard.TensorBoard": "atelier.loggers.tensorboard.TensorBoard",
}


def plain(config: DictConfig) -> dict[str, Any]:
    """A configuration as plain data, resolved."""
    content = OmegaConf.to_container(config, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def build(node: DictConfig, **arguments: Any) -> Any:
    """Make what a node describes; `arguments` are handed to it as they are.

    As `hydra.utils.instantiate` does it, with two differences: only targets that are allowed are called, and
    `_partial_` gives a plain `functools.partial`. Hydra's own checks its target again at every call, which a function
    that is called at every step cannot afford.
    """
    return make("", {**plain(node), **arguments})


def make(path: str, value: Any) -> Any:
    """Plain data with each mapping that has a `_target_` replaced by what that makes, from the inside out.

    Raises:
        InputError: for a value that a constructor refuses.
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
    with wrong_value(path or target.__name__):
        return target(**made)


def check(config: DictConfig) -> None:
    """Check every node with a `_target_` in a resolved configuration.

    Raises:
        InputError: for a target outside `ALLOWED` or that does not exist, a key that it does not take, or a value that
            does not fit its signature.
    """
    for path, node in nodes(OmegaConf.to_container(config, resolve=True)):
        target = locate(path, node["_target_"])
        arguments = {key: value for key, value in node.items() if not key.startswith("_")}
        try:
            check_arguments(path, target, arguments, stated_for(target))
        except WrongValue as error:
            raise WrongValue(origin(config, error.key), error.value, error.told) from None


def origin(config: DictConfig, key: str) -> str:
    """Where a value was written that stands at `key`, which may be an interpolation of that: `${other.key}`.

    >>> origin(OmegaConf.create({"a": {"b": 1}, "c": {"d": "${a}"}, "e": "${c.d.b}"}), "e")
    'a.b'
    """
    path = ""
    for part in key.split("."):
        path = f"{path}.{part}".lstrip(".")
        here = OmegaConf.to_container(config)
        for name in path.split("."):
            here = here.get(name) if isinstance(here, dict) else None
        if match := re.fullmatch(r"\$\{(\w[\w.]*)\}", str(here)):
            path = origin(config, match[1])
    return path


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a `_target_`, with its dotted path."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield path, value
        for key, child in value.items():
            yield from nodes(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from nodes(child, f"{path}[{index}]")


def locate(path: str, name: Any) -> Callable[..., Any]:
    """The class or function called `name`, if it may be built.

    The name is checked before anything is imported, and what it resolves to is checked again, since
    `torch.nn.modules.os.system` is a path inside torch to something that is not torch's.
    """
    if not isinstance(name, str) or not within(name):
        raise InputError(f"{path}._target_={name}: not allowed. A configuration builds from: {', '.join(ALLOWED)}")
    parts = MOVED.get(name, name).split(".")
    found: Any = None
    split = 0
    for split in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:split]))
        except ModuleNotFoundError as error:
            if not name.startswith(str(error.name)):
                raise InputError(
                    f"{path}._target_={name}: needs the package {error.name!r}, which is not installed"
                ) from error
            continue
        break
    for part in parts[split:]:
        found = getattr(found, part, None)
    if found is None:
        raise InputError(f"{path}._target_={name}: there is no such class or function")
    if not isinstance(found, (type, types.FunctionType)) or not within(found.__module__):
        raise InputError(f"{path}._target_={name}: leads outside of what is allowed: {', '.join(ALLOWED)}")
    return found


def within(name: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in ALLOWED)
