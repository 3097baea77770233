"""Shows the progress of the list: jobs, seeds, hours spent, estimated hours left, and present verdicts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from atelier.claims.judge import decide_all
from atelier.claims.verdict import VERDICTS, Decided
from atelier.claims.words import condition
from atelier.results.plan import Part, given, repeat, whole_repeats
from atelier.results.runs import hours, runs_of
from atelier.results.studies import read_study
from atelier.results.told import hours_told
from atelier.runs.terminal import plain_console
from atelier.sweeps.records import Record

UNKNOWN = "—"


@dataclass(frozen=True)
class Line:
    """A study. Hours are sums over jobs with a single thread each; on n cores, the queue takes about an n-th of them.

    Args:
        seeds: number of seeds complete in all settings, and planned number.
        left: estimated hours; None if no job is done.
        verdicts: {verdict: number of claims}.
        unmeasured: the checks for which runs have ended and none has a number.
    """

    study: str
    done: int
    planned: int
    seeds: tuple[int, int]
    spent: float
    left: float | None
    verdicts: Mapping[str, int]
    unmeasured: Sequence[str] = ()


def lines(parts: Sequence[Part], conf: Path, logs: Path, docs: Path) -> list[Line]:
    """A line for each study of the list, in its order."""
    names = list(dict.fromkeys(part.study for part in parts))
    studies = {name: read_study(conf, name) for name in names}
    runs = {name: runs_of(studies[name], logs, docs).kept for name in names}
    found = decide_all(studies, runs)
    return [line(name, [part for part in parts if part.study == name], runs[name], found[name]) for name in names]


def line(study: str, parts: Sequence[Part], records: Sequence[Record], decided: Sequence[Decided]) -> Line:
    """
    Args:
        parts: the study's parts of the list.
        records: the study's present runs.
    """
    jobs = [frozenset(job) for part in parts for job in part.grid.jobs]
    done = [one for part in parts for one in part.done(records)]
    took: dict[frozenset[str], list[float]] = {}
    for record in records:
        if record.status == "completed":
            job = given(record)
            took.setdefault(job - repeat(job), []).append(hours(record))
    all_took = [one for several in took.values() for one in several]
    missing = [job - repeat(job) for job, is_done in zip(jobs, done, strict=True) if not is_done]
    left = [mean(took.get(job) or all_took) for job in missing] if all_took or not missing else None
    return Line(
        study=study,
        done=sum(done),
        planned=len(jobs),
        seeds=whole_repeats(parts, records),
        spent=sum(map(hours, records)),
        left=None if left is None else sum(left),
        verdicts=Counter(one.verdict for one in decided),
        unmeasured=[
            condition(check)
            for one in decided
            for check, outcome in zip(one.claim.checks, one.outcomes, strict=True)
            if outcome.lost and not outcome.quantity.n
        ],
    )


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def print_status(lines: Sequence[Line], cores: int) -> None:
    console = plain_console()
    if not console.is_terminal:
        console = plain_console(width=200)  # in a file, no cell is wrapped
    table = Table(box=SIMPLE_HEAD)
    numeric = ("jobs", "seeds", "hours spent", "hours left")
    for title in ("study", *numeric, "verdicts so far"):
        table.add_column(title, justify="right" if title in numeric else "left")
    for one in lines:
        table.add_row(
            one.study,
            f"{one.done} of {one.planned}",
            f"{one.seeds[0]} of {one.seeds[1]}",
            hours_told(one.spent),
            UNKNOWN if one.left is None else hours_told(one.left),
            verdicts_told(one.verdicts),
        )
    console.print(table)
    total: Counter[str] = sum((Counter(one.verdicts) for one in lines), Counter())
    known = sum(one.left or 0.0 for one in lines)
    unknown = sum(one.left is None for one in lines)
    done, planned = sum(one.done for one in lines), sum(one.planned for one in lines)
    print(f"{done} of {planned} jobs; claims: {verdicts_told(total)}")
    clock = f"on {cores} cores at once about {hours_told(known / cores)} by the clock"
    print(f"Hours are those of jobs. Left: {hours_told(known)}, {clock}.")
    for one in lines:
        for check in one.unmeasured:
            print(f"{one.study}: no run has a number for its claim {check}")
    if unknown:
        print(f"{UNKNOWN}: of {unknown} studies no job is done that tells how long the others take; not counted.")


def verdicts_told(verdicts: Mapping[str, int]) -> str:
    return ", ".join(f"{verdicts[one]} {one}" for one in VERDICTS if verdicts.get(one)) or UNKNOWN
