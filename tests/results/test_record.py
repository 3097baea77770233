"""The record: written of logs, read back, drawn of again; what leaves it and what stays."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from atelier.claims.judge import results_of
from atelier.errors import InputError
from atelier.report.groups import groups
from atelier.results.export import numbered
from atelier.results.record import Recorded, finished, number, read_figures, read_record, recorded, told
from atelier.results.runs import merged, runs_of
from atelier.results.studies import read_study
from atelier.results.thin import MOST, Wanted, common
from atelier.sweeps.records import read_run


def content(docs: Path) -> dict[str, bytes]:
    return {str(file.relative_to(docs)): file.read_bytes() for file in sorted(docs.rglob("*")) if file.is_file()}


def test_exporting_twice_gives_equal_files(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    told = exported(0, 1, 2)
    folder = tmp_path / "docs" / "results" / "asci_made"
    assert told == [f"asci_made: 12 runs, 3 of 3 repeats whole, {folder}", str(tmp_path / "docs" / "results.md")]
    first = content(tmp_path / "docs")
    assert sorted(first) == [
        "results.md",
        *(f"results/asci_made/{name}" for name in ("curves.csv", "figures.csv", "figures/1_curves.svg")),
        *(f"results/asci_made/{name}" for name in ("figures/2_heatmap.svg", "runs.csv")),
    ]
    exported()
    assert content(tmp_path / "docs") == first


def test_without_logs_all_is_drawn_again_and_decided_the_same(
    exported: Callable[..., list[str]], tmp_path: Path
) -> None:
    exported(0, 1, 2)
    first = content(tmp_path / "docs")
    shutil.rmtree(tmp_path / "logs")
    for file in (tmp_path / "docs" / "results" / "asci_made" / "figures").iterdir():
        file.unlink()
    exported()
    assert content(tmp_path / "docs") == first


@pytest.mark.usefixtures("undrawn")
def test_what_is_read_back_is_what_the_logs_say(exported: Callable[..., list[str]], tmp_path: Path) -> None:

    exported(0, 1, 2)
    study = read_study(tmp_path / "conf", "asci_made")
    logs = results_of(study, runs_of(study, tmp_path / "logs", tmp_path / "nowhere").kept)
    kept = results_of(study, read_record(tmp_path / "docs" / "results" / "asci_made"))
    assert len(kept.records) == len(logs.records) == 12
    assert [(one.values, one.config_hash) for one in kept.settings] == [
        (o.values, o.config_hash) for o in logs.settings
    ]
    for mine, theirs in zip(groups(kept), groups(logs), strict=True):
        assert (mine.label, mine.unit, mine.changed) == (theirs.label, theirs.unit, theirs.changed)
        for metric in ("val/accuracy", "train/accuracy", "test/accuracy", "seconds", "parameters"):
            assert mine.scores[metric] == pytest.approx(theirs.scores[metric], rel=1e-7)
        for short, whole in zip(mine.curves, theirs.curves, strict=True):
            assert set(short) == {"val/accuracy", "train/accuracy"}
            for name, places in short.items():
                assert {0, 1, 2, 3, 4, 5, 6, 99} <= set(places)
                assert len(places) == MOST
                assert places == pytest.approx({place: whole[name][place] for place in places}, rel=1e-4)


def test_the_runs_are_in_the_order_of_the_study(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "conf" / "study" / "asci_made.yaml").write_text(
        "study: {settings: [{}, {b: 1}, {a: 2, b: 1}, {a: 1}], grid: {seed: [9, 10]}}"
    )
    settings = [{}, {"b": "1"}, {"a": "2", "b": "1"}, {"a": "1"}]
    records = []
    for seed in ("10", "9"):
        for values in reversed(settings):
            typed = [f"{key}={value}" for key, value in values.items()]
            manifest = {"status": "completed", "overrides": [*typed, f"seed={seed}"], "seed": int(seed), "git": {}}
            records.append(Recorded(None, {**manifest, "objective": {}}, {"values": {"a": "9", "b": "9", **values}}))
    kept = numbered(records, read_study(tmp_path / "conf", "asci_made"), [])
    found = [
        ({key: record.overrides[key] for key in "ab" if key in record.overrides}, record.get("seed")) for record in kept
    ]
    assert found == [(setting, seed) for setting in settings for seed in (9, 10)]
    assert [record.job["number"] for record in kept] == list(range(8)), "the base is 0"
    without = numbered(records[:3], read_study(tmp_path / "conf", "asci_made"), [])
    assert [record.job["number"] for record in without] == [1, 2, 3], "and nothing else is"


@pytest.mark.usefixtures("undrawn")
def test_a_seed_is_added_when_its_logs_come_and_stays_when_they_go(
    exported: Callable[..., list[str]], tmp_path: Path
) -> None:
    exported(0)
    shutil.rmtree(tmp_path / "logs")
    exported(1, 2)
    runs = read_record(tmp_path / "docs" / "results" / "asci_made")
    assert sorted({record.get("seed") for record in runs}) == [0, 1, 2]
    assert len(runs) == 12
    assert "**confirmed**" in (tmp_path / "docs" / "results.md").read_text()
    told = exported(0, change=lambda values, seed: {"status": "failed", "config_hash": "new"})
    assert told[0].startswith("asci_made: 12 runs, 3 of 3 repeats whole, "), "failed ones take no place"


@pytest.mark.usefixtures("undrawn")
def test_what_another_studys_claim_needs_of_it_is_kept(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    """Of a metric and at an epoch that the study's own claims do not name; and none of the other's own study."""
    (tmp_path / "conf" / "study" / "asci_later.yaml").write_text(
        """study:
  claims:
    - says: It is lower
      where: figure 1
      checks:
        - {metric: train/accuracy, at: {epoch: 52}, than_study: asci_made, than_metric: val/loss, than_at: {epoch: 34},
           below: 0}
  grid: {optimizer: [sgd]}
