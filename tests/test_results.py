"""`python src/results.py`: its commands, told by themselves."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]


def test_status_tells_every_study_of_the_list(run_verb: Run) -> None:
    outcome = run_verb("results", "status")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    titles = ("study", "jobs", "seeds", "hours spent", "hours left", "verdicts so far")
    assert all(title in lines[1] for title in titles)
    (pairs,) = (line for line in lines if line.split()[:1] == ["ee559_pairs"])
    assert " of 80 " in pairs
    assert " of 10 " in pairs
    assert any(line.startswith("Hours are those of jobs. Left: ") for line in lines)


@pytest.mark.parametrize("words", [["stauts"], ["status", "now"]])
def test_a_wrong_command_is_told_with_the_choices(run_verb: Run, words: list[str]) -> None:
    outcome = run_verb("results", *words)
    assert outcome.code == 2
    assert "invalid choice: 'stauts'" in outcome.err or "unrecognized arguments: now" in outcome.err
