"""The claims of a study, `claims:` in conf/study/*.yaml: a report's words, and the comparisons that decide them.

    claims:
      - says: "'ReLU performs best'"    # the report's words
        where: figure 1                 # of the report
        checks:                         # the claim is confirmed if all hold
          - metric: val/accuracy        # a logged metric with its split, or one of FACTS
            at: last                    # best (at the run's best place; the default) | last | {first: 5} | {epoch: 10}
            of: {activation: relu}      # the settings with these values, or `base`; all without it
            than: {activation: tanh}    # the check is on the difference, repeat by repeat
            above: 0                    # or below: x, or near: x with within: y
      - says: "'gradual blending'"      # about pictures: who looked decides
        where: figure 10
        seen: null                      # what was looked at, and what was seen
        verdict: null                   # confirmed | contradicted | undecided

`than_metric`, `than_at` and `than_study` are those of the other side, where they differ; one of them without `than`
keeps its settings. `reported` is the report's own number, `because` says why the bound is where it is, and a claim's
`reason` why it does not hold here. Of a `test/` metric without `at`, the test of the kept network counts; with it, what
was logged while training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atelier.errors import InputError
from atelier.runs.overrides import bare
from atelier.runs.rows import GAPS

FACTS = ("seconds", "parameters", "best_epoch", "best_step", *GAPS)  # what a run has one of, beside test/…
SPLITS = ("train", "val", "test")
RELATIONS = ("above", "below", "near")
PLACES = ("first", "epoch", "step")  # {first: 5} is the mean over the first five that were measured
SEEN = ("confirmed", "contradicted", "undecided")  # what a person who looked can say
CLAIM = ("says", "where", "checks", "seen", "verdict", "reason")
OTHER = ("than", "than_metric", "than_at", "than_study")
CHECK = ("metric", "at", "of", *OTHER, *RELATIONS, "within", "reported", "because")
BASE = "base"  # the setting from which the others of a study differ in one thing each

Values = Mapping[str, Any]  # {swept key: value}


@dataclass(frozen=True)
class Side:
    """One number for each repeat: a metric, at a place, of settings.

    Args:
        metric: such as val/accuracy, or one of FACTS.
        at: None where nothing was said, "best", "last", or {first, epoch or step: a number counted from 1}.
        of: the settings; {} for all, "base" for that one.
        study: another study whose runs are meant; None for the claim's own.
    """

    metric: str
    at: str | Mapping[str, int] | None
    of: Values | str
    study: str | None = None


@dataclass(frozen=True)
class Check:
    """Args:
    side: what is measured.
    than: what is taken from it, or None.
    relation: above, below or near.
    bound: a number; for near the middle.
    within: for near, how far from it.
    reported: the report's number for the same quantity, or None.
    because: why the bound is where it is.
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
    """Args:
    says: the report's words.
    where: in the report.
    checks: none where a person decides.
    seen, verdict: what that person saw and says, or "".
    reason: why it does not hold here, or "".
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
        InputError: for what is not as this module says it.
    """
    given = study.get("claims") or []
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InputError(f"study.claims={given}: give a list")
    return [read_claim(one, f"study.claims[{number}]") for number, one in enumerate(given)]


def read_claim(given: Any, where: str) -> Claim:
    checked_keys(given, CLAIM, where)
    texts = {key: text(given, key, where) for key in ("says", "where", "seen", "verdict", "reason")}
    for key in ("says", "where"):
        if not texts[key]:
            raise InputError(f"{where}.{key} is missing: a claim says what the report says, and where it does")
    if ("checks" in given) == ("seen" in given or "verdict" in given):
        raise InputError(f"{where}: give `checks`, or, of what a person sees in pictures, `seen` and `verdict`")
    if bool(texts["seen"]) != bool(texts["verdict"]):
        raise InputError(f"{where}: `seen` and `verdict` go together, both null until somebody has looked")
    if texts["verdict"] and texts["verdict"] not in SEEN:
        raise InputError(f"{where}.verdict={texts['verdict']}: choose from: {', '.join(SEEN)}")
    checks = given.get("checks", [])
    if not isinstance(checks, list) or ("checks" in given and not checks):
        raise InputError(f"{where}.checks={checks}: give a list of at least one check")
    return Claim(checks=[read_check(one, f"{where}.checks[{n}]") for n, one in enumerate(checks)], **texts)


