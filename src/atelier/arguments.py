"""Checks values that users wrote against the signature of the class or function that takes them.

A signature states types, bounds and choices: `Annotated[int, Ge(1)]`, `Literal["best", "last"]`. Pydantic compares
strictly, as for JSON: it accepts a list for a tuple, a text for a path, an integer for a float, and nothing else.
"""

import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any

from annotated_types import Interval

from atelier.errors import InputError, not_among

Seed = Annotated[int, Interval(ge=0, lt=2**64)]  # what torch's generators take
MISSING = "???"  # OmegaConf's mark of a missing value, which is reported elsewhere
WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "null"}
BOUNDS = {
    "gt": "above {}",
    "ge": "of {} or more",
    "lt": "below {}",
    "le": "of {} or less",
    "multiple_of": "a multiple of {}",
}
BETWEEN = {"gt": "above {}", "ge": "from {}", "lt": "to below {}", "le": "up to {}"}  # for a lower and an upper bound


class UnknownArgument(InputError):
    """A key that the signature does not have."""

    def __init__(self, key: str, owner: str, told: str) -> None:
        super().__init__(f"{key}: {owner} has {told}" if owner else f"{key}: {told}")
        self.key, self.owner = key, owner


class WrongValue(InputError):
    """A value of a wrong type, out of bounds, or not among the choices."""

    def __init__(self, key: str, value: Any, told: str) -> None:
        shown = repr(value) if isinstance(value, str) and is_json(value) else typed(value)
        super().__init__(f"{key}={shown}: {told}")
        self.key, self.value, self.told = key, value, told


def check_arguments(
    path: str,
    target: Callable[..., Any],
    arguments: Mapping[str, Any],
    stated: Mapping[str, Any] | None = None,
    owner: str | None = None,
    added: Mapping[str, Any] | None = None,
) -> None:
    """Check names and values of arguments, given as plain data, against the signature of `target`.

    Args:
        path: dotted key of the arguments for the message, such as `data`; "" for top-level keys.
        stated: {name: annotation}, which replace the signature's.
        owner: name of the target for the message; None: the name of `target` if there is a path; "": no name.
        added: {name: annotation} of arguments beside the signature's.

    Raises:
        UnknownArgument: for a name that is not in the signature.
        WrongValue: for a value that the signature does not accept.
    """
    parameters, hints, takes_any = signature_of(target)
    added = added or {}
    hints = {**hints, **(stated or {}), **added}
    owner = (target.__name__ if path else "") if owner is None else owner
    for key, value in arguments.items():
        dotted = f"{path}.{key}" if path else str(key)
        if key not in parameters and key not in added and not takes_any:
            raise UnknownArgument(dotted, owner, not_among(str(key), [*parameters, *added]))
        hint = hints.get(key, kind_of_default(parameters[key]) if key in parameters else Any)
        if value != MISSING and not fits(value, hint):
            told = f"{f'{owner} takes' if owner else 'give'} {describe(hint)}"
            if isinstance(value, list) and value and all(fits(one, hint) for one in value):
                told += f"; for one run of each, leave out the brackets: -m …={','.join(map(typed, value))}"
            raise WrongValue(dotted, value, told)


def check_complete(path: str, target: Callable[..., Any], arguments: Any) -> None:
    """`check_arguments`; also check that `arguments` is a mapping with every argument that has no default."""
    parameters, hints, _ = signature_of(target)
    if not isinstance(arguments, Mapping):
        raise InputError(f"{path}={typed(arguments)}: give a mapping with keys of: {', '.join(parameters)}")
    check_arguments(path, target, arguments, owner="")
    for name, parameter in parameters.items():
        if name not in arguments and parameter.default is parameter.empty:
            raise InputError(f"{path}.{name} is missing: give {describe(hints[name])}")


