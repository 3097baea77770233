"""Which figures a sweep gets, and that each is drawn from its runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.report.groups import groups
from atelier.report.pictures import check_figure, choose, draw_pictures, kind_names
from atelier.report.write import wanted
from atelier.sweeps.aggregate import aggregate

NAN = float("nan")
Sweep = Callable[..., Path]


def rising(values: dict[str, str], seed: int) -> list[float]:
    return [0.1, 0.2 + seed / 100, 0.3]


@pytest.mark.parametrize(
    ("grid", "kinds"),
    [
        ({"optimizer": ["sgd", "adam"]}, ["curves", "curves", "bars"]),
        ({"optimizer.lr": ["0.1", "0.01"]}, ["curves", "curves", "line"]),
        (
            {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]},
            ["curves", "curves", "heatmap", "importance"],
        ),
        ({"a.a": ["1", "2"], "b.b": ["1", "2"], "c.c": ["1", "2"]}, ["curves", "curves", "bars", "importance"]),
        ({}, ["curves", "curves"]),
    ],
)
def test_figures_are_chosen_by_the_keys(
    made_up_sweep: Sweep, tmp_path: Path, grid: dict[str, list[str]], kinds: list[str]
) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", grid, rising, seeds=(0, 1))])
    chosen = choose(results, groups(results))
    assert [one["kind"] for one in chosen] == kinds
    assert [one["metric"] for one in chosen[:2]] == ["accuracy", "loss"]


def test_a_key_of_which_one_value_alone_has_results_is_no_axis(made_up_sweep: Sweep, tmp_path: Path) -> None:
    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]}
    change = lambda values, seed: {"status": "failed"} if values["optimizer"] == "adam" else {}  # noqa: E731
    results = aggregate([made_up_sweep(tmp_path / "s", grid, rising, seeds=(0,), change=change)])
    kinds = [one["kind"] for one in choose(results, groups(results))]
    assert kinds == ["curves", "curves", "line", "importance"]


def test_a_heatmap_is_of_the_keys_that_vary(made_up_sweep: Sweep, tmp_path: Path) -> None:
    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"], "data.batch_size": ["8", "16"]}
    change = lambda values, seed: {"status": "failed"} if values["optimizer"] == "sgd" else {}  # noqa: E731
    results = aggregate([made_up_sweep(tmp_path / "s", grid, rising, seeds=(0,), change=change)])
    (shown,) = (one for one in choose(results, groups(results)) if one["kind"] == "heatmap")
    assert (shown["rows"], shown["columns"]) == ("optimizer.lr", "data.batch_size")


def test_a_search_of_ten_trials_gets_importances_beside_its_figure(made_up_sweep: Sweep, tmp_path: Path) -> None:
    search = {"kind": "search", "logarithmic": ["a.a"]}
    importance = {"kind": "importance", "logarithmic": ["a.a"], "of_search": True}
    for number, (values, asked) in enumerate([("12345", [search, importance]), ("1234", [search])]):
        grid, study = {"a.a": list(values), "b.b": ["1", "2"]}, {"figures": [search]}
        folder = made_up_sweep(tmp_path / str(number), grid, rising, seeds=(0,), presentation=study)
        assert wanted(aggregate([folder])) == asked


def test_pairs_of_values_that_go_together_are_no_grid(made_up_sweep: Sweep, tmp_path: Path) -> None:
    values = [str(n) for n in range(5)]
    folder = made_up_sweep(tmp_path / "s", {"a.a": values}, rising, seeds=(0,), swept=["a.a", "b.b"])
    for number in range(5):
        (folder / str(number) / "config.yaml").write_text(f"b: {{b: x{number}}}")
    results = aggregate([folder])
    assert [one["kind"] for one in choose(results, groups(results))] == ["curves", "curves", "bars"]


def test_what_the_study_asks_for_is_drawn_as_files(made_up_sweep: Sweep, tmp_path: Path) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, rising)])
    wanted = [{"kind": "bars", "metric": "test/accuracy", "reference": {"chance": 0.1}, "caption": "As in figure 8."}]
    (picture,), problems = draw_pictures(results, [*wanted], tmp_path / "figures")
    assert problems == []
    assert picture.caption.startswith("As in figure 8. Test accuracy of each setting: the mean over the runs (n = ")
    # test accuracy is the best validation accuracy less 0.01: 0.29 for every seed
    assert "sgd: 0.29 ± 0 (3); adam: 0.29 ± 0 (3); chance at 0.1" in picture.alternative
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [
        "bars_test_accuracy.png",
        "bars_test_accuracy.svg",
    ]


def test_equal_runs_give_equal_files(made_up_sweep: Sweep, tmp_path: Path) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", {}, rising)])
    for name in ("one", "two"):
        draw_pictures(results, [{"kind": "curves", "metric": "loss"}], tmp_path / name)
    for file in ("curves_loss.svg", "curves_loss.png"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_two_figures_of_one_kind_and_metric_have_files_of_their_own(made_up_sweep: Sweep, tmp_path: Path) -> None:
    results = aggregate([made_up_sweep(tmp_path / "s", {}, rising)])
    asked = [{"kind": "curves", "metric": "loss"}, {"kind": "curves", "metric": "loss", "reference": {"r": 1.0}}]
    pictures, _ = draw_pictures(results, asked, tmp_path / "figures")
    assert [picture.path.name for picture in pictures] == ["curves_loss", "curves_loss_2"]


def test_a_figure_that_cannot_be_drawn_leaves_the_others(
    made_up_sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.figures.kinds.bars.draw", lambda data: data.nothing)
    results = aggregate([made_up_sweep(tmp_path / "s", {}, rising)])
    asked: list[Any] = [
        {"kind": "bars", "metric": "test/acuracy"},
        {"kind": "bars"},
        {"kind": "curves"},
    ]
    pictures, problems = draw_pictures(results, asked, tmp_path / "figures")
    assert [picture.path.name for picture in pictures] == ["curves_accuracy"]
    assert problems[0].startswith("Figure 1 (bars) was not drawn: metric=test/acuracy: no run has it; choose from: ")
    assert problems[1].startswith("Figure 2 (bars) was not drawn: AttributeError")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"kind": "pie"}, "f.kind=pie: give one of: bars, curves, heatmap, importance, line, pictures, search"),
        ({"metric": "val/loss"}, "f.kind is missing: give text"),
        ({"kind": "line", "y": "lr"}, "f.y: no 'y'; choose from: "),
        (
            {"kind": "curves", "splits": ["train", "valid"]},
            "f.splits=['train', 'valid']: give a list",
        ),
        ({"kind": "curves", "splits": []}, "f.splits=[]: give a list that is not empty"),
        ({"kind": "pictures"}, "f.name is missing: give text"),
        ({"kind": "pictures", "name": "latents", "epochs": 0}, "f.epochs=0: give a whole number of 1 or more"),
        (
            {"kind": "bars", "reference": {"chance": "low"}},
            "f.reference={'chance': 'low'}: give a mapping",
        ),
        ({"kind": "bars", "of": "adam"}, "f.of=adam: give a mapping or a list"),
    ],
)
def test_a_wrong_figure_is_told(wanted: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as error:
        check_figure(wanted, "f")
    assert str(error.value).startswith(told)


# `pictures` puts together what runs have drawn, and these have drawn nothing: tests/figures/test_pictures_kind.py.
@pytest.mark.parametrize("kind", sorted(set(kind_names()) - {"pictures"}))
def test_every_kind_draws_runs_that_ended_in_every_way(
    made_up_sweep: Sweep, tmp_path: Path, is_drawn: Callable[[Path], bool], kind: str
) -> None:
    """Unequal epochs, values that are no numbers, failed, interrupted and waiting jobs."""
    lengths = {"sgd": [0.1, NAN, 0.3], "adam": [NAN, NAN], "adagrad": [0.5], "rmsprop": []}
    ends = {1: {"status": "failed"}, 2: {"status": "interrupted"}, 3: {"status": "waiting"}, 4: {"status": "completed"}}
    results = aggregate(
        [
            made_up_sweep(
                tmp_path / "s",
                {"optimizer": list(lengths), "optimizer.lr": ["0.001", "0.01"]},
                lambda values, seed: lengths[values["optimizer"]],
                seeds=(0, 1, 2, 3, 4),
                change=lambda values, seed: ends.get(seed, {}),
            )
        ]
    )
    pictures, problems = draw_pictures(results, [{"kind": kind}], tmp_path / "figures")
    assert problems == []
    assert is_drawn(pictures[0].path.with_suffix(".png"))
    assert "0.5" in pictures[0].alternative


def test_scores_are_those_of_the_best_epoch(made_up_sweep: Sweep, tmp_path: Path) -> None:
    folder = made_up_sweep(tmp_path / "s", {}, lambda values, seed: [0.1, 0.7, 0.4], seeds=(0,))
    (group,) = groups(aggregate([folder]))
    assert group.score("val/accuracy").mean == 0.7
    assert group.score("train/accuracy").mean == 0.72
    assert group.score("val/loss").mean == 0.8
    assert group.score("test/accuracy").mean == pytest.approx(0.69)
    assert (group.score("seconds").mean, group.score("parameters").mean) == (6.0, 57060)


def test_runs_that_count_steps_are_drawn_over_steps_with_their_scores_at_the_best_one(
    made_up_sweep: Sweep, tmp_path: Path
) -> None:
    """Three validations within one epoch: at the ends of steps 10, 20 and 30, the second the best."""
    counting = {
        "counts": "steps",
        "objective": {"metric": "val/accuracy", "mode": "max", "best": 0.7, "best_epoch": 0, "best_step": 20},
    }
    folder = made_up_sweep(
        tmp_path / "s", {}, lambda values, seed: [0.1, 0.7, 0.4], seeds=(0,), change=lambda values, seed: counting
    )
    metrics = folder / "0" / "metrics.csv"
    rows = [line.split(",") for line in metrics.read_text().splitlines()]
    metrics.write_text("\n".join(",".join(["0" if n else row[0], *row[1:]]) for n, row in enumerate(rows)) + "\n")
    results = aggregate([folder])
    (group,) = groups(results)
    assert group.unit == "step"
    assert group.curves[0]["val/accuracy"] == {9: 0.1, 19: 0.7, 29: 0.4}
    assert group.score("train/accuracy").mean == 0.72


def test_runs_that_count_differently_are_drawn_over_epochs(made_up_sweep: Sweep, tmp_path: Path) -> None:
    folder = made_up_sweep(
        tmp_path / "s",
        {"optimizer": ["sgd", "adam"]},
        rising,
        change=lambda values, seed: {"counts": "steps"} if values["optimizer"] == "sgd" else {},
    )
    assert {group.unit for group in groups(aggregate([folder]))} == {"epoch"}


def test_a_setting_without_a_completed_run_shows_its_curves_and_says_so(made_up_sweep: Sweep, tmp_path: Path) -> None:
    ends = {"sgd": "running", "adam": "running", "lion": "pruned"}
    folder = made_up_sweep(
        tmp_path / "s",
        {"optimizer": ["sgd", "adam", "lion"]},
        rising,
        change=lambda values, seed: (
            {"status": ends[values["optimizer"]]} if values["optimizer"] != "adam" or seed else {}
        ),
    )
    adam, sgd, lion = groups(aggregate([folder]))
    assert lion.label == "lion (pruned)"
    assert (adam.label, len(adam.curves)) == ("adam", 1), "only the completed run"
    assert (sgd.label, len(sgd.curves)) == ("sgd (unfinished)", 3)
    assert sgd.score("val/accuracy").n == 0


def test_the_words_of_each_run_stay_its_own_where_an_earlier_one_failed(made_up_sweep: Sweep, tmp_path: Path) -> None:
    change = lambda values, seed: {} if seed else {"status": "failed"}  # noqa: E731
    (group,) = groups(aggregate([made_up_sweep(tmp_path / "s", {}, rising, change=change)]))
    one = group.score("val/accuracy")
    assert (one.n, one.names) == (2, ("seed 1", "seed 2"))


def test_settings_that_read_alike_are_told_apart(made_up_sweep: Sweep, tmp_path: Path) -> None:
    for name, setting in (("one", "abcdef01"), ("two", "12345678")):
        made_up_sweep(
            tmp_path / name, {"optimizer": ["sgd"]}, rising, change=lambda v, s, own=setting: {"config_hash": own}
        )
    labels = [group.label for group in groups(aggregate([tmp_path]))]
    assert sorted(labels) == ["12345678", "abcdef01"]


def test_settings_are_called_by_what_they_change_of_their_studys_base(
    made_up_sweep: Callable[..., Path], tmp_path: Path
) -> None:
    grid = {"initializer": ["glorot", "he"], "network.dropout": ["0.2", "0.0"]}
    study = {"settings": [{}, {"network.dropout": 0.0}]}

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"overrides": [f"{key}={value}" for key, value in values.items() if value != "0.2"]}

    folder = made_up_sweep(tmp_path / "s", grid, lambda values, seed: [0.5], change=change, presentation=study)
    found = groups(aggregate([folder]))
    assert sorted((one.label, list(one.changed or ())) for one in found) == [
        ("base", []),
        ("dropout 0.0", ["network.dropout"]),
        ("initializer he", ["initializer"]),
        ("initializer he, dropout 0.0", ["initializer", "network.dropout"]),
    ]
    other = made_up_sweep(tmp_path / "t", {"optimizer": ["sgd", "adam"]}, lambda values, seed: [0.5])
    assert [one.changed for one in groups(aggregate([folder, other]))] == [None] * 6, "two sweeps have no base"
