"""Before a search begins, its space is tried at its corners, so that a mistake is told before anything runs."""

from collections.abc import Sequence
from multiprocessing.context import BaseContext
from typing import Any

from atelier.errors import InputError
from atelier.sweeps.grid import Choice
from atelier.sweeps.preflight import Check, check_all
from atelier.sweeps.search_space import Space, label


def try_corners(space: Space, check: Check, context: BaseContext, processes: int) -> dict[str, str]:
    """The objective {metric, mode} of all settings.

    A setting that cannot run though each of its values can elsewhere is no reason to refuse the search: it will be a
    failed trial.

    Raises:
        InputError: if some value can run with no other, or the settings have different objectives.
    """
    corners = space.corners()
    found = check_all(check, [space.job(corner) for corner in corners], context, processes)
    if problems := hopeless(corners, found):
        count = sum("problem" in facts for facts in found)
        headline = f"{count} of {len(found)} settings that were checked cannot run, so no trial was started:"
        raise InputError("\n".join([headline, *(f"  {problem}" for problem in problems)]))
    objectives = [facts["objective"] for facts in found if "problem" not in facts]
    if other := next((one for one in objectives if one != objectives[0]), None):
        told = " and ".join(f"{one['metric']} ({one['mode']})" for one in (objectives[0], other))
        raise InputError(f"the settings have different objectives, {told}; a search needs one: give task.metric=NAME")
    return objectives[0]


def hopeless(corners: Sequence[dict[str, Choice]], found: Sequence[dict[str, Any]]) -> list[str]:
    """Each problem of the settings with a value that ran nowhere, with the first setting that has it."""
    seen = [{(name, label(choice)) for name, choice in corner.items()} for corner in corners]
    able = set().union(*(values for values, facts in zip(seen, found, strict=True) if "problem" not in facts))
    problems: dict[str, str] = {}
    for corner, values, facts in zip(corners, seen, found, strict=True):
        if not values <= able:
            setting = " ".join(override for choice in corner.values() for override in choice)
            problems.setdefault(facts["problem"], setting)
    return [f"{problem} (with {setting})" for problem, setting in problems.items()]
