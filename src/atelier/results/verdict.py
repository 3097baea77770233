"""What runs say of a claim: one number for each repeat, and where the 95 % interval of their mean lies."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from atelier.report.groups import base_of, best_place, scores_of, unit_of
from atelier.results.claims import Check, Claim, Side
from atelier.results.selection import Repeat, repeat_of, selects
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, Setting
from atelier.sweeps.records import Record

CONFIRMED, CONTRADICTED, UNDECIDED, NOT_RUN = "confirmed", "contradicted", "undecided", "not run"
LEANS = {CONFIRMED: "leans to confirmed", CONTRADICTED: "leans to contradicted"}
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED, *LEANS.values(), NOT_RUN)
ENOUGH = 3  # repeats, from which on an interval decides
EXACT = ("parameters",)  # what no seed changes
# Student's 97.5 % quantile for 1, 2, … degrees of freedom; above 30 that of 30, which is a little wide.
STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131),
    *(2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)


@dataclass(frozen=True)
class Outcome:
    """What the runs say of a check: its quantity over the repeats, and the verdict."""

    quantity: Statistic
    verdict: str


@dataclass(frozen=True)
class Decided:
    """A claim with its outcomes, one for each check, and the verdict on all of it."""

    claim: Claim
    outcomes: Sequence[Outcome]
    verdict: str


def decide(claims: Sequence[Claim], results: Mapping[str | None, Results]) -> list[Decided]:
    """
    Args:
        results: of the claims' own study under None, of others that they compare with under their names.
    """
    return [decide_claim(claim, results) for claim in claims]


def decide_claim(claim: Claim, results: Mapping[str | None, Results]) -> Decided:
    if not claim.checks:
        return Decided(claim, [], claim.verdict or NOT_RUN)
    outcomes = [decide_check(check, results) for check in claim.checks]
    return Decided(claim, outcomes, together([outcome.verdict for outcome in outcomes]))


def together(verdicts: Sequence[str]) -> str:
    """The verdict on a claim all of whose checks must hold."""
    order = (CONTRADICTED, NOT_RUN, UNDECIDED, LEANS[CONTRADICTED], LEANS[CONFIRMED])
    return next((verdict for verdict in order if verdict in verdicts), CONFIRMED)


def decide_check(check: Check, results: Mapping[str | None, Results]) -> Outcome:
    measured = by_repeat(check.side, results)
    if check.than is not None:
        other = by_repeat(check.than, results)
        measured = {repeat: measured[repeat] - other[repeat] for repeat in measured if repeat in other}
    quantity = Statistic.of(measured.values())
    metrics = [side.metric for side in (check.side, check.than) if side is not None]
    return Outcome(quantity, verdict(quantity, check, exact=all(metric in EXACT for metric in metrics)))


def verdict(quantity: Statistic, check: Check, exact: bool = False) -> str:
    """By the whole interval; by the mean of too few repeats it leans."""
    if quantity.mean is None:
        return NOT_RUN
    lowest, highest = allowed(check)
    if exact or quantity.n < ENOUGH:
        found = CONFIRMED if lowest <= quantity.mean <= highest else CONTRADICTED
        if check.relation != "near" and quantity.mean == check.bound:
            found = CONTRADICTED  # above and below do not hold what they are compared with
        return found if exact else LEANS[found]
    low, high = interval(quantity)
    inside = lowest <= low and high <= highest
    if check.relation != "near" and check.bound in (low, high):
        inside = False
    return CONFIRMED if inside else CONTRADICTED if high < lowest or low > highest else UNDECIDED


def allowed(check: Check) -> tuple[float, float]:
    """From where to where the quantity has to be."""
    if check.relation == "above":
        return check.bound, math.inf
    if check.relation == "below":
        return -math.inf, check.bound
    return check.bound - check.within, check.bound + check.within


def interval(quantity: Statistic) -> tuple[float, float]:
    """Student's 95 % interval of the mean of at least two values."""
    assert quantity.mean is not None
    assert quantity.std is not None
    half = STUDENT[min(quantity.n - 1, len(STUDENT)) - 1] * quantity.std / math.sqrt(quantity.n)
    return quantity.mean - half, quantity.mean + half


# ---------------------------------------------------------------------- what is measured


def by_repeat(side: Side, results: Mapping[str | None, Results]) -> dict[Repeat, float]:
    """A side's number for each repeat that all of its settings have; of several settings their mean."""
    found = results.get(side.study)
    if found is None:
        return {}
    base = base_of(found)
    settings = [one for one in found.settings if selects(side.of, one.values, base.values if base else None)]
    unit = unit_of(found.records)
    measured = [numbers(setting, side, unit) for setting in settings]
    if not measured:
        return {}
    repeats = [repeat for repeat in measured[0] if all(repeat in one for one in measured)]
    return {repeat: sum(one[repeat] for one in measured) / len(measured) for repeat in repeats}


def numbers(setting: Setting, side: Side, unit: str) -> dict[Repeat, float]:
    """{repeat: the number}, of the completed runs that have one."""
    found = {repeat_of(record): number(record, side, unit) for record in setting.completed}
    return {repeat: value for repeat, value in found.items() if value is not None and math.isfinite(value)}


def number(record: Record, side: Side, unit: str) -> float | None:
    """What one run gave for a side; an error is what is missing to an accuracy of 1, as in the figures."""
    if side.metric.rpartition("/")[2] == "error":
        accuracy = number(record, replace(side, metric=side.metric.replace("error", "accuracy")), unit)
        return None if accuracy is None else 1 - accuracy
    if side.metric in ("best_epoch", "best_step"):
        place = best_place(record, side.metric.removeprefix("best_"))
        return None if place is None else place + 1.0
    curves = record.curves(unit)
    tested = side.metric.startswith("test/") and side.at is None
    if tested or (side.at in (None, "best") and not side.metric.startswith("test/")):
        return scores_of(record, curves, unit).get(side.metric)
    return at_place(curves.get(side.metric, {}), side.at, best_place(record, unit), unit)


def at_place(curve: Mapping[int, float], at: Any, best: int | None, unit: str) -> float | None:
    """A value of {place counted from 0: value}, or the mean over the first ones."""
    places = sorted(curve)
    if not isinstance(at, Mapping):
        last = best if at == "best" else None
        return curve[places[-1]] if places and last is None else value_until(curve, last)
    ((word, count),) = at.items()
    if word == "first":
        chosen = places[:count]
        return sum(curve[place] for place in chosen) / len(chosen) if len(chosen) == count else None
    return value_until(curve, count - 1) if word == unit else None


def value_until(curve: Mapping[int, float], last: int | None) -> float | None:
    """The last value that was measured up to a place; None if the run did not come so far."""
    if last is None or not curve or max(curve) < last:
        return None
    measured = [place for place in curve if place <= last]
    return curve[max(measured)] if measured else None
