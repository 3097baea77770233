"""Checks all jobs of a sweep before the first job starts, and reports every error at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import BaseContext
from typing import Any

from atelier.errors import InputError
from atelier.sweeps.process import begin_check

Check = Callable[[list[str]], dict[str, Any]]  # overrides to facts, or to {"problem": message}


def preflight(check: Check, jobs: Sequence[list[str]], context: BaseContext, processes: int) -> list[dict[str, Any]]:
    """The facts that `check` returns for each job; it runs in several processes.

    Raises:
        InputError: if jobs have problems; the message lists each problem with its jobs, and the first one's overrides.
    """
    workers = min(processes, max(1, len(jobs) // 4))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=begin_check, initargs=(True,)) as pool:
        found = list(pool.map(check, jobs, chunksize=max(1, len(jobs) // (4 * workers))))
    problems: dict[str, list[int]] = {}
    for number, facts in enumerate(found):
        if "problem" in facts:
            problems.setdefault(facts["problem"], []).append(number)
    if problems:
        bad = sum(map(len, problems.values()))
        headline = f"{bad} of {len(jobs)} jobs cannot run, so none was started:"
        raise InputError("\n".join([headline, *(line(one, problems[one], jobs) for one in problems)]))
    return found


def check_one(check: Check, context: BaseContext, job: list[str]) -> dict[str, Any]:
    """The facts that `check` returns for a job of a running sweep; a Ctrl-C does not interrupt this check."""
    with ProcessPoolExecutor(1, mp_context=context, initializer=begin_check, initargs=(False,)) as pool:
        return pool.submit(check, job).result()


def line(message: str, numbers: Sequence[int], jobs: Sequence[list[str]]) -> str:
    named = ", ".join(map(str, numbers[:8])) + (" …" if len(numbers) > 8 else "")
    return f"  job{'s' * (len(numbers) > 1)} {named}: {message} (with {' '.join(jobs[numbers[0]])})"
