"""All jobs of a sweep are checked before the first one starts, and every mistake is told at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any

from atelier.errors import InputError

Check = Callable[[list[str]], dict[str, Any]]  # overrides to facts, or to {"problem": message}


def preflight(check: Check, jobs: Sequence[list[str]], context: BaseContext, processes: int) -> list[dict[str, Any]]:
    """What `check` finds about each job.

    Raises:
        InputError: that lists every problem with the jobs that have it.
    """
    workers = min(processes, max(1, len(jobs) // 4))
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        found = list(pool.map(check, jobs, chunksize=max(1, len(jobs) // (4 * workers))))
    problems: dict[str, list[int]] = {}
    for number, facts in enumerate(found):
        if "problem" in facts:
            problems.setdefault(facts["problem"], []).append(number)
    if problems:
        raise InputError("\n".join([headline(problems, len(jobs)), *map(line, problems.items())]))
    return found


def headline(problems: dict[str, list[int]], count: int) -> str:
    bad = sum(map(len, problems.values()))
    return f"{bad} of {count} jobs cannot run, so none was started:"


def line(problem: tuple[str, list[int]]) -> str:
    message, numbers = problem
    named = ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
    return f"  job{'s' * (len(numbers) > 1)} {named}: {message}"
