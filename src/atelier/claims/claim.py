"""The claims of a study, `claims:` in conf/study/*.yaml: a report's statements, and the checks that decide them.

    claims:
      - says: "'ReLU performs best'"    # the report's words
        where: figure 1                 # of the report
        checks:                         # the claim is confirmed if all hold
          - metric: val/accuracy        # a logged metric with its split, or one of FACTS
            at: last                    # best (the run's; the default) | last | {first: 5} | {epoch: 10} | {step: 500}
            of: {activation: relu}      # the settings with these values, or `base`; by default all settings
            than: {activation: tanh}    # the check is on the difference, repeat by repeat
            above: 0                    # or below: x, or near: x with within: y
      - says: "'gradual blending'"      # about pictures: a person decides
        where: figure 10
        seen: null                      # the pictures that the person looked at, and the observation
        verdict: null                   # confirmed | contradicted | undecided

`than_metric`, `than_at` and `than_study` describe the other side if it differs in them; without `than`, the other side
has the same settings. `reported` is the report's own number; `because` justifies the bound, and is needed but where a
difference is compared with 0; a claim's `reason` explains why the claim does not hold here. For `test/` metrics without
`at`, the final test counts; with `at`, values logged during the training.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Len, MinLen

from atelier.arguments import WrongValue, check_complete
from atelier.errors import InputError
from atelier.runs.overrides import bare
from atelier.runs.rows import GAPS

FACTS = ("seconds", "parameters", "best_epoch", "best_step", *GAPS)  # values that a run has once, besides test/…
SPLITS = ("train", "val", "test")
RELATIONS = ("above", "below", "near")
OTHER = ("than", "than_metric", "than_at", "than_study")
BASE = "base"  # the base setting of a study

Values = Mapping[str, Any]  # {swept key: value}
Words = Annotated[str, MinLen(1)]
Settings = Literal["base"] | Values | None
# {first: 5} is the mean over the first five measured values
Place = (
    Literal["best", "last"] | Annotated[Mapping[Literal["first", "epoch", "step"], Annotated[int, Ge(1)]], Len(1, 1)]
)


@dataclass(frozen=True)
class ClaimNode:
    """The keys of a claim: either `checks`, or `seen` and `verdict`."""

    says: Words
    where: Words
    checks: Annotated[Sequence[Values], MinLen(1)] = ()
    seen: str | None = None
    verdict: Literal["confirmed", "contradicted", "undecided"] | None = None
    reason: str | None = None


@dataclass(frozen=True)
class CheckNode:
    """The keys of a check."""

    metric: str
    at: Place | None = None
    of: Settings = None
    than: Settings = None
    than_metric: str | None = None
    than_at: Place | None = None
    than_study: str | None = None
    above: float | None = None
    below: float | None = None
    near: float | None = None
    within: Annotated[float, Ge(0)] | None = None
    reported: float | None = None
    because: str | None = None


@dataclass(frozen=True)
class Side:
    """A quantity with a number for each repeat: a metric of settings, at an epoch or step.

    Args:
        metric: such as val/accuracy, or a name of FACTS, of which validation_gap alone can stand at another place.
        at: None (not given), "best", "last", or {first, epoch or step: number counted from 1}.
        of: the values of the settings; {}: all settings; "base": the base.
        study: another study; None: the claim's own study.
    """

    metric: str
    at: str | Mapping[str, int] | None
    of: Values | str
    study: str | None = None


@dataclass(frozen=True)
class Check:
    """A check of a claim.

    Args:
        side: the measured quantity.
        than: the quantity subtracted from it, or None.
        relation, bound, within: "above" or "below" the bound, or "near" it: within this distance.
        reported: the report's number for the same quantity, or None.
        because: justification of the bound.
    """

    side: Side
    than: Side | None
    relation: str
    bound: float
    within: float
    reported: float | None
    because: str


@dataclass(frozen=True)
class Claim:
    """A claim of a report.

    Args:
        says, where: the report's words, and their place in the report.
        checks: the checks; empty if a person decides.
        seen, verdict: that person's observation and verdict, or "".
        reason: why the claim does not hold here, or "".
    """

    says: str
    where: str
    checks: Sequence[Check]
    seen: str
    verdict: str
    reason: str


def read_claims(study: Mapping[str, Any]) -> list[Claim]:
    """The claims of a `study` node.

    Raises:
        InputError: if a claim does not have the form that this module describes.
    """
    return [read_claim(one, f"study.claims[{number}]") for number, one in enumerate(study.get("claims") or [])]


def read_claim(given: Any, where: str) -> Claim:
    check_complete(where, ClaimNode, given)
    texts = {key: (given.get(key) or "").strip() for key in ("says", "where", "seen", "verdict", "reason")}
    if ("checks" in given) == ("seen" in given or "verdict" in given):
        raise InputError(f"{where}: give `checks`, or, for pictures that a person judges, `seen` and `verdict`")
    if bool(texts["seen"]) != bool(texts["verdict"]):
        raise InputError(f"{where}: `seen` and `verdict` go together, both null until somebody has looked")
    checks = enumerate(given.get("checks", []))
    return Claim(checks=[read_check(one, f"{where}.checks[{number}]") for number, one in checks], **texts)


def read_check(given: Mapping[str, Any], where: str) -> Check:
    check_complete(where, CheckNode, given)
    side = Side(metric(given, "metric", where), given.get("at"), settings(given, "of"))
    than = None
    if any(key in given for key in OTHER):
        than = Side(
            metric(given, "than_metric", where) if "than_metric" in given else side.metric,
            given.get("than_at", side.at),
            settings(given, "than") if "than" in given else side.of,
            given.get("than_study"),
        )
        if than == side:
            raise InputError(f"{where}: both sides of the difference are the same")
    for one, key in ((side, "at"), (than, "than_at")):
        if one is not None and one.metric in FACTS and one.metric != "validation_gap" and one.at is not None:
            raise InputError(f"{where}.{key}={one.at}: a run has one {one.metric}, at no place; leave it out")
    relations = [relation for relation in RELATIONS if given.get(relation) is not None]
    if len(relations) != 1:
        told = ", ".join(relations) or "none"
        raise InputError(f"{where}: give exactly one of {', '.join(RELATIONS)}; given: {told}")
    (relation,) = relations
    if (relation == "near") != (given.get("within") is not None):
        raise InputError(f"{where}: `near` and `within` go together: |value - near| <= within")
    bound, because = float(given[relation]), (given.get("because") or "").strip()
    if not math.isfinite(bound):
        raise WrongValue(f"{where}.{relation}", bound, "give a finite number")
    of_a_sign = than is not None and relation != "near" and bound == 0
    if not (because or of_a_sign):
        raise InputError(f"{where}.because is missing: say why the bound is {relation} {bound:g}")
    return Check(side, than, relation, bound, float(given.get("within") or 0), given.get("reported"), because)


def metric(given: Mapping[str, Any], key: str, where: str) -> str:
    name = given[key]
    if name not in FACTS and (name.partition("/")[0] not in SPLITS or not name.partition("/")[2]):
        choices = ", ".join([*(f"{split}/<name>" for split in SPLITS), *FACTS])
        raise WrongValue(f"{where}.{key}", name, f"give one of: {choices}")
    return name


def settings(given: Mapping[str, Any], key: str) -> Values | str:
    value = given.get(key) or {}
    return value if value == BASE else {bare(str(name)): one for name, one in value.items()}
