"""Paired differences, against scipy and by hand."""

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from atelier.compare.difference import Comparison, Difference, compare, folds_of
from atelier.errors import InputError
from atelier.report import pictures
from atelier.report.write import Asked, write_report
from atelier.runs.setting import REPEATS
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Setting, aggregate
from atelier.sweeps.records import Record

Sweep = Callable[..., Path]
NOISE = [0.00, 0.20, 0.10, 0.35]  # of a seed, common to both settings: larger than what they differ by
APART = [0.02, 0.03, 0.01, 0.02]  # adam over sgd, seed by seed


def curve(values: dict[str, str], seed: int) -> list[float]:
    better = {"adam": APART[seed % 4], "sgd": 0.0, "rmsprop": APART[seed % 4] - 0.02 + 0.03 * (seed % 2)}
    return [0.1, 0.3 + NOISE[seed % 4] + better[values["optimizer"]]]


@pytest.fixture(scope="module")
def sweep(made_up_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "s"
    return made_up_sweep(folder, {"optimizer": ["sgd", "adam", "rmsprop"]}, curve, seeds=(0, 1, 2, 3))


@pytest.fixture(autouse=True)
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "draw_pictures", lambda *_: ([], []))


def by_name(found: Comparison | None, results_of: Path) -> dict[str | None, Difference | None]:
    assert found
    settings = aggregate([results_of]).settings
    return {one.values["optimizer"]: own for one, own in zip(settings, found.differences, strict=True)}


def test_pairs_tell_a_difference_that_the_spread_over_seeds_hides(sweep: Path) -> None:
    found = by_name(compare(aggregate([sweep])), sweep)
    assert found["adam"] is None, "the best is the baseline"
    sgd = found["sgd"]
    assert sgd
    low, high = stats.t.interval(0.95, 3, loc=-np.mean(APART), scale=stats.sem(APART))
    assert (sgd.mean, sgd.low, sgd.high) == pytest.approx((-0.02, low, high))
    assert sgd.real
    assert sgd.pairs == 4
    unpaired = stats.ttest_ind([0.3 + n for n in NOISE], [0.3 + n + a for n, a in zip(NOISE, APART, strict=True)])
    assert unpaired.pvalue > 0.5


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        ((), "the best"),
        (("sgd",), "the best complete setting"),
        (("adam",), "the best complete setting"),
        (("sgd", "adam", "rmsprop"), "the best"),
        (("every seed of sgd",), "the best"),  # it may not be better: it has no value
    ],
)
def test_the_best_is_one_of_the_complete_settings_where_others_lost_a_run(
    made_up_sweep: Sweep, tmp_path: Path, lost: tuple[str, ...], named: str
) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        name = values["optimizer"]
        return {"status": "failed"} if (seed == 3 and name in lost) or f"every seed of {name}" in lost else {}

    one = made_up_sweep(
        tmp_path / "s", {"optimizer": ["sgd", "adam", "rmsprop"]}, curve, seeds=(0, 1, 2, 3), change=change
    )
    found = compare(aggregate([one]))
    assert found
    assert found.title == f"difference to {named}"


def test_only_runs_of_equal_seed_fold_and_draw_are_pairs(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        other = {"objective": {"metric": "val/loss", "mode": "min", "best": 9.0}}  # of another objective
        return {("sgd", 1): {"status": "failed"}, ("sgd", 3): other}.get((values["optimizer"], seed), {})

    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, curve, seeds=(0, 1, 2, 3), change=change)
    found = by_name(compare(aggregate([one])), one)["sgd"]
    assert found
    assert found.pairs == 2
    assert found.mean == pytest.approx(-(APART[0] + APART[2]) / 2)
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 1, loc=found.mean, scale=0.005))


def test_the_caption_tells_the_fewest_and_the_most_pairs(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"status": "failed"} if values["optimizer"] == "sgd" and seed else {}

    grid = {"optimizer": ["sgd", "adam", "rmsprop"]}
    found = compare(aggregate([made_up_sweep(tmp_path / "s", grid, curve, seeds=(0, 1, 2), change=change)]))
    assert found
    assert " are means over 1 to 3 pairs of equal seeds, folds and draws, " in found.caption()


