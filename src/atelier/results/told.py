"""The claims of all studies in words: what each is decided by, and which settings it means."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from atelier.errors import InputError
from atelier.figures.words import describe_values
from atelier.results.claims import BASE, Check, Side
from atelier.results.selection import Known, base_of, selects, sides
from atelier.results.studies import Study, load, read_study, study_names


def print_claims(conf: Path) -> bool:
    """Print the claims of every study; whether all are as they should be, and about at least one setting each."""
    good = True
    for name in study_names(conf):
        print(f"\n{name}")
        try:
            study = read_study(conf, name)
            lines = list(told(study, conf))
        except InputError as error:
            lines, good = [f"  WRONG: {error}"], False
        for line in lines or ["  no claims"]:
            print(line)
            good = good and " WRONG: " not in line
    return good


def told(study: Study, conf: Path) -> Iterator[str]:
    known = {study.name: composed(study, study, conf)}
    for number, claim in enumerate(study.claims):
        yield f"  {number}. {claim.where}: {claim.says}"
        if not claim.checks:
            yield f"     seen: {claim.seen or 'nobody has looked'}; {claim.verdict or 'no verdict'}"
        for check in claim.checks:
            yield f"     {condition(check)}"
            for side in (check.side, check.than):
                if side is not None:
                    name = side.study or study.name
                    if name not in known:
                        known[name] = composed(load(conf, name), study, conf)
                    yield f"       {settings_told(side, *known[name])}"


def composed(study: Study, claiming: Study, conf: Path) -> tuple[list[dict[str, str]], Known | None]:
    """The settings of a study, as far as the claims of one name them, and its base."""
    named = [side.of for _, side in sides(claiming.claims) if not isinstance(side.of, str)]
    settings = study.composed(conf, dict.fromkeys(key for of in named for key in of))
    return settings, base_of(study.node, settings)


def settings_told(side: Side, settings: Sequence[Known], base: Known | None) -> str:
    """How many settings a side means, and which."""
    chosen = [one for one in settings if selects(side.of, one, base)]
    if not chosen:
        return f"WRONG: {side_told(side)}: no setting composes to this"
    words = (describe_values({key: value for key, value in one.items() if value}) or BASE for one in chosen[:4])
    named = "; ".join(words) + ("; …" if len(chosen) > 4 else "")
    return f"{side_told(side)}: {len(chosen)} of {len(settings)} settings: {named}"


def condition(check: Check) -> str:
    """A check in words: `val/accuracy of activation=relu minus that of activation=tanh is above 0`."""
    what = side_told(check.side)
    if check.than is not None:
        what += f" minus {side_told(check.than)}"
    bound = (
        f"within {check.within:g} of {check.bound:g}"
        if check.relation == "near"
        else f"{check.relation} {check.bound:g}"
    )
    return f"{what} is {bound}" + (f" ({check.because})" if check.because else "")


def side_told(side: Side) -> str:
    if side.of == BASE:
        of = f" of {BASE}"
    else:
        assert not isinstance(side.of, str)
        of = f" of {', '.join(f'{key}={value}' for key, value in side.of.items())}" if side.of else ""
    if isinstance(side.at, str):
        at = f" ({side.at})"
    else:
        at = "".join(f" ({word} {count})" for word, count in (side.at or {}).items())
    return f"{side.metric}{at}{of}" + (f" in {side.study}" if side.study else "")
