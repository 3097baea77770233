"""Values against signatures: kinds, bounds, choices; and the words for what is taken."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Interval, MinLen, MultipleOf
from torch import nn

from atelier.arguments import UnknownArgument, WrongValue, check_arguments, check_complete, describe, fits, optional
from atelier.errors import InputError

if TYPE_CHECKING:
    from decimal import Decimal

Count = Annotated[int, Ge(1)]
NODE = {"_target_": "torch.nn.Identity"}


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (int, [0, -3], [1.0, 1.5, True, "1", None, [1]]),
        (float, [0, 1.5, float("nan"), float("inf")], [True, "1", None]),
        (bool, [True], [1, "true", None]),
        (str, ["", "a"], [1, True, None]),
        (Path, ["logs", "/tmp"], [1, None]),
        (Count, [1, 7], [0, -1, 1.5, True]),
        (Annotated[float, Gt(0)] | None, [1e-9, None], [0, -1, "fast"]),
        (Annotated[float, Interval(ge=0, lt=1)], [0, 0.999], [1, -0.001]),
        (Annotated[int, Ge(6), MultipleOf(3)], [6, 9], [3, 7]),
        (Literal["best", "last"], ["best"], ["worst", None, 1]),
        (bool | Literal["keras"], [False, "keras"], ["torch", 1]),
        (Sequence[Count], [[], [1, 2]], [[1, 0], "ab", 3, [None]]),
        (Annotated[Sequence[int], MinLen(1)], [[0]], [[]]),
        (Sequence[Count | Sequence[Count]], [[1, [2, 3]]], [[[0]], [0], ["a"]]),
        (tuple[float, float], [[0.9, 1]], [[0.9], [1, 2, 3], 0.9]),
        (Mapping[str, float], [{"a": 1}], [{"a": "b"}, 3]),
        (nn.Module | None, [None, NODE], ["relu", 3]),
        (Callable[[], nn.Module], [NODE], ["relu", None]),
        (Sequence[Callable[[], nn.Module]], [[NODE, NODE]], [["relu"]]),
        (int | Sequence[int], [3, [1, NODE]], ["relu", ["relu"]]),
        (Any, [None, 1, "a", {}], []),
    ],
    ids=str,
)
def test_a_value_fits_or_does_not(hint: Any, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if not fits(value, hint)] == []
    assert [value for value in bad if fits(value, hint)] == []


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Count, "a whole number of 1 or more"),
        (Count | None, "a whole number of 1 or more or null"),
        (Annotated[float, Interval(gt=0, le=1)], "a number above 0 up to 1"),
        (Annotated[int, Ge(6), MultipleOf(3)], "a whole number of 6 or more and a multiple of 3"),
        (Literal["a", 1, None], "one of: a, 1, null"),
        (Sequence[Count], "a list, each item a whole number of 1 or more"),
        (tuple[float, bool], "a list of 2: a number, true or false"),
        (Annotated[Sequence[Count], MinLen(1)], "a list that is not empty, each item a whole number of 1 or more"),
    ],
    ids=str,
)
def test_what_is_taken_is_said_in_words(hint: Any, words: str) -> None:
    assert describe(hint) == words


class Base:
    def __init__(self, size: Count, name: str = "a") -> None: ...


class Thing(Base):
    def __init__(self, share: Annotated[float, Interval(ge=0, le=1)], **options: Any) -> None: ...


class Wider(Thing):
    """Takes more than its base does."""

    def __init__(self, size: float, share=None, **options: Any) -> None: ...  # type: ignore[no-untyped-def]


class Fixed(Base):
    """Gives the size by itself."""

    def __init__(self, size: int, /, **options: Any) -> None: ...


class Below(Fixed):
    def __init__(self, **options: Any) -> None: ...


class Unread:
    """Annotated with a name that only a type checker imports."""

    def __init__(self, value: "Decimal") -> None: ...


def anything(**options: Any) -> None: ...


def test_what_a_class_hands_on_to_its_base_is_checked_too() -> None:
    check_arguments("data", Thing, {"share": 1, "size": 1})
    with pytest.raises(WrongValue, match=r"^data\.size=0: Thing takes a whole number of 1 or more$") as error:
        check_arguments("data", Thing, {"size": 0})
    assert (error.value.key, error.value.value) == ("data.size", 0)
    with pytest.raises(UnknownArgument, match=r"^data\.nam: Thing has no 'nam'; choose from: name, "):
        check_arguments("data", Thing, {"nam": "b"})


def test_an_argument_of_the_class_itself_stands_before_its_bases() -> None:
    check_arguments("data", Wider, {"size": 0.5})
    assert optional(Wider) == {"share", "name"}
    assert optional(Thing) == {"name"}


def test_what_a_class_gives_its_base_by_itself_has_no_key() -> None:
    check_arguments("data", Fixed, {"name": "b"})
    with pytest.raises(UnknownArgument, match=r"^data\.size: Fixed has no 'size'; choose from: name$"):
        check_arguments("data", Fixed, {"size": 1})
    with pytest.raises(UnknownArgument, match=r"^data\.size: Below has no 'size'; choose from: name$"):
        check_arguments("data", Below, {"size": 1})


def test_what_stands_by_itself_has_no_owner() -> None:
    with pytest.raises(WrongValue, match=r"^size=null: give a whole number of 1 or more$"):
        check_arguments("", Thing, {"size": None})


def test_a_list_in_the_place_of_one_value_is_told_how_to_sweep() -> None:
    swept = "; for one run of each, leave out the brackets: -m …="
    for given, told in (({"size": [1, 2]}, f"{swept}1,2"), ({"share": [0.5, 1]}, f"{swept}0.5,1")):
        with pytest.raises(WrongValue, match=rf"{re.escape(told)}$"):
            check_arguments("data", Thing, given)
    for value in ([], [1, 0], ["a"]):
        with pytest.raises(WrongValue, match=r"Thing takes a whole number of 1 or more$"):
            check_arguments("data", Thing, {"size": value})


def test_an_annotation_stated_elsewhere_counts() -> None:
    check_arguments("a", Thing, {"size": 0}, stated={"size": int})
    with pytest.raises(WrongValue):
        check_arguments("a", Thing, {"name": "c"}, stated={"name": Literal["a", "b"]})


@pytest.mark.parametrize("target", [Unread, anything])
def test_what_cannot_be_known_passes(target: Any) -> None:
    check_arguments("a", target, {"value": "???"})
    check_arguments("a", target, {"value": 3})


@dataclass
class Row:
    name: str
    count: Count = 1


def test_what_has_to_be_given_is_asked_for() -> None:
    check_complete("rows[0]", Row, {"name": "a"})
    with pytest.raises(InputError, match=r"^rows\[0\]\.name is missing: give text$"):
        check_complete("rows[0]", Row, {"count": 2})
    with pytest.raises(InputError, match=r"^rows\[0\]=3: give a mapping with keys of: name, count$"):
        check_complete("rows[0]", Row, 3)


@pytest.mark.parametrize(
    ("value", "told"),
    [("0.5", "bound='0.5': "), ("null", "bound='null': "), ("true", "bound='true': "), ("high", "bound=high: ")],
)
def test_a_text_that_looks_like_something_else_is_told_in_quotes(value: str, told: str) -> None:
    """Else a number is asked for where a number seems to stand."""

    def node(bound: float | None) -> None: ...

    with pytest.raises(WrongValue, match=re.escape(f"{told}give a number or null")):
        check_arguments("", node, {"bound": value})