def read_check(given: Any, where: str) -> Check:
    checked_keys(given, CHECK, where)
    side = Side(metric(given, "metric", where), place(given, "at", where), settings(given, "of", where))
    than = None
    if any(key in given for key in OTHER):
        than = Side(
            metric(given, "than_metric", where) if "than_metric" in given else side.metric,
            place(given, "than_at", where) if "than_at" in given else side.at,
            settings(given, "than", where) if "than" in given else side.of,
            text(given, "than_study", where) or None,
        )
        if than == side:
            raise InputError(f"{where}: both sides of the difference are the same")
    for one, key in ((side, "at"), (than, "than_at")):
        if one is not None and one.metric in FACTS and one.at is not None:
            raise InputError(f"{where}.{key}={one.at}: a run has one {one.metric}, at no place; leave it out")
    relations = [relation for relation in RELATIONS if relation in given]
    if len(relations) != 1:
        raise InputError(
            f"{where}: give exactly one of {', '.join(RELATIONS)}; given: {', '.join(relations) or 'none'}"
        )
    (relation,) = relations
    if (relation == "near") != ("within" in given):
        raise InputError(f"{where}: `near` and `within` go together: |value - near| <= within")
    check = Check(
        side=side,
        than=than,
        relation=relation,
        bound=number(given, relation, where),
        within=number(given, "within", where) if relation == "near" else 0.0,
        reported=number(given, "reported", where) if given.get("reported") is not None else None,
        because=text(given, "because", where),
    )
    if check.within < 0:
        raise InputError(f"{where}.within={check.within:g}: give a number of at least 0")
    of_a_sign = than is not None and relation != "near" and check.bound == 0
    if not (check.because or of_a_sign):
        raise InputError(f"{where}.because is missing: say why the bound is {relation} {check.bound:g}")
    return check


# ---------------------------------------------------------------------- parts


def checked_keys(given: Any, known: Sequence[str], where: str) -> None:
    if not isinstance(given, Mapping):
        raise InputError(f"{where}={given}: give a mapping with keys of: {', '.join(known)}")
    for key in given:
        if key not in known:
            raise InputError(f"{where}.{key}: no such key; choose from: {', '.join(known)}")


def text(given: Mapping[str, Any], key: str, where: str) -> str:
    value = given.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{where}.{key}={value}: give text, in quotes")
    return (value or "").strip()


def number(given: Mapping[str, Any], key: str, where: str) -> float:
    value = given.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}.{key}={value}: give a number")
    return float(value)


def metric(given: Mapping[str, Any], key: str, where: str) -> str:
    name = text(given, key, where)
    if name not in FACTS and (name.partition("/")[0] not in SPLITS or not name.partition("/")[2]):
        choices = ", ".join([*(f"{split}/<name>" for split in SPLITS), *FACTS])
        raise InputError(f"{where}.{key}={name}: choose from: {choices}")
    return name


def place(given: Mapping[str, Any], key: str, where: str) -> str | Mapping[str, int] | None:
    value = given.get(key)
    if value in (None, "best", "last"):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((word, count),) = value.items()
        if word in PLACES and isinstance(count, int) and not isinstance(count, bool) and count >= 1:
            return {word: count}
    choices = ", ".join(["best", "last", *(f"{{{word}: 1 or more}}" for word in PLACES)])
    raise InputError(f"{where}.{key}={value}: choose from: {choices}")


def settings(given: Mapping[str, Any], key: str, where: str) -> Values | str:
    value = given.get(key)
    if value is None or value == BASE:
        return value or {}
    if not isinstance(value, Mapping):
        raise InputError(f"{where}.{key}={value}: give {BASE}, or a mapping {{swept key: its value}}")
    return {bare(str(name)): one for name, one in value.items()}
