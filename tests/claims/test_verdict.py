"""Verdicts, against intervals computed by scipy and by hand."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from atelier.claims.claim import read_claims
from atelier.claims.verdict import Outcome, decide, together
from atelier.claims.words import check_rows, measured
from atelier.results.status import line, print_status
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, aggregate, group

Sweep = Callable[..., Path]
GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]}
# Best validation accuracy by optimizer and seed, to which lr is added; the curve rises by 0.1 an epoch up to it.
BEST = {"sgd": [0.50, 0.52, 0.51, 0.49], "adam": [0.60, 0.63, 0.60, 0.61]}


def curve(values: dict[str, str], seed: int) -> list[float]:
    best = BEST[values["optimizer"]][seed] + float(values["optimizer.lr"])
    return [best - 0.2, best - 0.1, best, best - 0.3]


@pytest.fixture
def results(made_up_sweep: Sweep, tmp_path: Path) -> Callable[..., Results]:
    def make(seeds: tuple[int, ...] = (0, 1, 2, 3), **more: Any) -> Results:
        return aggregate([made_up_sweep(tmp_path / "s", GRID, curve, seeds=seeds, **more)])

    return make


def outcome(results: Results, **check: Any) -> Outcome:
    node = {"claims": [{"says": "x", "where": "y", "checks": [{"because": "so", "metric": "val/accuracy", **check}]}]}
    (decided,) = decide(read_claims(node), {None: results})
    assert decided.verdict == decided.outcomes[0].verdict
    return decided.outcomes[0]


def test_the_interval_is_scipys() -> None:
    values = [0.3, 0.5, 0.4, 0.9]
    low, high = stats.t.interval(0.95, 3, loc=0.525, scale=stats.sem(values))
    assert Statistic.of(values).interval() == pytest.approx((low, high))


def test_the_interval_over_folds_is_that_of_nadeau_and_bengio() -> None:
    values = [0.3, 0.5, 0.4, 0.9, 0.6, 0.2]  # two seeds of three folds, each of which tests half as many as it trains
    scale = stats.tstd(values) * (1 / 6 + 1 / 2) ** 0.5
    low, high = stats.t.interval(0.95, 5, loc=sum(values) / 6, scale=scale)
    assert Statistic.of(values).interval(3) == pytest.approx((low, high))


def test_folds_decide_less_than_seeds(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def folded(values: dict[str, str], seed: int) -> list[float]:
        return [
            {"sgd": 0.5, "adam": 0.6}[values["optimizer"]]
            + 0.01 * int(values["data.fold"]) * (values["optimizer"] == "adam")
        ]

    grid = {"optimizer": ["sgd", "adam"], "data.fold": ["0", "1", "2"]}
    found = aggregate([made_up_sweep(tmp_path / "s", grid, folded, seeds=(0,))])
    check: dict[str, Any] = {"of": {"optimizer": "adam"}, "than": {"optimizer": "sgd"}}
    decided = outcome(found, **check, above=0.08)  # 0.11 ± 0.01: ± 0.025 of three seeds, ± 0.039 of three folds
    assert decided.quantity.values == pytest.approx((0.10, 0.11, 0.12))
    assert decided.verdict == "undecided"
    assert outcome(found, **check, above=0.06).verdict == "confirmed"
    three_of_ten = made_up_sweep(tmp_path / "t", grid, folded, seeds=(0,), config={"data": {"folds": 10}})
    assert outcome(aggregate([three_of_ten]), **check, above=0.08).verdict == "confirmed"  # ± 0.029


def test_a_difference_is_taken_seed_by_seed_over_the_mean_of_the_settings(results: Callable[..., Results]) -> None:
    found = outcome(results(), of={"optimizer": "adam"}, than={"optimizer": "sgd"}, above=0)
    assert found.quantity.values == pytest.approx((0.10, 0.11, 0.09, 0.12))
    assert found.verdict == "confirmed"


@pytest.mark.parametrize(
    ("relation", "verdict"),
    [
        ({"above": 0.08}, "confirmed"),
        ({"above": 0.105}, "undecided"),
        ({"above": 0.13}, "contradicted"),
        ({"below": 0.13}, "confirmed"),
        ({"below": 0.105}, "undecided"),
        ({"below": 0.08}, "contradicted"),
        ({"near": 0.1, "within": 0.03}, "confirmed"),
        ({"near": 0.1, "within": 0.01}, "undecided"),
        ({"near": 0.2, "within": 0.05}, "contradicted"),
        ({"near": 0, "within": 0.05}, "contradicted"),
    ],
)
def test_the_whole_interval_decides(results: Callable[..., Results], relation: dict[str, float], verdict: str) -> None:
    # mean 0.105, deviation 0.0129, so that the interval is 0.105 ± 0.0205
    assert outcome(results(), of={"optimizer": "adam"}, than={"optimizer": "sgd"}, **relation).verdict == verdict


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_one_or_two_seeds_only_lean(results: Callable[..., Results], seeds: tuple[int, ...]) -> None:
    found = results(seeds)
    both = {"of": {"optimizer": "adam"}, "than": {"optimizer": "sgd"}}
    assert outcome(found, **both, above=0.05).verdict == "leans to confirmed"
    assert outcome(found, **both, above=0.2).verdict == "leans to contradicted"


@pytest.mark.parametrize(("status", "verdict"), [("failed", "undecided"), ("waiting", "not run")])
def test_a_side_without_a_completed_run_decides_nothing(
    results: Callable[..., Results], status: str, verdict: str
) -> None:
    found = results(change=lambda values, seed: {"status": status} if values["optimizer"] == "adam" else {})
    assert outcome(found, of={"optimizer": "adam"}, than={"optimizer": "sgd"}, above=0).verdict == verdict
    assert outcome(found, of={"optimizer": "sgd"}, above=0).verdict == "confirmed"


def test_a_seed_counts_where_all_settings_of_both_sides_have_it(results: Callable[..., Results]) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, str]:
        return {"status": "failed"} if seed == 1 and values == {"optimizer": "adam", "optimizer.lr": "0.1"} else {}

    found = outcome(results(change=change), of={"optimizer": "adam"}, than={"optimizer": "sgd"}, above=0)
    assert found.quantity.values == pytest.approx((0.10, 0.09, 0.12))
    assert (found.lost, found.verdict) == (1, "undecided")
    assert measured(found) == "0.103 ± 0.015, n = 3 of 4"


@pytest.mark.parametrize("seeds", [(0, 1), (0, 1, 2)])
def test_the_seeds_that_are_left_of_few_do_not_lean(results: Callable[..., Results], seeds: tuple[int, ...]) -> None:
    """The failed one may have been the worst."""
    found = results(seeds, change=lambda values, seed: {"status": "failed"} if seed == 1 else {})
    decided = outcome(found, of={"optimizer": "adam"}, above=0.5)
    assert (decided.lost, decided.verdict) == (1, "undecided")


def test_a_seed_that_failed_and_was_run_again_counts(results: Callable[..., Results]) -> None:
    found = results((0, 1, 2))
    again = [replace(record, manifest={**record.manifest, "status": "failed"}) for record in found.records]
    for records in ([*found.records, *again], [*again, *found.records]):
        quantity = outcome(group(records, found.sweeps), of={"optimizer": "adam"}, above=0).quantity
        assert quantity.values == pytest.approx((0.655, 0.685, 0.655))


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_setting_that_breaks_in_one_seed_is_not_better(results: Callable[..., Results], value: float | None) -> None:
    """Its other seeds are better, by a lot; the mean over them lacks the one that broke."""

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        broken = {"objective": {"metric": "val/accuracy", "mode": "max", "best": value}}
        return broken if seed == 3 and values["optimizer"] == "adam" else {}

    runs = results(change=change)
    for bound in (0.05, 0.2):  # that which broke may have been on either side
        found = outcome(runs, of={"optimizer": "adam"}, than={"optimizer": "sgd"}, above=bound)
        assert (found.quantity.n, found.lost, found.verdict) == (3, 1, "undecided")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("relation", [{"above": -1}, {"below": 1}, {"near": 0, "within": 0.1}], ids=str)
def test_two_sides_without_a_finite_number_are_not_alike(
    results: Callable[..., Results], value: float, relation: dict[str, float]
) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"objective": {"metric": "val/accuracy", "mode": "max", "best": value}}

    found = outcome(results(change=change), of={"optimizer": "adam"}, than={"optimizer": "sgd"}, **relation)
    assert (found.quantity.n, found.lost, found.verdict) == (0, 4, "undecided")


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ({}, 0.60),
        ({"at": "best"}, 0.60),
        ({"at": "last"}, 0.30),
        ({"at": {"first": 2}}, 0.45),
        ({"at": {"epoch": 1}}, 0.40),
        ({"at": {"epoch": 4}}, 0.30),
        ({"metric": "train/accuracy"}, 0.62),
        ({"metric": "train/accuracy", "at": "last"}, 0.32),
        ({"metric": "test/accuracy"}, 0.59),
        ({"metric": "seconds"}, 8.0),
        ({"metric": "parameters"}, 57060),
        ({"metric": "best_epoch"}, 3),
        ({"metric": "best_step"}, 30),
        ({"metric": "val/error"}, 0.40),
    ],
)
def test_a_number_is_taken_where_it_is_asked_for(results: Callable[..., Results], asked: Any, value: float) -> None:
    found = outcome(results((0,)), **{"of": {"optimizer": "sgd", "optimizer.lr": 0.1}, "above": 0, **asked})
    assert found.quantity.values == pytest.approx((value,))


@pytest.mark.parametrize(
    "asked", [{"at": {"first": 5}}, {"at": {"epoch": 5}}, {"at": {"step": 3}}, {"metric": "val/acuracy"}], ids=str
)
def test_what_was_not_measured_is_not_made_up_nor_said_to_be_not_run(
    results: Callable[..., Results], asked: dict[str, Any]
) -> None:
    found = outcome(results(), above=0, **asked)
    assert (found.quantity.n, found.lost, found.verdict) == (0, 4, "undecided")
    assert measured(found) == "–, n = 0 of 4"


def test_the_status_tells_of_which_claims_no_run_has_a_number(
    results: Callable[..., Results], capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [{"metric": metric, "above": 0, "because": "so"} for metric in ("val/acuracy", "val/accuracy")]
    claims = read_claims({"claims": [{"says": "x", "where": "y", "checks": checks}]})
    print_status([line("made", [], [], decide(claims, {None: results()}))], cores=2)
    told = [words for words in capsys.readouterr().out.splitlines() if "no run" in words]
    assert told == ["made: no run has a number for its claim val/acuracy > 0"]
    print_status([line("made", [], [], decide(claims, {}))], cores=2)
    assert "no run" not in capsys.readouterr().out, "where none has begun, nothing is missing"


def test_what_no_seed_changes_is_decided_by_one(results: Callable[..., Results]) -> None:
    found = results((0,))
    assert outcome(found, metric="parameters", near=57060, within=0).verdict == "confirmed"
    assert outcome(found, metric="parameters", near=57061, within=0).verdict == "contradicted"


def test_one_parameter_more_is_no_rounding(results: Callable[..., Results]) -> None:
    found = results((0,), change=lambda values, seed: {"parameters": 20_000_000 + (values["optimizer"] == "adam")})
    sides = {"of": {"optimizer": "adam"}, "than": {"optimizer": "sgd"}}
    assert outcome(found, metric="parameters", **sides, above=0).verdict == "confirmed"


def test_equal_values_are_on_no_side(results: Callable[..., Results]) -> None:
    flat = results(change=lambda values, seed: {"seconds": {"fit": 2.0}})
    assert outcome(flat, metric="seconds", above=2).verdict == "undecided"
    assert outcome(flat, metric="seconds", near=2, within=0).verdict == "confirmed"
    assert outcome(flat, metric="seconds", below=2.1).verdict == "confirmed"


@pytest.mark.parametrize(("apart", "verdict"), [(2e-7, "undecided"), (2e-5, "confirmed")])
def test_a_difference_by_rounding_alone_is_none(results: Callable[..., Results], apart: float, verdict: str) -> None:
    more = {"sgd": 0.0, "adam": apart}
    found = results(change=lambda values, seed: {"seconds": {"fit": 2.0 + seed + more[values["optimizer"]]}})
    sides = {"metric": "seconds", "of": {"optimizer": "adam"}, "than": {"optimizer": "sgd"}}
    assert outcome(found, **sides, above=0).verdict == verdict
    assert outcome(found, **sides, below=0).verdict == {"confirmed": "contradicted"}.get(verdict, verdict)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["confirmed", "confirmed"], "confirmed"),
        (["confirmed", "contradicted", "not run"], "contradicted"),
        (["confirmed", "not run", "undecided"], "not run"),
        (["confirmed", "undecided", "leans to contradicted"], "undecided"),
        (["leans to confirmed", "leans to contradicted"], "leans to contradicted"),
        (["leans to confirmed", "confirmed"], "leans to confirmed"),
    ],
)
def test_a_claim_is_what_its_worst_check_is(verdicts: list[str], whole: str) -> None:
    assert together(verdicts) == whole


def test_a_reason_that_checks_share_is_told_once() -> None:
    checks = [{"metric": "val/accuracy", "above": 0.1, "because": because} for because in ("so", "so", "else", "so")]
    (one,) = decide(read_claims({"claims": [{"says": "x", "where": "y", "checks": checks}]}), {})
    told = [cells[0].removeprefix("val/accuracy > 0.1") for cells in check_rows(one)]
    assert told == [" (so)", "", " (else)", " (so)"]


def test_another_study_is_compared_with_by_seed(made_up_sweep: Sweep, tmp_path: Path) -> None:
    mine, other = (aggregate([made_up_sweep(tmp_path / name, GRID, curve, seeds=(0, 1, 2))]) for name in "ab")
    check = {"metric": "val/accuracy", "of": {"optimizer": "adam"}, "than_study": "b", "than": {"optimizer": "sgd"}}
    claims = read_claims({"claims": [{"says": "x", "where": "y", "checks": [{**check, "above": 0}]}]})
    assert decide(claims, {None: mine, "b": other})[0].verdict == "confirmed"
    assert decide(claims, {None: mine})[0].verdict == "not run"


def test_a_person_decides_about_pictures() -> None:
    looked = {"says": "x", "where": "y", "seen": "nine digits, from 4 to 9", "verdict": "confirmed"}
    claims = read_claims({"claims": [looked, {"says": "x", "where": "y", "seen": None, "verdict": None}]})
    assert [one.verdict for one in decide(claims, {})] == ["confirmed", "not run"]


def test_base_is_the_setting_that_the_others_change(made_up_sweep: Sweep, tmp_path: Path) -> None:
    presentation = {"settings": [{}, {"optimizer": "adam"}]}

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        """The base does not set what the settings set."""
        return {"overrides": [f"{key}={value}" for key, value in values.items() if value != "sgd"]}

    folder = made_up_sweep(tmp_path / "s", GRID, curve, seeds=(0,), change=change, presentation=presentation)
    found = outcome(aggregate([folder]), of="base", above=0)
    assert found.quantity.values == pytest.approx((0.60,)), "the first job's: sgd, 0.1"
