"""report.html: its command, and that no text of a study or a run is HTML in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.project import VARIABLE
from atelier.report.groups import groups
from atelier.report.page import runs_table
from atelier.report.write import write_report
from atelier.sweeps.aggregate import aggregate

Sweep = Callable[..., Path]
Accuracy = Callable[..., list[float]]


@pytest.mark.parametrize(("project", "program"), [(None, "python src/train.py"), ("here", "atelier train")])
def test_the_page_has_the_command_of_the_program_in_use(
    made_up_sweep: Sweep,
    accuracy: Accuracy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    project: str | None,
    program: str,
) -> None:
    if project:
        monkeypatch.setenv(VARIABLE, project)
    swept = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, accuracy)
    write_report([swept])
    assert f"Made by <code>{program} -m optimizer=sgd,adam" in (swept / "report.html").read_text()


def test_the_table_of_runs_counts_epochs_from_1(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd"]}, accuracy, seeds=(0, 1))])
    columns = {one.title: [cell.text for cell in one.cells] for one in runs_table(results, tmp_path).columns}
    assert (columns["run"], columns["seed"], columns["at epoch"]) == (["s/0", "s/1"], ["0", "1"], ["2", "2"])


def test_a_run_with_another_objective_has_no_value_of_the_tables(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        other = {"metric": "val/loss", "mode": "min", "best": 0.98, "best_epoch": 1}
        return {"objective": other} if values["optimizer"] == "adam" else {}

    grid = {"optimizer": ["sgd", "adam"]}
    results = aggregate([made_up_sweep(tmp_path / "s", grid, accuracy, seeds=(0,), change=change)])
    metric = str(results.metric)
    columns = {one.title: [cell.text for cell in one.cells] for one in runs_table(results, tmp_path).columns}
    (best,) = (cells for title, cells in columns.items() if title.startswith("best "))
    assert (best[1], columns["at epoch"][1]) == ("–", "–")
    drawn = {one.values["optimizer"]: one.scores[metric] for one in groups(results)}
    assert drawn["adam"] == [None]
    assert drawn["sgd"] != [None]


EVIL = "<script>alert(1)</script> & more"


def test_no_text_of_a_study_or_a_run_is_html_in_the_page(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    """Its title, question, claim and command, a value, a device, an error; the note on several commits."""
    told = {"title": EVIL, "question": EVIL, "claims": [{"says": EVIL}]}

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        failed = {"status": "failed", "error": {"type": "RuntimeError", "message": EVIL}} if seed == 2 else {}
        return {"device": f"{EVIL} {seed}", "git": {"commit": f"<{seed}>{EVIL}"}, **failed}

    grid = {"optimizer": ["sgd", EVIL]}
    swept = made_up_sweep(tmp_path / "s", grid, accuracy, change=change, study="a_study", presentation=told)
    write_report([swept])
    page = (swept / "report.html").read_text()
    assert "From different commits: &lt;0&gt;" in page
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<0>" not in page
    assert "<script>alert" not in (swept / "summary.md").read_text()


def test_no_text_of_a_study_is_markup_in_the_summary(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    claim = {"says": "_target_ `*kept*` of a_b", "where": "*|*", "seen": "<i>", "verdict": "confirmed"}
    told = {"title": "*All* | <b>", "question": "a * b < c?", "claims": [claim]}
    grid = {"optimizer": ["sgd", "[*a*|b]"]}
    write_report([made_up_sweep(tmp_path / "s", grid, accuracy, study="a_study", presentation=told)])
    text = (tmp_path / "s" / "summary.md").read_text()
    assert text.startswith("# a_study: \\*All\\* | &lt;b>\n\na \\* b < c?\n\n| where |")
    assert "\n| \\*\\|\\* | \\_target\\_ `*kept*` of a_b | by eye | &lt;i> |  | **confirmed** |\n" in text
    assert "| [\\*a\\*\\|b] |" in text
