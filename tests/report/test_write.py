"""The report of a sweep: its table, files, and how little it needs."""

import contextlib
import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from atelier.errors import InputError
from atelier.report import write
from atelier.report.notes import cautions
from atelier.report.write import write_report
from atelier.sweeps.aggregate import aggregate

Sweep = Callable[..., Path]
Accuracy = Callable[[dict[str, str], int], list[float]]
GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.01", "0.1"]}
CLAIM = {"says": "Adam | of course.", "where": "in theory", "seen": "it is", "verdict": "confirmed"}


@pytest.fixture(scope="module")
def sweep(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six completed runs of eight: `sgd` with 0.1 failed for seed 1, `adam` with 0.1 is still to begin."""

    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        if seed == 1 and values == {"optimizer": "sgd", "optimizer.lr": "0.1"}:
            return {"status": "failed", "error": {"type": "RuntimeError", "message": "out of luck"}}
        if seed == 1 and values == {"optimizer": "adam", "optimizer.lr": "0.1"}:
            return {"status": "waiting"}
        return {}

    return made_up_sweep(
        tmp_path_factory.mktemp("report") / "s",
        GRID,
        accuracy,
        seeds=(0, 1),
        change=change,
        status="running",
        study="the_study",
        budget="quick",
        quick={"trainer.max_epochs": 2, "seed": [0, 1]},
        presentation={"title": "A study", "question": "Which one?", "claims": [CLAIM]},
    )


@pytest.fixture(scope="module")
def told(sweep: Path) -> str:
    """What the terminal says of its report, which is there then. Tests change nothing in it."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        write_report([sweep])
    return out.getvalue()


def test_a_status_and_its_error_are_two_words_also_where_the_page_is_text(told: str, sweep: Path) -> None:
    text = re.sub("<[^>]*>", "", (sweep / "report.html").read_text())
    assert "failed RuntimeError: out of luck" in text


def test_without_a_completed_run_chance_is_no_caution(made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path) -> None:
    for status, warned in (("failed", False), ("completed", True)):
        one = made_up_sweep(tmp_path / status, GRID, accuracy, (0, 1), lambda *_, status=status: {"status": status})
        assert any("chance" in told for told in cautions(aggregate([one]))) == warned


def printed_rows(text: str) -> list[list[str]]:
    """The rows of the table that the terminal shows, cell by cell."""
    lines = text[text.rindex("───") : text.index(" settings, ")].splitlines()[1:-1]
    return [re.split(r" {2,}", line.strip()) for line in lines if line.strip()]


def test_the_table_has_a_row_for_each_setting_complete_ones_first(told: str) -> None:
    rows = printed_rows(told)
    # adam: 0.75 + lr, sgd: 0.5 + lr; seed 1 adds 0.1: mean + 0.05, deviation 0.1 / sqrt(2) = 0.071
    assert rows[1][3] == "−0.2500 (−0.2500 to −0.2500)", "adam and sgd differ by the same for each seed"
    rows = [row[:3] + row[4:] for row in rows]
    assert [row[:3] for row in rows] == [
        ["adam", "0.01", "0.810 ± 0.071"],
        ["sgd", "0.01", "0.560 ± 0.071"],
        ["adam", "0.1", "0.8500"],
        ["sgd", "0.1", "0.6000"],
    ]
    assert [row[3] for row in rows[::2]] == ["0.800 ± 0.071", "0.8400"], "the test metric is 0.01 less"
    assert [row[4:6] for row in rows[:1]] == [["4.0 s", "57,060"]]
    assert [row[6] for row in rows] == [
        "2",
        "2",
        "incomplete: 1 of 2, 1 waiting",
        "incomplete: 1 of 2, 1 failed",
    ]


def test_a_terminal_of_80_columns_shows_each_word_and_value_whole(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(
        write, "table_console", lambda: Console(file=out, width=80, force_terminal=True, color_system=None)
    )
    write_report([sweep], tmp_path / "report")
    rows = out.getvalue()
    assert "…" not in rows
    for word in ("optimizer", "learning", "validation", "accuracy", "0.810 ± 0.071", "0.800 ± 0.071"):
        assert word in rows
    assert max(map(len, rows.split(" settings, ")[0].splitlines())) <= 80


def test_the_terminal_tells_the_caption_and_where_things_are(sweep: Path, told: str) -> None:
    assert "the_study" in told
    assert "seeds 0, 1. Mean ± standard deviation over seeds" in told
    assert "budget=quick instead of the full setting: trainer.max_epochs=2, seed=[0, 1]" in told
    assert f"{sweep}: report.html, summary.md, summary.tex, summary.csv, settings.csv, figures/" in told
    assert {"report.html", "summary.md", "summary.csv", "figures"} <= {file.name for file in sweep.iterdir()}


@pytest.mark.usefixtures("told")
def test_summary_csv_has_every_run_with_all_keys(sweep: Path) -> None:
    rows = list(csv.DictReader((sweep / "summary.csv").read_text().splitlines()))
    assert len(rows) == 8
    first = rows[0]
    assert (first["folder"], first["optimizer"], first["optimizer.lr"], first["seed"]) == ("0", "sgd", "0.01", "0")
    assert (first["status"], first["objective.best"], first["test.accuracy"]) == ("completed", "0.51", "0.5")
    assert (first["versions.torch"], first["git.commit"], first["seconds.fit"]) == ("2.15.0", "0123456789abcdef", "4.0")
    assert first["overrides"] == "optimizer=sgd optimizer.lr=0.01 seed=0"
    assert [row["error.message"] for row in rows if row["status"] == "failed"] == ["out of luck"]
    assert [row["folder"] for row in rows if row["status"] == "waiting"] == [""]


@pytest.mark.usefixtures("told")
def test_summary_md_is_a_table_with_its_caption(sweep: Path) -> None:
    text = (sweep / "summary.md").read_text()
    assert text.startswith("# the_study: A study\n\nWhich one?\n\n| where |")
    assert "| in theory | Adam \\| of course. | by eye | it is |  | **confirmed** |\n\n4 settings" in text
    assert "budget=quick" in text
    rows = [line for line in text.partition("4 settings")[2].splitlines() if line.startswith("|")]
    apart = "difference to the best complete setting"
    columns = (
        f"| optimizer | learning rate | best validation accuracy | at epoch | {apart} | test accuracy | test loss |"
    )
    assert rows[0].startswith(columns)
    assert rows[2].startswith("| adam | 0.01 | 0.810 ± 0.071 | 2 ± 0 | – | 0.800 ± 0.071 | 0.5 ± 0 |")
    assert len(rows) == 6
    for path in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (sweep / path).is_file()


@pytest.mark.usefixtures("told")
def test_writing_again_gives_the_same_files(sweep: Path) -> None:
    before = {file: file.read_bytes() for file in sweep.rglob("*") if file.is_file()}
    write_report([sweep])
    assert {file: file.read_bytes() for file in sweep.rglob("*") if file.is_file()} == before


def test_a_sweep_of_which_nothing_has_begun_has_a_report(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    sweep = made_up_sweep(tmp_path / "s", GRID, accuracy, change=lambda values, seed: {"status": "waiting"})
    assert {setting.objective.n for setting in write_report([sweep]).settings} == {0}
    assert "12 of 12 runs not begun" in (sweep / "report.html").read_text()


def test_failed_early_jobs_with_null_keys_have_a_report(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    """What the launcher writes for a job that died before its run began."""
    names = ("parameters", "epochs", "steps", "seconds", "device", "versions", "git", "host", "pid", "peak_memory_mb")
    died = {
        **dict.fromkeys(names),
        "status": "failed",
        "test": {},
        "objective": {"metric": "val/accuracy", "mode": "max", "best": None, "best_epoch": None},
        "error": {"type": "Killed", "message": "signal 9"},
    }
    sweep = made_up_sweep(tmp_path / "s", GRID, accuracy, change=lambda values, seed: died)
    for job in sweep.glob("*/metrics.csv"):
        job.unlink()
    write_report([sweep])
    assert "12 of 12 runs failed" in (sweep / "summary.md").read_text()
    assert "signal 9" in (sweep / "report.html").read_text()


def test_several_folders_need_a_place_and_are_brought_together(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = made_up_sweep(tmp_path / "one", {"optimizer": ["sgd"]}, accuracy, seeds=(0,))
    two = made_up_sweep(tmp_path / "two", {"optimizer": ["sgd", "adam"]}, accuracy, seeds=(1,))
    with pytest.raises(InputError, match="output is missing"):
        write_report([one, two])
    before = {*one.iterdir(), *two.iterdir()}
    results = write_report([one, two], tmp_path / "all")
    assert {s.values["optimizer"]: s.objective.n for s in results.settings} == {"adam": 1, "sgd": 2}
    assert {*one.iterdir(), *two.iterdir()} == before
    assert 'href="../one/0/"' in (tmp_path / "all" / "report.html").read_text()


@pytest.mark.parametrize(("name", "folder"), [("figures", False), ("summary.csv", True), ("report.html", True)])
def test_what_stands_in_the_place_of_a_file_or_folder_of_the_report_is_told(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, name: str, folder: bool
) -> None:
    sweep = made_up_sweep(tmp_path / "s", {}, accuracy, seeds=(0,))
    place = tmp_path / "report" / name
    (place if folder else place.parent).mkdir(parents=True)
    if not folder:
        place.touch()
    with pytest.raises(InputError, match=f"^output={place.parent}: {place} cannot be written: "):
        write_report([sweep], place.parent)


def test_the_gaps_and_the_best_epoch_stand_beside_the_objective(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    """Gaps of 0.125 and 0.375, and of 0.5, for the two seeds; the best epoch is always the second."""

    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        known = {"metric": "val/accuracy", "mode": "max", "best": 0.5, "best_epoch": 1}
        known |= {"validation_gap": 0.125 + seed / 4, "generalisation_gap": 0.5}
        return {"objective": known, "test": {"accuracy": 0.5, "accuracy/cat": 0.25}}

    sweep = made_up_sweep(tmp_path / "s", {}, accuracy, seeds=(0, 1), change=change)
    write_report([sweep])
    head, _, row = (line for line in (sweep / "summary.md").read_text().splitlines() if line.startswith("|"))
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["gap between training and validation"] == "0.25 ± 0.18"
    assert cells["generalisation gap (training to test)"] == "0.5 ± 0"
    assert cells["at epoch"] == "2 ± 0"
    assert "cat" not in head, "the accuracies of single classes are in summary.csv"
    (first, _) = csv.DictReader((sweep / "summary.csv").read_text().splitlines())
    assert (first["objective.validation_gap"], first["test.accuracy/cat"]) == ("0.125", "0.25")


# ---------------------------------------------------------------------- cost


def test_a_report_needs_no_torch_and_reads_no_run_again_and_again(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path
) -> None:
    sweep = made_up_sweep(tmp_path / "s", GRID, accuracy)
    code = (
        "import collections, pathlib, sys; opened = collections.Counter(); "
        "sys.addaudithook(lambda event, given: opened.update([str(given[0])]) if event == 'open' else None); "
        "from atelier.report.write import write_report; "
        f"write_report([pathlib.Path({str(sweep)!r})]); "
        f"print(max(count for name, count in opened.items() if name.startswith({str(sweep)!r}))); "
        "print([name for name in ('torch', 'lightning', 'matplotlib.pyplot', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert int(done.stdout.splitlines()[-2]) <= 2, "how often the most read file was opened"
    assert done.stderr == ""


def test_a_sweep_is_drawn_as_its_study_says_now(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = {"title": "then", "figures": [{"kind": "curves"}]}
    sweep = made_up_sweep(tmp_path / "s", GRID, accuracy, study="a_study", presentation=begun)
    file = tmp_path / "study" / "a_study.yaml"
    file.parent.mkdir()
    file.write_text("study: {title: now, figures: [{kind: bars, metric: val/accuracy}]}")
    write_report([sweep], tmp_path / "now", tmp_path)
    assert {one.stem for one in (tmp_path / "now" / "figures").iterdir()} == {"bars_val_accuracy"}
    assert "a_study: now" in capsys.readouterr().out
    file.unlink()
    write_report([sweep], tmp_path / "then", tmp_path)
    assert {one.stem for one in (tmp_path / "then" / "figures").iterdir()} == {"curves_accuracy"}
    assert "a_study: then" in capsys.readouterr().out
