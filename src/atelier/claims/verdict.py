"""Decides claims: a number for each repeat, and the position of the 95 % interval of their mean."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from atelier.claims.claim import Check, Claim, Side
from atelier.claims.selection import Repeat, selects
from atelier.compare.difference import folds_of
from atelier.compare.scores import best_place, scores_of, unit_of
from atelier.figures.words import ROUNDING
from atelier.runs.statistic import ENOUGH, Statistic
from atelier.sweeps.aggregate import Results, Setting
from atelier.sweeps.records import Record

CONFIRMED, CONTRADICTED, UNDECIDED, NOT_RUN = "confirmed", "contradicted", "undecided", "not run"
LEANS = {CONFIRMED: "leans to confirmed", CONTRADICTED: "leans to contradicted"}
VERDICTS = (CONFIRMED, CONTRADICTED, UNDECIDED, *LEANS.values(), NOT_RUN)
EXACT = ("parameters",)  # metrics that no seed changes


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check: the statistic of its quantity over the repeats, and the verdict.

    `lost` is the number of repeats without a number: a run failed, or ended without a finite one.
    """

    quantity: Statistic
    verdict: str
    lost: int = 0


@dataclass(frozen=True)
class Decided:
    """A claim with the outcomes of its checks and the verdict."""

    claim: Claim
    outcomes: Sequence[Outcome]
    verdict: str


def decide(claims: Sequence[Claim], results: Mapping[str | None, Results]) -> list[Decided]:
    """
    Args:
        results: {None: results of the claims' own study, name: results of another study}.
    """
    return [decide_claim(claim, results) for claim in claims]


def decide_claim(claim: Claim, results: Mapping[str | None, Results]) -> Decided:
    if not claim.checks:
        return Decided(claim, [], claim.verdict or NOT_RUN)
    outcomes = [decide_check(check, results) for check in claim.checks]
    return Decided(claim, outcomes, together([outcome.verdict for outcome in outcomes]))


def together(verdicts: Sequence[str]) -> str:
    """The verdict on a claim from those of its checks, which must all hold."""
    order = (CONTRADICTED, NOT_RUN, UNDECIDED, LEANS[CONTRADICTED], LEANS[CONFIRMED])
    return next((verdict for verdict in order if verdict in verdicts), CONFIRMED)


def decide_check(check: Check, results: Mapping[str | None, Results]) -> Outcome:
    measured = by_repeat(check.side, results)
    exact = all(side.metric in EXACT for side in (check.side, check.than) if side is not None)
    if check.than is not None:
        other = by_repeat(check.than, results)
        equal = 0.0 if exact else ROUNDING  # what differs by rounding alone does not differ
        measured = {
            repeat: 0.0 if math.isclose(one, other[repeat], rel_tol=equal) else one - other[repeat]
            for repeat, one in measured.items()
            if repeat in other
        }
    quantity = Statistic.of(measured.values())
    settings = results[check.side.study].settings if measured else ()
    found = verdict(quantity, check, exact, folds_of(measured, settings))
    lost = len(measured) - quantity.n
    if lost:
        found = UNDECIDED  # the mean may lack the worst, and without a number the runs are done all the same
    return Outcome(quantity, found, lost)


def verdict(quantity: Statistic, check: Check, exact: bool = False, folds: int = 1) -> str:
    """The verdict from the interval; with fewer than ENOUGH repeats, a leaning from the mean."""
    if quantity.mean is None:
        return NOT_RUN
    lowest, highest = allowed(check)
    if exact or quantity.n < ENOUGH:
        found = CONFIRMED if lowest <= quantity.mean <= highest else CONTRADICTED
        if check.relation != "near" and quantity.mean == check.bound:
            found = CONTRADICTED  # above and below exclude the bound
        return found if exact else LEANS[found]
    low, high = quantity.interval(folds)
    inside = lowest <= low and high <= highest
    if check.relation != "near" and check.bound in (low, high):
        inside = False
    return CONFIRMED if inside else CONTRADICTED if high < lowest or low > highest else UNDECIDED


def allowed(check: Check) -> tuple[float, float]:
    """The range in which the quantity must be."""
    if check.relation == "above":
        return check.bound, math.inf
    if check.relation == "below":
        return -math.inf, check.bound
    return check.bound - check.within, check.bound + check.within


# ---------------------------------------------------------------------- measuring


def by_repeat(side: Side, results: Mapping[str | None, Results]) -> dict[Repeat, float]:
    """{repeat: the side's number, the mean over its settings}, for repeats that all its settings have.

    NaN if one of them failed, or ended without a finite number.
    """
    found = results.get(side.study)
    if found is None:
        return {}
    base = found.base.values if found.base else None
    settings = [one for one in found.settings if selects(side.of, one.values, base)]
    unit = unit_of(found.records)
    measured = [numbers(setting, side, unit) for setting in settings]
    if not measured:
        return {}
    repeats = [repeat for repeat in measured[0] if all(repeat in one for one in measured)]
    return {repeat: sum(one[repeat] for one in measured) / len(measured) for repeat in repeats}


def numbers(setting: Setting, side: Side, unit: str) -> dict[Repeat, float]:
    """{repeat: number} of the runs of a setting that have ended; NaN for a failed one, and without a finite number."""
    found = {record.repeat: number(record, side, unit) for record in setting.completed}
    failed = {record.repeat: None for record in setting.records if record.status == "failed"}
    ended = {**failed, **found}.items()
    return {repeat: math.nan if value is None or math.isinf(value) else value for repeat, value in ended}


def number(record: Record, side: Side, unit: str) -> float | None:
    """The number of a run for a side; `error` is 1 − accuracy, as in the figures."""
    if side.metric.rpartition("/")[2] == "error":
        accuracy = number(record, replace(side, metric=side.metric.replace("error", "accuracy")), unit)
        return None if accuracy is None else 1 - accuracy
    if side.metric in ("best_epoch", "best_step"):
        place = best_place(record, side.metric.removeprefix("best_"))
        return None if place is None else place + 1.0
    if side.metric == "validation_gap" and side.at not in (None, "best"):
        return gap_at(record, side.at, unit)
    tested = side.metric.startswith("test/") and side.at is None
    if tested or (side.at in (None, "best") and not side.metric.startswith("test/")):
        return scores_of(record, unit).get(side.metric)
    return at_place(record.curves(unit).get(side.metric, {}), side.at, best_place(record, unit), unit)


def gap_at(record: Record, at: Any, unit: str) -> float | None:
    """The validation gap of `atelier.runs.rows.gaps` at another place than the best one."""
    _, _, name = str(record.get("objective", "metric")).partition("/")
    curves = record.curves(unit)
    trained = curves.get(f"train/clean_{name}") or curves.get(f"train/{name}", {})
    seen, unseen = (at_place(curve, at, None, unit) for curve in (trained, curves.get(f"val/{name}", {})))
    sign = 1 if record.get("objective", "mode") == "max" else -1
    return None if seen is None or unseen is None else sign * (seen - unseen)


def at_place(curve: Mapping[int, float], at: Any, best: int | None, unit: str) -> float | None:
    """The value of a curve {place counted from 0: value} at a place, or the mean over its first values."""
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
    """The last value measured up to a place; None if the run ended before it."""
    if last is None or not curve or max(curve) < last:
        return None
    measured = [place for place in curve if place <= last]
    return curve[max(measured)] if measured else None
