"""A row of the table: the ratios of two things measured in turns, or one number measured several times."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Row:
    """
    Args:
        name: what is measured.
        beside: what it is divided by; "" for a number with a `unit`.
        values: ratios or numbers, one for each round.
        aim: what the median is to be, as text, such as "at most 1.10"; "" if there is none.
        note: the medians of what was compared, with their units.
    """

    name: str
    beside: str
    values: list[float]
    aim: str = ""
    note: str = ""
    unit: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def cells(self) -> list[str]:
        spread = f"{self.median:.3g}{self.unit} ({min(self.values):.3g} to {max(self.values):.3g})"
        return [self.name, self.beside, spread, self.aim, self.note]


def in_turns(
    name: str, beside: str, ours: Callable[[], float], theirs: Callable[[], float], rounds: int, aim: str
) -> Row:
    """The ratios of `ours` to `theirs`, which return seconds; neighbours are compared, since machines are noisy."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(name, beside, [a / b for a, b in pairs], aim, f"{shown(mine)}, {shown(other)}")


def shown(seconds: float) -> str:
    """
    >>> shown(0.00123), shown(12.345)
    ('1.23 ms', '12.3 s')
    """
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def clock(action: Callable[[], object]) -> float:
    """Seconds that the action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def show(rows: Iterable[Row], before: dict[str, Any] | None) -> None:
    """Print the table; with the rows of an earlier file, also what the medians were in `before`."""
    titles = ["what", "beside", "median (range)", "aim", "medians"]
    table = Table(*titles, *(["before", "now / before"] if before is not None else []))
    for row in rows:
        earlier = (before or {}).get(row.name)
        then = [] if before is None else ["", ""]
        if earlier:
            middle = statistics.median(earlier["values"])
            then = [f"{middle:.3g}", f"{row.median / middle:.2f}"]
        table.add_row(*row.cells(), *then)
    Console(width=160).print(table)


def store(rows: Sequence[Row]) -> Path:
    """Write the rows into a new file under logs/bench; `COMPARE` reads it."""
    path = ROOT / "logs" / "bench" / f"{time.strftime('%Y-%m-%d_%H-%M-%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    content = {"machine": machine, "torch": torch.__version__, "rows": {row.name: asdict(row) for row in rows}}
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path