@pytest.mark.parametrize(
    ("present", "of", "folds"),
    [
        (["0", "1", "2"], ["10", "5"], 5),  # the fewest, whose samples are shared by the most
        (["0", "1"], ["10"], 10),
        (["0", "1"], [""], 2),
        (["3"], ["10"], 1),  # of one fold no samples are shared
        ([], ["10"], 0),
    ],
)
def test_the_folds_are_those_of_the_samples_also_where_few_of_them_have_a_run(
    present: list[str], of: list[str], folds: int
) -> None:
    none = Statistic.of([])
    runs = [Record(None, {}, {"overrides": [f"data.folds={number}"] * bool(number)}) for number in of]
    settings = [Setting("", {}, [run], none, {}, {}, none, none) for run in runs]
    repeats = [tuple(fold if key == "data.fold" else "0" for key in REPEATS) for fold in present]
    assert folds_of(repeats, settings) == folds


@pytest.mark.parametrize(("folds", "ratio"), [(None, 1 / 2), (3, 1 / 2), (10, 1 / 9)])
def test_folds_have_a_wider_interval(made_up_sweep: Sweep, tmp_path: Path, folds: int | None, ratio: float) -> None:
    """By the number of all folds of the samples, where the configuration tells it."""

    def folded(values: dict[str, str], seed: int) -> list[float]:
        return curve(values, int(values["data.fold"]))

    grid = {"optimizer": ["sgd", "adam"], "data.fold": ["0", "1", "2"]}
    one = made_up_sweep(tmp_path / "s", grid, folded, seeds=(0,), config={"data": {"folds": folds}})
    found = by_name(compare(aggregate([one])), one)["sgd"]
    scale = np.std(APART[:3], ddof=1) * math.sqrt(1 / 3 + ratio)
    low, high = stats.t.interval(0.95, 2, loc=-np.mean(APART[:3]), scale=scale)
    assert found
    assert (found.low, found.high) == pytest.approx((low, high))


def test_equal_differences_have_an_interval_of_one_point(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def constant(values: dict[str, str], seed: int) -> list[float]:
        return [0.25 if values["optimizer"] == "sgd" else 0.5]

    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, constant, seeds=tuple(range(10)))
    assert str(by_name(compare(aggregate([one])), one)["sgd"]) == "−0.2500 (−0.2500 to −0.2500)"


@pytest.mark.parametrize(("right", "of"), [((280, 279), 288), ((9012, 9011), 10_000), ((1, 287), 288)])
def test_equal_differences_of_32_bits_have_an_interval_of_one_point(
    made_up_sweep: Sweep, tmp_path: Path, right: tuple[int, int], of: int
) -> None:
    """Accuracies in 32 bits whose pairs differ by the same number of pictures, and by rounding."""

    def accuracy(values: dict[str, str], seed: int) -> list[float]:
        return [float(np.float32(right[values["optimizer"] == "sgd"] + seed * 7 % 5) / np.float32(of))]

    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, accuracy, seeds=(0, 1, 2))
    found = by_name(compare(aggregate([one])), one)["sgd" if right[0] > right[1] else "adam"]
    assert found
    assert found.low == found.high == found.mean == pytest.approx(-abs(right[0] - right[1]) / of, rel=1e-3)


def test_settings_that_differ_by_rounding_alone_do_not_differ(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def loss(values: dict[str, str], seed: int) -> list[float]:
        return [2.0 + 1e-8 * (values["optimizer"] == "sgd" and seed == 0)]

    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, loss, seeds=(0, 1, 2))
    found = [difference for difference in by_name(compare(aggregate([one])), one).values() if difference]
    assert [str(difference) for difference in found] == ["≈ 0: +0.0000 (+0.0000 to +0.0000)"]


