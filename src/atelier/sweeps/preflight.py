"""Checks all jobs of a sweep before the first job starts, and reports every error at once."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from typing import Any

from atelier.errors import InputError
from atelier.runs.provenance import cores
from atelier.sweeps.process import begin_check, warm_context

Check = Callable[[list[str]], dict[str, Any]]  # overrides to facts, or to {"problem": message}
PAUSES = (0.0, 1.0, 10.0)  # seconds before each attempt at a check
BROKEN = (BrokenExecutor, EOFError, ConnectionError)  # the last two: of a fork server that is dying


def preflight(check: Check, jobs: Sequence[list[str]]) -> list[dict[str, Any]]:
    """The facts that `check` returns for each job.

    Raises:
        InputError: if jobs have problems; the message lists each problem with its jobs, and the first one's overrides.
    """
    found = check_all(check, jobs)
    problems: dict[str, list[int]] = {}
    for number, facts in enumerate(found):
        if "problem" in facts:
            problems.setdefault(facts["problem"], []).append(number)
    if problems:
        headline = f"{sum(map(len, problems.values()))} of {len(jobs)} jobs cannot run, so none was started:"
        raise InputError("\n".join([headline, *(line(one, problems[one], jobs) for one in problems)]))
    return found


def check_all(check: Check, jobs: Sequence[list[str]], interrupted: bool = True) -> list[dict[str, Any]]:
    """The facts of all jobs; after a kill of a process or of the fork server, the check is tried again.

    Args:
        interrupted: whether a Ctrl-C ends it; the check of a job of a running sweep goes on.
    """
    workers = min(cores(), max(1, len(jobs) // 4))
    for pause in PAUSES:
        time.sleep(pause)
        with suppress(*BROKEN), ProcessPoolExecutor(workers, warm_context(), begin_check, (interrupted,)) as pool:
            return list(pool.map(check, jobs, chunksize=max(1, len(jobs) // (4 * workers))))
    raise InputError("the processes that check the jobs end early, time and again (out of memory?)")


def line(message: str, numbers: Sequence[int], jobs: Sequence[list[str]]) -> str:
    named = ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
    return f"  job{'s' * (len(numbers) > 1)} {named}: {message} (with {' '.join(jobs[numbers[0]])})"