"""
    )
    exported(0)
    for run in read_record(tmp_path / "docs" / "results" / "asci_made"):
        assert run.logged.keys() == {"train/accuracy", "val/accuracy", "train/loss", "val/loss"}
        assert 33 in run.logged["val/loss"]
        assert 51 not in run.logged["val/loss"]


def test_a_run_that_counts_steps_keeps_the_steps_that_are_asked_for(
    made_up_run: Callable[..., None], tmp_path: Path
) -> None:
    """Counted from 1 in a claim and in run.json, from 0 in metrics.csv; and what was typed for the job at its start."""
    objective = {"metric": "val/accuracy", "mode": "max", "best": 0.5, "best_epoch": 0, "best_step": 42}
    made_up_run(
        tmp_path / "0", {"counts": "steps", "objective": objective, "overrides": ["trainer.max_steps=9"]}, [0.5]
    )
    rows = ["epoch,step,val/accuracy,test/accuracy", *(f"0,{step},{step / 100},{step / 200}" for step in range(60))]
    (tmp_path / "0" / "metrics.csv").write_text("\n".join(rows) + "\n")
    wanted = Wanted(frozenset({"accuracy"}), 1, {"epoch": frozenset({10}), "step": frozenset({34})}, most=3)
    wanted = replace(wanted, at_best=frozenset({"test/accuracy"}))
    job = {"number": 0, "overrides": ["trainer.max_steps=60"]}
    run = read_run(tmp_path / "0", job)
    kept = recorded(run, 1, [], wanted, common([run.curves("step")], wanted, "step"))
    assert sorted(kept.logged["val/accuracy"]) == [0, 33, 59]
    assert sorted(kept.logged["test/accuracy"]) == [0, 33, 41, 59]
    assert kept.get("overrides") == ["trainer.max_steps=60"], "it was resumed with another number"
    assert kept.get("at_best") == {"val/accuracy": 0.5}, "the test has its own columns"


def test_the_time_at_which_a_run_finished_is_that_of_greenwich(
    made_up_run: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_run(tmp_path / "0", {}, [0.5])
    os.utime(tmp_path / "0" / "run.json", (1e9, 1e9))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert finished(read_run(tmp_path / "0")) == "2001-09-09T01:46:40Z"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("value", [-0.0, 0.0, 3.0, 1e20, 1 / 3, -2e-9, 7])
def test_a_number_that_is_read_back_is_written_as_it_was(value: float) -> None:
    assert told(number(told(value))) == told(value)


@pytest.mark.parametrize("column", ["seed", "objective.best", "finished", "overrides"])
def test_a_record_that_lacks_a_column_is_told(exported: Callable[..., list[str]], tmp_path: Path, column: str) -> None:
    exported(0)
    file = tmp_path / "docs" / "results" / "asci_made" / "runs.csv"
    file.write_text(file.read_text().replace(f",{column},", ",renamed,", 1).replace(f",{column}\n", ",renamed\n", 1))
    with pytest.raises(
        InputError, match=f"asci_made: runs.csv and curves.csv cannot be read: runs.csv lacks {column}$"
    ):
        read_record(file.parent)


@pytest.mark.parametrize("text", ["", "file\na.svg\n", "file,title\na.svg,All\n", "file,caption\na.svg\n"])
def test_a_record_whose_figures_lack_a_column_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "figures.csv").write_text(text)
    with pytest.raises(InputError, match=r"figures.csv cannot be read: its columns are not file and caption$"):
        read_figures(tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_nothing_is_recorded_before_a_seed_is_whole(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, str]:
        return {"status": "failed"} if values == {"optimizer": "adam", "optimizer.lr": "0.1"} else {}

    exported(0, change=change)
    assert sorted(content(tmp_path / "docs")) == ["results.md"]
    exported(1)
    runs = read_record(tmp_path / "docs" / "results" / "asci_made")
    assert [run.status for run in runs].count("completed") == 7, "of the first seed what it has"
    assert [run.status for run in runs].count("failed") == 1, "which leaves a claim on its setting undecided"


@pytest.mark.usefixtures("undrawn")
def test_runs_of_another_setting_never_share_a_row(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    exported(0, 1)
    for file in tmp_path.glob("logs/results/asci_made/seed-*/*/run.json"):
        os.utime(file, (1, 1))
    exported()
    shutil.rmtree(tmp_path / "logs")
    told = exported(
        2, change=lambda values, seed: {"config_hash": f"new {values['optimizer']} {values['optimizer.lr']}"}
    )
    assert told[0] == "asci_made: 8 runs leave the record, their setting being another by now"
    runs = read_record(tmp_path / "docs" / "results" / "asci_made")
    assert {record.get("seed") for record in runs} == {2}
    assert all(str(record.get("config_hash")).startswith("new") for record in runs)


@pytest.mark.usefixtures("undrawn")
def test_runs_on_made_up_data_are_left_out(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    assert exported(0, change=lambda values, seed: {"source": "fake"})[0].endswith(
        "4 runs on made-up data are left out"
    )
    assert sorted(content(tmp_path / "docs")) == ["results.md"]


def test_pictures_of_runs_are_the_newest_and_stay_when_their_logs_are_gone(
    exported: Callable[..., list[str]], tmp_path: Path, logged: Callable[..., Path]
) -> None:
    from PIL import Image

    file = tmp_path / "conf" / "study" / "asci_made.yaml"
    file.write_text(file.read_text().partition("  figures:")[0] + "  figures: [{kind: pictures, name: filters}]\n")
    logged(0)
    figures, made = tmp_path / "docs" / "results" / "asci_made" / "figures", []
    for spread in (80, 20):
        for run in tmp_path.glob("logs/results/asci_made/seed-0/*/run.json"):
            (run.parent / "figures").mkdir(exist_ok=True)
            Image.effect_noise((40, 30), spread).save(run.parent / "figures" / "filters.png")
        exported()
        assert [one.name for one in figures.iterdir()] == ["1_pictures.png"]
        made.append((figures / "1_pictures.png").read_bytes())
        (figures / "2_bars.svg").touch()  # of a figure that the study had
    assert made[0] != made[1]
    shutil.rmtree(tmp_path / "logs")
    told = exported(1)
    assert (figures / "1_pictures.png").read_bytes() == made[1]
    assert not any("not drawn" in line for line in told)
    assert "1_pictures.png" in (tmp_path / "docs" / "results.md").read_text()


def test_a_large_picture_is_made_small(tmp_path: Path) -> None:
    from PIL import Image

    from atelier.results.export import LARGEST, small_png

    for name, size, kept in (("small", 100, True), ("large", 700, False)):
        file = tmp_path / f"{name}.png"
        Image.effect_noise((size, size), 80).save(file)
        content = small_png(file)
        assert len(content) <= LARGEST
        assert (content == file.read_bytes()) == kept


def test_a_failure_of_an_earlier_configuration_is_none_of_todays() -> None:
    def run(seed: int, status: str, config_hash: str | None) -> Recorded:
        manifest = {"seed": seed, "status": status, "config_hash": config_hash, "overrides": [f"seed={seed}"]}
        return Recorded(None, manifest, {"number": seed, "values": {}}, {})

    new, old, now = run(1, "completed", "new"), run(0, "failed", "old"), run(2, "failed", "new")
    found = merged([new, old, now, run(3, "failed", None)], [])
    assert [(one.get("seed"), one.status) for one in found.kept] == [(1, "completed"), (2, "failed"), (3, "failed")]
    assert found.superseded == []