@functools.cache
def signature_of(target: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], dict[str, Any], bool]:
    """The parameters and annotations of `target`, and whether it accepts further keywords.

    The parameters of a class with `**options` include those of its base class. Positional-only parameters are left out
    (they have no key), also those of the base class, which the class passes on itself.
    """
    parameters: dict[str, inspect.Parameter] = {}
    hints: dict[str, Any] = {}
    keyless: set[str] = set()
    owners = [base for base in target.__mro__ if "__init__" in vars(base)] if isinstance(target, type) else [target]
    for owner in owners:
        given = inspect.signature(owner).parameters.items()
        keyless |= {name for name, one in given if one.kind is one.POSITIONAL_ONLY}
        own = {name: one for name, one in given if name not in keyless}
        open_ended = [name for name, parameter in own.items() if parameter.kind is parameter.VAR_KEYWORD]
        parameters = {**own, **parameters}
        hints = {**hints_of(owner), **hints}
        if not open_ended:
            return parameters, hints, False
        for name in open_ended:
            del parameters[name]
    return parameters, hints, True


def optional(target: Callable[..., Any]) -> set[str]:
    """The names of the arguments of `target` that need not be given."""
    return {name for name, one in signature_of(target)[0].items() if one.default is not one.empty}


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    function = vars(target).get("__init__", target) if isinstance(target, type) else target
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):  # annotations that only a type checker can resolve
        return {}


def kind_of_default(parameter: inspect.Parameter) -> Any:
    return Any if parameter.default in (None, parameter.empty) else type(parameter.default)


def fits(value: Any, hint: Any) -> bool:
    """Whether a plain value fits the annotation `hint`; True if the annotation cannot be checked.

    >>> from annotated_types import Ge
    >>> fits(0, typing.Annotated[int, Ge(1)]), fits([1, 2], tuple[int, int]), fits(True, int)
    (False, True, False)
    """
    if hint is Any or builds(value):
        return True
    compare = comparison(hint)
    if compare is None:
        return True
    from pydantic import ValidationError

    try:
        compare(json.dumps([value], default=str))
    except ValidationError as error:
        return any(builds(problem["input"]) for problem in error.errors())
    return True


def builds(value: Any) -> bool:
    """Whether a value describes an object (`_target_`), which is checked separately."""
    return isinstance(value, Mapping) and "_target_" in value


@functools.cache
def comparison(hint: Any) -> Callable[[str], Any] | None:
    """A function that raises ValidationError for JSON that is no list of `hint`; None if pydantic cannot read `hint`.

    It validates a list, since pydantic accepts no `config` for a dataclass itself.
    """
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter  # slow import, which many commands do not need

    try:
        return TypeAdapter(list[hint], config=ConfigDict(arbitrary_types_allowed=True, strict=True)).validate_json
    except (PydanticUserError, NameError, TypeError, RuntimeError):
        return None


def describe(hint: Any) -> str:
    """A type annotation in words.

    >>> from annotated_types import Interval
    >>> describe(typing.Annotated[float, Interval(ge=0, lt=1)] | None)
    'a number from 0 to below 1 or null'
    """
    if hint in WORDS:
        return WORDS[hint]
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        kind, *metadata = options
        stated = [(name, getattr(one, name, None)) for one in metadata for name in BOUNDS]
        given = {name: limit for name, limit in stated if limit is not None}
        bounds = " and ".join(BOUNDS[name].format(limit) for name, limit in given.items())
        if given.keys() & {"gt", "ge"} and given.keys() & {"lt", "le"}:
            bounds = " ".join(BETWEEN[name].format(limit) for name, limit in given.items())
        words, comma, rest = describe(kind).partition(",")
        if words in ("text", "a list") and any(getattr(one, "min_length", 0) for one in metadata):
            words += " that is not empty"
        return f"{words}{comma}{rest} {bounds}".strip()
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(describe(option) for option in options))
    if origin is typing.Literal:
        return ("one of: " if len(options) > 1 else "") + ", ".join(dict.fromkeys(map(typed, options)))
    if origin is tuple and options and ... not in options:
        return f"a list of {len(options)}: {', '.join(map(describe, options))}"
    if origin in (list, tuple, Sequence, Iterable):
        return f"a list, each item {describe(options[0])}" if options else "a list"
    if origin in (dict, Mapping):
        return "a mapping" if Any in options else f"a mapping {{{describe(options[0])}: {describe(options[1])}}}"
    return getattr(hint, "__name__", str(hint))


def is_json(text: str) -> bool:
    """Whether a text would be read as a number, true, false, null or a list, without quotes."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def typed(value: Any) -> str:
    """A value as the user would type it.

    >>> typed(None), typed(True), typed([1, None])
    ('null', 'true', '[1, None]')
    """
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
