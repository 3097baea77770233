"""README's table of the best numbers, made from the record."""

from collections.abc import Callable
from pathlib import Path

import pytest

from atelier.errors import InputError
from atelier.results.bests import BEGIN, END, table, training, with_bests
from atelier.results.record import Recorded, curves_csv, runs_csv
from atelier.sweeps.records import Record

STUDY = "study: {grid: {optimizer: [sgd, adam], seed: [0, 1, 2]}}\n"
ACCURACIES = [("sgd", 0.7), ("sgd", 0.71), ("sgd", 0.72), ("adam", 0.9)]
ROWS = """\
rows:
  - task: Pictures
    report: about 70 %
    metric: accuracy
    factor: 100
    unit: ' %'
    recipe: {study: made, of: {optimizer: sgd}}
    best: {study: made, of: {optimizer: adam}}
"""


def record(number: int, optimizer: str, accuracy: float) -> Recorded:
    manifest = {"seed": number % 3, "status": "completed", "device": "cpu", "precision": "32-true", "threads": 1}
    manifest |= {"overrides": [], "git": {}, "seconds": {"fit": 90 + number}, "test": {"accuracy": accuracy}}
    return Recorded(None, manifest, {"number": number, "values": {"optimizer": optimizer}})


@pytest.fixture
def told(tmp_path: Path) -> Callable[[str], list[str]]:
    """The table of the content of bests.yaml, with a record of a study `made`, and another one without runs."""
    conf, docs = tmp_path / "conf", tmp_path / "docs"
    (conf / "study").mkdir(parents=True)
    (docs / "results" / "made").mkdir(parents=True)
    for name in ("made", "waiting"):
        (conf / "study" / f"{name}.yaml").write_text(STUDY)
    records = [record(number, *one) for number, one in enumerate(ACCURACIES)]
    (docs / "results" / "made" / "runs.csv").write_text(runs_csv(records, ["optimizer"]))
    (docs / "results" / "made" / "curves.csv").write_text(curves_csv(records))

    def lines(content: str) -> list[str]:
        (conf / "bests.yaml").write_text(content)
        return table(conf, docs)

    return lines


def test_a_row_has_the_reports_number_ours_and_the_time_of_our_best(told: Callable[[str], list[str]]) -> None:
    cells = [cell.strip() for cell in told(ROWS)[-1].strip("|").split("|")]
    assert cells == ["Pictures", "about 70 %", "71.0 ± 1.0 %, n = 3", "90 %, n = 1", "93 s; cpu, 32-true"]


def test_the_time_is_that_of_the_run_which_was_disturbed_least(told: Callable[[str], list[str]]) -> None:
    row = "rows: [{task: It, report: –, metric: accuracy, best: {study: made, of: {optimizer: sgd}}}]"
    assert told(row)[-1].endswith("| 90 s; cpu, 32-true |")


@pytest.mark.parametrize(
    ("seconds", "time"), [([200.0, 119.4], "119 s"), ([300.0, 200.0], "3 min"), ([3600.0, None], "60 min")]
)
def test_a_long_time_is_in_minutes(seconds: list[float | None], time: str) -> None:
    runs = [Record(None, {"seconds": {"fit": one}, "device": "cpu", "precision": "32-true"}, {}) for one in seconds]
    assert training(runs) == f"{time}; cpu, 32-true"


def test_a_study_without_runs_is_not_yet_run_and_none_is_a_dash(told: Callable[[str], list[str]]) -> None:
    row = "rows: [{task: It, report: –, metric: loss, best: {study: waiting, of: {optimizer: sgd}}}]"
    assert [cell.strip() for cell in told(row)[-1].strip("|").split("|")] == ["It", "–", "–", "not yet run", "–"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{report: x, metric: loss}", r"bests.yaml: rows\[0\].task"),
        ("{task: x, report: x, metric: loss, factor: 0}", r"bests.yaml: rows\[0\].factor=0: "),
        ("{task: x, report: x, metric: loss, best: {study: none, of: {}}}", "study=none: there is no such study"),
        (
            "{task: x, report: x, metric: loss, best: {study: made, of: {optimizer: rmsprop}}}",
            r"rows\[0\].best.of={'optimizer': 'rmsprop'}: 0 settings of study=made have it; give 1",
        ),
        ("{task: x, report: x, metric: loss, best: {study: made, of: {}}}", "of={}: 2 settings of study=made have it"),
        (
            "{task: x, report: x, metric: loss, best: {study: made, of: {optimizer: sgd}}}",
            r"rows\[0\].metric=loss: no run of the record has it",
        ),
        ("{", "bests.yaml cannot be read: "),
    ],
)
def test_a_wrong_row_is_told(told: Callable[[str], list[str]], row: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        told(f"rows: [{row}]")


def test_only_what_is_between_the_marks_changes(told: Callable[[str], list[str]], tmp_path: Path) -> None:
    lines = told(ROWS)
    readme = f"# It\n{BEGIN}old\n{END}the rest\n"
    made = with_bests(readme, tmp_path / "conf", tmp_path / "docs")
    assert made == f"# It\n{BEGIN}{chr(10).join(lines)}\n{END}the rest\n"
    assert with_bests(made, tmp_path / "conf", tmp_path / "docs") == made
    with pytest.raises(InputError, match=r"README\.md: <!-- bests: .* has no <!-- /bests --> after it"):
        with_bests(readme.replace(END, ""), tmp_path / "conf", tmp_path / "docs")
    assert with_bests("# It\n", tmp_path / "conf", tmp_path / "docs") == "# It\n"
