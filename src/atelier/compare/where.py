"""Conditions on runs in words, such as `objective.best>0.9 and optimizer=adam`."""

import ast
import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from atelier.errors import InputError, nearest_first
from atelier.runs.folder import read_yaml
from atelier.runs.manifest import MARKS
from atelier.runs.setting import leaves
from atelier.sweeps.grid import meaning
from atelier.sweeps.records import Record, inside

ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    **{ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge},
}
FORM = "write it as 'objective.best>0.9 and optimizer=adam'; texts other than a word stand in double quotes"
ONE_EQUALS = re.compile(r"""("[^"]*"|'[^']*')|(?<![<>=!])=(?!=)""")
NEAREST = 8  # keys that a message names


class Condition:
    """A condition on runs: comparisons of dotted keys with values, joined by `and`, `or`, `not` and parentheses.

    A key is one of the configuration or of run.json; `test/accuracy` is `test.accuracy`. Comparisons are =, !=, <, <=,
    > and >=. A run without the key, or with a value of another kind, meets `!=` alone. A list, such as `tags`, equals
    each of its items.

    Raises:
        InputError: if the text is no condition.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.tree = ast.parse(ONE_EQUALS.sub(lambda found: found[1] or "==", text.strip()), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise InputError(f"where={text}: this is no condition; {FORM}") from None
        compared = {self.key(one.left): self.value(one.comparators[0]) for one in self.comparisons(self.tree)}
        self.wanted = dict(sorted(compared.items()))
        self.keys = list(self.wanted)

    def comparisons(self, node: ast.expr) -> Iterator[ast.Compare]:
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self.comparisons(value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield from self.comparisons(node.operand)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            if not isinstance(node.ops[0], (ast.Eq, ast.NotEq, *ORDERS)):
                raise InputError(f"where={self.text}: {ast.unparse(node)} is no comparison; {FORM}")
            yield node
        else:
            raise InputError(f"where={self.text}: {ast.unparse(node)} is no comparison; {FORM}")

    def key(self, node: ast.expr) -> str:
        """The dotted key on the left of a comparison."""
        key = ast.unparse(node).replace(" / ", ".")
        if not re.fullmatch(r"[A-Za-z_][\w.]*", key):
            raise InputError(f"where={self.text}: {ast.unparse(node)} is no key; {FORM}")
        return key

    def value(self, node: ast.expr) -> Any:
        """The value on the right of a comparison: a word is a text, or null, true or false."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            return meant(ast.unparse(node))
        try:
            return ast.literal_eval(node)
        except (ValueError, SyntaxError, TypeError):  # TypeError: a list as a key
            raise InputError(f"where={self.text}: {ast.unparse(node)} is no value; {FORM}") from None

    def __call__(self, record: Record) -> bool:
        return self.holds(self.tree, record)

    def holds(self, node: ast.expr, record: Record) -> bool:
        if isinstance(node, ast.BoolOp):
            together = all if isinstance(node.op, ast.And) else any
            return together(self.holds(value, record) for value in node.values)
        if isinstance(node, ast.UnaryOp):
            return not self.holds(node.operand, record)
        assert isinstance(node, ast.Compare)
        found, wanted, order = value_of(record, self.key(node.left)), self.value(node.comparators[0]), node.ops[0]
        if isinstance(order, (ast.Eq, ast.NotEq)):
            return equal(found, wanted) == isinstance(order, ast.Eq)
        alike = all(isinstance(one, (int, float)) for one in (found, wanted)) or type(found) is type(wanted) is str
        return alike and ORDERS[type(order)](found, wanted)


def equal(found: Any, wanted: Any) -> bool:
    """Whether a run's value is the wanted one, or a list with it."""
    return bool(found == wanted or (isinstance(found, list) and wanted in found))


def matching(records: Sequence[Record], where: str) -> list[Record]:
    """The records that meet a condition.

    Raises:
        InputError: if `where` is no condition, or names a key that no run has.
    """
    condition = Condition(where)
    for key in condition.keys:
        check_known(key, records)
    return [record for record in records if condition(record)]


def value_of(record: Record, key: str) -> Any:
    """The value of a dotted key in the overrides, in run.json or in config.yaml; None if there is none.

    Tags and notes are those of run.json, which change after the run. `test/accuracy` is `test.accuracy`.
    """
    if key == "status":
        return record.status
    group, *names = key.replace("/", ".").split(".")
    path = [group, "/".join(names)] if group == "test" else [group, *names]  # metrics such as accuracy/cat
    typed = "${" not in record.overrides.get(key, "${")  # what another key decides stands in config.yaml
    known = None if typed and key not in MARKS else record.get(*path)
    return setting_value(record, key) if known is None or isinstance(known, dict) else known


def setting_value(record: Record, key: str) -> Any:
    """The value of a dotted key of the configuration; the option of a group is known where it was typed or is swept."""
    typed = record.overrides.get(key) or ""
    if known := ("" if "${" in typed else typed) or (record.job.get("values") or {}).get(key):
        return meant(str(known))
    try:
        found = inside(record.config(key.partition(".")[0]), key.split("."))
    except InputError:  # a damaged config.yaml
        return None
    return None if isinstance(found, dict) else found


@cache  # Hydra's parser is slow
def meant(text: str) -> Any:
    return json.loads(meaning(text))


def check_known(key: str, records: Sequence[Record], given_as: str = "where") -> None:
    """
    Args:
        given_as: the option that names the key.

    Raises:
        InputError: if there are records, and none of them has the dotted `key`.
    """
    if not records or any(value_of(record, key) is not None for record in records):
        return
    keys = dict.fromkeys(known for record in records for known in keys_of(record))
    if key not in keys:
        nearest = ", ".join(nearest_first(key, keys)[:NEAREST])
        raise InputError(f"{given_as}: no run has the key {key}; the nearest are: {nearest}")


def keys_of(record: Record) -> list[str]:
    """The dotted keys of a run's overrides, run.json and configuration."""
    file = record.folder / "config.yaml" if record.folder else None
    try:
        config = read_yaml(file) if file and file.is_file() else {}
    except InputError:  # a damaged config.yaml
        config = {}
    known = record.manifest, config if isinstance(config, dict) else {}
    return [*record.overrides, *(key for content in known for key, _ in leaves(content))]
