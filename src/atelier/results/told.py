"""Prints the claims of all studies, with the checks that decide them, and their settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from atelier.claims.claim import BASE, Side
from atelier.claims.selection import Known, base_of, selects, sides
from atelier.claims.study import Study
from atelier.claims.words import condition, parts
from atelier.errors import InputError
from atelier.figures.words import describe_values
from atelier.results.logged import unlogged
from atelier.results.studies import composed_settings, load, read_study, study_names


def print_claims(conf: Path) -> bool:
    """Print the claims of every study; return whether all are valid and refer to at least one setting."""
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
    yield from (f"  {line}" for line in unlogged(study.node))
    for number, claim in enumerate(study.claims):
        yield f"  {number}. {claim.where}: {claim.says}"
        if not claim.checks:
            yield f"     seen: {claim.seen or 'nobody has looked'}; {claim.verdict or 'no verdict'}"
        for check in claim.checks:
            yield f"     {condition(check)}" + (f" ({check.because})" if check.because else "")
            for side in (check.side, check.than):
                if side is not None:
                    name = side.study or study.name
                    if name not in known:
                        known[name] = composed(load(conf, name), study, conf)
                    yield f"       {settings_told(side, *known[name])}"


def composed(study: Study, claiming: Study, conf: Path) -> tuple[list[dict[str, str]], Known | None]:
    """The settings of a study with composed values of the keys that the claims of `claiming` name; and its base."""
    named = [side.of for _, side in sides(claiming.claims) if not isinstance(side.of, str)]
    settings = composed_settings(study, conf, dict.fromkeys(key for of in named for key in of))
    return settings, base_of(study.node, settings)


def settings_told(side: Side, settings: Sequence[Known], base: Known | None) -> str:
    """The number and the names of the settings of a side."""
    chosen = [one for one in settings if selects(side.of, one, base)]
    said = ", ".join(filter(None, parts(side)))
    if not chosen:
        return f"WRONG: {said}: no setting composes to this"
    words = (describe_values({key: value for key, value in one.items() if value}) or BASE for one in chosen[:4])
    named = "; ".join(words) + ("; …" if len(chosen) > 4 else "")
    return f"{said}: {len(chosen)} of {len(settings)} settings: {named}"


def hours_told(hours: float) -> str:
    """
    >>> hours_told(0.0321), hours_told(1.5), hours_told(123.4)
    ('0.03', '1.50', '123')
    """
    return f"{hours:.2f}" if hours < 10 else f"{hours:.0f}"