def test_differences_beyond_floats_have_no_interval() -> None:
    found = Difference.of([1e200, 3e200])
    assert found
    assert (found.low, found.high, found.real) == (None, None, False)
    assert str(found) == "+2e+200"


def test_every_table_has_the_differences_and_marks_those_that_may_be_none(sweep: Path, tmp_path: Path) -> None:
    write_report([sweep], tmp_path)
    page, md = (tmp_path / "report.html").read_text(), (tmp_path / "summary.md").read_text()
    for text in (page, md):
        assert "difference to the best" in text
        assert "≈ 0: the interval holds 0. The best was chosen by the same runs" in text
        assert "−0.020 (−0.033 to −0.007)" in text
        assert re.search(r"≈ 0: −0\.0\d+ \(−0\.0\d+ to \+0\.0\d+\)", text), "rmsprop"
    rows = {row["optimizer"]: row for row in csv.DictReader((tmp_path / "settings.csv").read_text().splitlines())}
    assert float(rows["sgd"]["difference"]) == pytest.approx(-0.02)
    assert rows["sgd"]["difference pairs"] == "4"
    assert float(rows["sgd"]["difference low"]) < float(rows["sgd"]["difference high"]) < 0
    assert rows["adam"]["difference"] == ""
    assert float(rows["adam"]["val/accuracy"]) == pytest.approx(0.3 + np.mean(NOISE) + np.mean(APART))


def test_a_baseline_may_be_named(sweep: Path, tmp_path: Path) -> None:
    write_report([sweep], tmp_path, asked=Asked(baseline={"optimizer": "sgd"}))
    md = (tmp_path / "summary.md").read_text()
    assert "difference to sgd" in md
    assert "+0.020 (+0.007 to +0.033)" in md


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        ({"optimizer": "lion"}, ["baseline={optimizer: lion}", "no settings", "adam; "]),
        ({"network": "mlp"}, ["network does not vary", "optimizer"]),
        ({}, ["3 settings"]),
        ("base", ["baseline=base", "the study has none"]),
        ("sgd", ["baseline=sgd", "base"]),
    ],
)
def test_a_baseline_that_is_no_setting_is_refused(
    sweep: Path, tmp_path: Path, baseline: dict[str, str] | str, told: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        write_report([sweep], tmp_path / "r", asked=Asked(baseline=baseline))
    assert all(word in str(error.value) for word in told), error.value
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("sgd", "none of its runs has a value of val/accuracy yet"),
        ("adam", "no other setting has a run of equal seed, fold and draw"),
    ],
)
@pytest.mark.parametrize(
    "ended", [{"status": "failed"}, {"objective": {"metric": "val/accuracy", "mode": "max", "best": math.nan}}], ids=str
)
def test_a_baseline_without_a_pair_is_refused(
    made_up_sweep: Sweep, tmp_path: Path, lost: str, told: str, ended: dict[str, Any]
) -> None:
    change = lambda values, seed: ended if values["optimizer"] == lost else {}  # noqa: E731
    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, curve, change=change)
    with pytest.raises(InputError, match=f"^baseline={{optimizer: sgd}}: {told}$"):
        compare(aggregate([one]), {"optimizer": "sgd"})


def test_the_base_of_a_study_may_be_the_baseline(made_up_sweep: Sweep, tmp_path: Path) -> None:
    study = {"settings": [{}, {"optimizer": "adam"}]}

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"overrides": [f"seed={seed}"] + ["optimizer=adam"] * (values["optimizer"] == "adam")}

    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, curve, change=change, presentation=study)
    found = by_name(compare(aggregate([one]), "base"), one)
    assert found["sgd"] is None
    assert found["adam"]


def test_single_runs_have_no_column_unless_a_baseline_is_named(made_up_sweep: Sweep, tmp_path: Path) -> None:
    one = made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, curve, seeds=(0,))
    assert compare(aggregate([one])) is None
    assert str(by_name(compare(aggregate([one]), {"optimizer": "sgd"}), one)["adam"]) == "+0.02"
