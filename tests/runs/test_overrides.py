"""Texts in quotes: Hydra reads back what was meant."""

import shlex
from itertools import product
from pathlib import Path

import pytest

from atelier.compose.command_line import as_text
from atelier.runs.overrides import merged, quoted, typed
from atelier.sweeps.grid import parsed
from atelier.sweeps.sweep import Job, Sweep


def test_hydra_reads_back_what_stands_in_quotes() -> None:
    texts = ["".join(letters) for length in range(5) for letters in product("\\'a", repeat=length)]
    texts += ["C:\\new\\", r"$\alpha$ = 0.1", "ü, {b}[c]", 'a "b"', "two\nlines\\\n"]
    assert {text: parsed(f"key={quoted(text)}").value() for text in texts} == {text: text for text in texts}


def test_a_command_that_is_told_can_be_typed() -> None:
    """Also where a folder's name has letters that Hydra reads in quotes only."""
    for folder in ("logs/run 1", "logs/Übung", "logs/it's", "logs/a"):
        (word,) = shlex.split(typed("sweep.resume", folder))
        assert parsed(word).value() == folder


def test_a_note_with_backslashes_stays_as_it_is() -> None:
    assert parsed(as_text(r"note=$\alpha$ of C:\new")).value() == r"$\alpha$ of C:\new"


def test_a_job_finds_its_folder_also_below_one_with_a_backslash(tmp_path: Path) -> None:
    sweep = Sweep.create(tmp_path / "a\\b's", [Job(0, [], {})], objective={})
    (folder,) = [one for one in sweep.arguments(sweep.jobs[0]) if one.startswith("paths.run=")]
    assert parsed(folder).value() == str(sweep.path / "0")


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ("trainer.max_epochs=100", True),
        ("trainer.patience=10", True),
        ("trainer.devices=2", False),
        ("trainer.precision=64-true", False),
        ("trainer=ddp", False),
    ],
)
def test_another_device_changes_no_length(before: str, kept: bool) -> None:
    assert merged([before, "seed=1"], ["trainer=cpu"]) == [*[before] * kept, "seed=1", "trainer=cpu"]
