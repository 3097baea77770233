"""A study as its claims see it: the claims and the grid of a `study` node."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atelier.claims.claim import Claim
from atelier.sweeps.grid import Grid


@dataclass(frozen=True)
class Study:
    """A study.

    Args:
        name: name of its file in conf/study/.
        node: the file's `study:` node, with the `claims`.
        grid: all jobs of the study.
        own: what else the file sets, as overrides, such as trainer.max_epochs=200.
    """

    name: str
    node: Mapping[str, Any]
    claims: list[Claim]
    grid: Grid
    own: frozenset[str] = frozenset()

    @property
    def settings(self) -> list[dict[str, str]]:
        """{swept key: value as text} of each setting, in the order of the grid; "" for a key that it does not set."""
        return list(map(dict, dict.fromkeys(tuple(values.items()) for values in self.grid.values)))
