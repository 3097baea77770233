"""Checks every `_target_` of a configuration before anything is built: allowed, real, and called with keys it takes."""

import functools
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from atelier.compose.explain import not_among
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
MOVED = {f"atelier.compose.features.{name}": f"atelier.metrics.features.{name}" for name in ("Pixels", "Inception")}


class UnknownArgument(InputError):
    """A key of the configuration that what it builds does not take."""

    def __init__(self, key: str, owner: str, told: str) -> None:
        super().__init__(f"{key}: {owner} has {told}")
        self.key, self.owner = key, owner


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
        InputError: for a target outside `ALLOWED` or that does not exist, a key that it does not take, or a value of
            the wrong kind.
    """
    for path, node in nodes(OmegaConf.to_container(config, resolve=True)):
        target = locate(path, node["_target_"])
        check_arguments(path, target, {key: value for key, value in node.items() if not key.startswith("_")})


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


def check_arguments(path: str, target: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Names and kinds of the arguments of `target`, as far as its signature tells."""
    parameters, hints, takes_any = signature_of(target)
    for key, value in arguments.items():
        if key not in parameters:
            if not takes_any:
                raise UnknownArgument(f"{path}.{key}", target.__name__, not_among(key, parameters))
            continue
        default = parameters[key].default
        hint = hints.get(key, Any if default in (None, inspect.Parameter.empty) else type(default))
        if value != "???" and not fits(value, hint):
            raise InputError(f"{path}.{key}={value}: {target.__name__} takes {describe(hint)}")


def signature_of(target: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], dict[str, Any], bool]:
    """The parameters and annotations of `target`, and whether it takes any others.

    A class that hands `**options` on to its base takes what the base takes.
    """
    parameters: dict[str, inspect.Parameter] = {}
    hints: dict[str, Any] = {}
    owners = [base for base in target.__mro__ if "__init__" in vars(base)] if isinstance(target, type) else [target]
    for owner in owners:
        own = dict(inspect.signature(owner).parameters)
        open_ended = [name for name, parameter in own.items() if parameter.kind is parameter.VAR_KEYWORD]
        parameters = {**own, **parameters}
        hints = {**hints_of(owner), **hints}
        if not open_ended:
            return parameters, hints, False
        for name in open_ended:
            del parameters[name]
    return parameters, hints, True


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    function = vars(target).get("__init__", target) if isinstance(target, type) else target
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError, AttributeError):  # names that only a type checker imports
        return {}


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain configuration value can stand where `hint` is annotated; in doubt, yes."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(value, dict):  # a node that builds something is not looked into
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, option) for option in options)
    if origin is typing.Literal:
        return value in options
    kind = origin or hint
    if not isinstance(kind, type) or kind in (object, inspect.Parameter.empty):
        return True
    if kind in (int, float) and isinstance(value, int):
        return not isinstance(value, bool)
    if isinstance(value, list):
        items = options[0] if options and kind is not tuple else Any
        return kind in (list, tuple, Sequence, Iterable) and all(fits(item, items) for item in value)
    if isinstance(value, str) and kind in (Sequence, Iterable):  # of letters; a list is meant
        return False
    return isinstance(value, kind)


def describe(hint: Any) -> str:
    """A type annotation in words."""
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a word", type(None): "null"}
    if hint in words:
        return words[hint]
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(option) for option in options))
    if origin is typing.Literal:
        return ", ".join(str(option) for option in options)
    if origin in (list, tuple, Sequence, Iterable):
        return f"a list, each item {describe(options[0])}" if options and origin is not tuple else "a list"
    return getattr(hint, "__name__", str(hint))
