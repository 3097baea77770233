"""Selects the settings of a study to which a claim or a figure refers, and checks that they are in its grid."""

from collections.abc import Mapping, Sequence
from typing import Any

from atelier.arguments import check_complete
from atelier.claims.claim import BASE, Claim, Side, Values, read_claims
from atelier.errors import InputError, nearest_first, not_among
from atelier.runs.setting import REPEATS
from atelier.sweeps.grid import begins_with_base, expand, has, text_of, value_meant
from atelier.sweeps.study import Study

Repeat = tuple[str, ...]
Known = Mapping[str, str | None]  # {swept key: value as text; None or "" if it has none}


def selects(of: Values | str, setting: Known, base: Known | None) -> bool:
    """Whether a claim's `of` refers to a setting."""
    if of == BASE:
        return base is not None and setting == base
    assert not isinstance(of, str)
    return has(setting, of)


def base_of(study: Mapping[str, Any], settings: Sequence[Known]) -> Known | None:
    """The base setting of a study; None if it has none."""
    return settings[0] if settings and begins_with_base(study) else None


def check_claims(study: Mapping[str, Any]) -> list[Claim]:
    """The claims of a `study` node, after checking that their settings are in its grid.

    Raises:
        InputError: if a claim has a wrong form, names a key that does not vary, or a value that no setting has. If a
            setting does not set a key, every value of the key is accepted.
    """
    check_complete("study", Study, study)
    claims = read_claims(study)
    grid, _ = expand([], study)
    for where, side in sides(claims):
        if side.study is None:
            check_side(side.of, grid.values, base_of(study, grid.values), where)
    return claims


def sides(claims: Sequence[Claim]) -> list[tuple[str, Side]]:
    """(dotted key, side) of both sides of all checks."""
    found = []
    for c, claim in enumerate(claims):
        for k, check in enumerate(claim.checks):
            both = (("of", check.side), ("than", check.than))
            found += [(f"study.claims[{c}].checks[{k}].{key}", side) for key, side in both if side is not None]
    return found


def check_studies(claims: Sequence[Claim], studies: Sequence[str]) -> None:
    """
    Raises:
        InputError: if a claim compares with a study that is none of `studies`.
    """
    for where, side in sides(claims):
        if side.study not in (None, *studies):
            raise InputError(f"{where}_study={side.study}: {not_among(str(side.study), studies)}")


def metrics_named(claims: Sequence[Claim]) -> list[tuple[str, Side]]:
    """(dotted key, side) of each metric at a place that the claims name, where it is first named."""
    found: dict[tuple[str | None, str, str], tuple[str, Side]] = {}
    for where, side in sides(claims):
        key = f"{where}_metric" if where.endswith(".than") else f"{where.removesuffix('of')}metric"
        found.setdefault((side.study, side.metric, str(side.at)), (key, side))
    return list(found.values())


def check_side(wanted: Values | str, settings: Sequence[Known], base: Known | None, where: str) -> None:
    if wanted == BASE:
        if base is None:
            raise InputError(f"{where}={BASE}: the study has none; its first setting would be {{}}")
        return
    assert not isinstance(wanted, str)
    varied = list(settings[0]) if settings else []
    for key, value in wanted.items():
        if key in REPEATS:
            raise InputError(f"{where}.{key}={value}: a claim or a figure is about all {REPEATS[key]}")
        if key not in varied:
            nearest = ", ".join(nearest_first(key, varied))
            raise InputError(f"{where}.{key}={value}: the study does not vary it; choose from: {nearest}")
        choices = list(dict.fromkeys(known for one in settings if (known := one[key])))
        if value_meant(text_of(value)) not in map(value_meant, choices) and all(one[key] for one in settings):
            raise InputError(f"{where}.{key}={value}: no setting has it; choose from: {', '.join(map(str, choices))}")
    open_to = {key: text_of(value) for key, value in wanted.items()}
    loose = [{key: value or open_to.get(key, value) for key, value in one.items()} for one in settings]
    if not any(selects(wanted, one, base) for one in loose):
        told = ", ".join(f"{key}={value}" for key, value in wanted.items())
        raise InputError(f"{where}: no setting has {told} at once")
