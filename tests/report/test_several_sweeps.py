"""Sweeps that are reported together: what tells their settings apart, their base, and runs of other objectives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.figures.kinds import curves, heatmap, line
from atelier.report.groups import groups
from atelier.report.notes import caption, cautions
from atelier.report.table import best_at, settings_table
from atelier.report.write import write_report
from atelier.sweeps.aggregate import aggregate
from atelier.sweeps.records import Record

Sweep = Callable[..., Path]
RATES = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]}


def of_kind(name: str, **more: Any) -> Callable[..., dict[str, Any]]:
    """What run.json of a run of the kind `name` says beside its overrides."""
    return lambda values, seed: {"config_hash": f"{name} {values}", **more}


def curve_to(best: float) -> Callable[..., list[float]]:
    return lambda values, seed: [0.1, best]


@pytest.mark.parametrize("key", ["study", "experiment", "config_hash"])
def test_equal_grids_of_two_kinds_are_not_pooled(made_up_sweep: Sweep, tmp_path: Path, key: str) -> None:
    """An MLP and a CNN with the same rates are no repeats of each other."""
    for name, best in (("mlp", 0.4), ("cnn", 0.8)):
        more = {} if key == "config_hash" else {key: name}
        of_sweep = {"study": name} if key == "study" else {}
        made_up_sweep(tmp_path / name, RATES, curve_to(best), change=of_kind(name, **more), **of_sweep)
    results = aggregate([tmp_path / "mlp", tmp_path / "cnn"])
    assert results.keys == [key, "optimizer", "optimizer.lr"]
    assert {len(setting.records) for setting in results.settings} == {3}
    title = {"study": "study", "experiment": "experiment", "config_hash": "config hash"}[key]
    (told,) = [column for column in settings_table(results).columns if column.title == title]
    names = {cell.text for cell in told.cells}
    assert len(names) == (8 if key == "config_hash" else 2)
    found = groups(results)
    assert len({one.label for one in found}) == 8
    if key == "config_hash":
        return
    maps = heatmap.gather(found, "val/accuracy", rows="optimizer", columns="optimizer.lr")
    means = {panel.title: {round(one.mean or 0, 6) for one in panel.cells.values()} for panel in maps.panels}
    assert means == {"mlp": {0.4}, "cnn": {0.8}}
    drawn = line.gather(found, "val/accuracy", x="optimizer.lr")
    assert all(one.n == 3 for _, lines in drawn.panels for each in lines for _, one in each.points)
    apart = curves.gather(found, "val/accuracy", apart="optimizer")
    assert {one.label for panel in apart.panels for one in panel.lines} == {
        f"{name}, learning rate {rate}" for name in ("mlp", "cnn") for rate in ("0.1", "0.01")
    }


def test_a_run_that_failed_before_it_had_a_hash_adds_no_column(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"config_hash": None, "status": "failed"} if seed == 1 else {}

    results = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, curve_to(0.5), change=change)])
    assert results.keys == ["optimizer"]


def test_a_study_that_was_run_in_two_sweeps_has_its_base(made_up_sweep: Sweep, tmp_path: Path) -> None:
    grid = {"network.dropout": ["0.0", "0.5"]}

    def sweep(name: str, seed: int, settings: list[dict[str, Any]], study: str = "one") -> Path:
        study_of = {"study": study, "presentation": {"settings": settings}}
        base = made_up_sweep(tmp_path / name / "0", {"optimizer": ["adam"]}, curve_to(0.5), seeds=(seed,), **study_of)
        made_up_sweep(tmp_path / name / "1", grid, curve_to(0.4), seeds=(seed,), **study_of)
        return base.parent

    settings: list[dict[str, Any]] = [{}, {"network.dropout": 0.0}, {"network.dropout": 0.5}]
    results = aggregate([sweep("a", 0, settings), sweep("b", 1, settings)])
    assert results.base is not None
    assert results.base.objective.values == (0.5, 0.5)
    assert [one.label for one in groups(results)] == ["base", "dropout 0.0", "dropout 0.5"]
    edited = sweep("c", 2, [{}, {"network.dropout": 0.9}])
    assert aggregate([tmp_path / "a", edited]).base is None, "the study was changed between its sweeps"
    assert aggregate([tmp_path / "a", sweep("d", 2, settings, study="two")]).base is None


def test_a_run_of_another_objective_is_in_no_column_of_it(made_up_sweep: Sweep, tmp_path: Path) -> None:
    """The gap of a loss below gaps of accuracies would be compared to them."""
    of_loss = {"metric": "val/loss", "mode": "min", "best": 1.1, "best_epoch": 1, "validation_gap": 1.7}
    ours = {"metric": "val/accuracy", "mode": "max", "best": 0.5, "best_epoch": 1, "validation_gap": 0.05}
    made_up_sweep(tmp_path / "a", {"optimizer": ["sgd"]}, curve_to(0.5), change=lambda *_: {"objective": ours})
    made_up_sweep(tmp_path / "b", {"optimizer": ["adam"]}, curve_to(0.5), change=lambda *_: {"objective": of_loss})
    results = aggregate([tmp_path / "a", tmp_path / "b"])
    mine, other = results.settings
    assert (mine.values["optimizer"], mine.gaps["validation_gap"].mean) == ("sgd", pytest.approx(0.05))
    assert (other.values["optimizer"], other.gaps) == ("adam", {})
    assert [best_at(one, "epoch", results.metric).n for one in results.settings] == [3, 0]


def test_a_search_without_a_trial_has_a_report(
    made_up_sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = made_up_sweep(tmp_path / "s", {"optimizer.lr": []}, curve_to(0.5))
    results = write_report([sweep])
    assert (results.records, caption(results), cautions(results)) == ([], "0 settings, 0 runs.", [])
    assert (sweep / "report.html").is_file()
    assert "0 runs" in capsys.readouterr().out


def test_a_figure_of_an_earlier_report_goes_and_other_files_stay(made_up_sweep: Sweep, tmp_path: Path) -> None:
    """The bars of half a sweep beside the heatmap of the whole would show numbers that are no longer true."""
    figures = tmp_path / "paper" / "figures"
    for kind, seeds in (("bars", (0,)), ("heatmap", (0, 1))):
        study = {"figures": [{"kind": kind}]}
        sweep = made_up_sweep(tmp_path / kind, RATES, curve_to(0.5), seeds=seeds, presentation=study)
        write_report([sweep], tmp_path / "paper")
        for name in ("bars_of_mine.png", "line_plot.pdf", "bars_test_accuracy.png"):  # the user's
            (figures / name).write_text("kept")
    assert sorted(file.name for file in figures.iterdir()) == [
        *("bars_of_mine.png", "bars_test_accuracy.png", "heatmap_val_accuracy.png", "heatmap_val_accuracy.svg"),
        "line_plot.pdf",
    ]


def test_two_settings_with_one_option_in_two_groups_have_two_names(made_up_sweep: Sweep, tmp_path: Path) -> None:
    study = {"settings": [{}, {"encoder": "conv"}, {"decoder": "conv"}]}
    for number, typed in enumerate(({}, {"encoder": ["conv"]}, {"decoder": ["conv"]})):
        made_up_sweep(tmp_path / str(number), typed, curve_to(0.5), change=of_kind(str(number)), presentation=study)
    found = groups(aggregate([tmp_path / str(number) for number in range(3)]))
    assert sorted(one.label for one in found) == ["base", "decoder conv", "encoder conv"]


def test_the_experiment_of_a_base_is_known_from_the_sweep() -> None:
    """A record keeps what varies beside the manifest."""
    record = Record(None, {"status": "completed"}, {"values": {"experiment": "x"}})
    assert record.value("experiment") == "x"
    assert Record(None, {"experiment": "y"}, {}).value("experiment") == "y"
