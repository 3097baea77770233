"""Claims, checks and verdicts in words, for the terminal and for tables."""

from collections.abc import Iterator, Sequence

from atelier.claims.claim import Check, Side
from atelier.claims.verdict import NOT_RUN, Decided, Outcome
from atelier.figures.words import as_markdown, describe_values, markdown_row, whole_number
from atelier.sweeps.grid import text_of

HEADINGS = ("where", "claim", "checked", "measured", "reported", "verdict")
PLACES = {"first": "mean of the first {}", "epoch": "epoch {}", "step": "step {}"}
DASH = "–"


def condition(check: Check) -> str:
    """A check in words: the common parts of both sides, their differences, and the bound."""
    ours = parts(check.side)
    if check.than is None:
        what = ", ".join(filter(None, ours))
    else:
        other = parts(check.than)
        pairs = list(zip(ours, other, ("", "best", "all settings", "this study"), strict=True))
        shared = ", ".join(one for one, two, _ in pairs if one == two and one)
        first, second = (", ".join(pair[n] or pair[2] for pair in pairs if pair[0] != pair[1]) for n in (0, 1))
        what = f"{shared}: {first} − {second}" if shared else f"{first} − {second}"
    bound = {"above": ">", "below": "<", "near": "="}[check.relation]
    return f"{what} {bound} {check.bound:g}" + (f" ± {check.within:g}" if check.relation == "near" else "")


def parts(side: Side) -> tuple[str, str, str, str]:
    """Metric, place, settings and study of a side in words, each "" if it is not given."""
    at = side.at if isinstance(side.at, str) else "".join(PLACES[word].format(n) for word, n in (side.at or {}).items())
    values = {} if isinstance(side.of, str) else {key: text_of(value) for key, value in side.of.items()}
    of = side.of if isinstance(side.of, str) else describe_values(values)
    return side.metric, at, of, side.study or ""


def claims_table(decided: Sequence[Decided]) -> Iterator[str]:
    """The lines of a Markdown table of claims."""
    yield markdown_row(HEADINGS)
    yield markdown_row(["---", "---", "---", "---", "--:", "---"])
    for cells in claim_rows(decided):
        *others, verdict = map(as_markdown, cells)
        of_a_claim = bool(others[1]) and verdict != NOT_RUN
        yield markdown_row([*others, f"**{verdict}**" if of_a_claim else verdict])


def claim_rows(decided: Sequence[Decided]) -> Iterator[Sequence[str]]:
    """The texts of a row below HEADINGS for each claim, and, if it has several checks, of a row for each check."""
    for one in decided:
        says, checks = (one.claim.where, one.claim.says), check_rows(one)
        if len(checks) == 1:
            yield *says, *checks[0][:3], one.verdict
        else:
            yield *says, "all of these:", "", "", one.verdict
            yield from (("", "", *cells) for cells in checks)


def check_rows(one: Decided) -> list[tuple[str, str, str, str]]:
    """The texts of a claim's checks: each check, what is measured, what is reported, and the verdict."""
    if not one.claim.checks:
        return [("by eye", one.claim.seen or DASH, "", one.verdict)]
    rows, because = [], ""
    for check, outcome in zip(one.claim.checks, one.outcomes, strict=True):
        reason = f" ({check.because})" * (check.because not in ("", because))
        reported = "" if check.reported is None else f"{check.reported:g}"
        rows.append((condition(check) + reason, measured(outcome), reported, outcome.verdict))
        because = check.because
    return rows


def verdict_told(one: Decided) -> str:
    """The verdict, and what it is owed to: a person who looked, or that the runs of another study are missing."""
    if one.claim.verdict:
        return f"{one.verdict} by eye"
    others = {check.than.study for check in one.claim.checks if check.than is not None and check.than.study}
    beside = f" without a sweep of study={' and study='.join(sorted(others))} beside it"
    return one.verdict + beside * (one.verdict == NOT_RUN and bool(others))


def measured(outcome: Outcome) -> str:
    quantity = outcome.quantity
    of = f" of {quantity.n + outcome.lost}" if outcome.lost else ""
    return f"{whole_number(quantity.mean, quantity.std)}, n = {quantity.n}{of}" if quantity.n or of else DASH
