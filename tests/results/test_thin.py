"""Which places of a curve the record keeps."""

import itertools
from collections.abc import Iterable

import pytest

from atelier.claims.claim import Side
from atelier.claims.verdict import at_place
from atelier.results.thin import MOST, Wanted, chosen, common, thinned, wanted_of

Curves = dict[str, dict[int, float]]


def alone(curves: Curves, wanted: Wanted, best: int | None) -> Curves:
    """What the record keeps of the only run of a setting."""
    return thinned(curves, wanted, "epoch", best, common([curves], wanted, "epoch"))


@pytest.mark.parametrize("count", [1, 5, 59, 60, 61, 1000])
def test_few_places_stay_and_of_many_the_first_the_last_and_those_asked_for(count: int) -> None:
    wanted = Wanted(frozenset({"loss"}), 5, {"epoch": frozenset({34, 700}), "step": frozenset()})
    places = chosen(range(count), wanted, "epoch")
    assert len(places) == min(count, MOST)
    assert places == sorted(set(places))
    assert places[-1] == count - 1
    assert set(range(min(count, 5))) <= set(places)
    assert count <= 60 or 33 in places
    assert count <= 700 or 699 in places
    gaps = [after - before for before, after in itertools.pairwise(places)]
    assert max(gaps, default=1) <= 2 * -(-count // MOST), "evenly"


@pytest.mark.parametrize("runs", [0, 3, 600, 1440])
def test_a_large_grid_keeps_fewer_places_of_each_run(runs: int) -> None:
    wanted = wanted_of({}, [], "val/loss", runs)
    places = chosen(range(1000), wanted, "epoch")
    assert len(places) == (MOST if runs <= 600 else 27)
    assert (places[0], places[-1]) == (0, 999)


def test_what_figures_and_claims_need_is_kept() -> None:
    node = {
        "figures": [{"kind": "curves", "metric": "test/error"}, {"kind": "bars"}, {"kind": "bars", "metric": "seconds"}]
    }
    wanted = wanted_of(node, [], "val/loss", 30)
    curves = {
        f"{split}/{name}": {0: 0.123456789} for split in ("train", "val") for name in ("loss", "accuracy", "norm")
    }
    kept = alone({**curves, "train/clean_accuracy": {0: 1.0}}, wanted, None)
    assert sorted(kept) == ["train/accuracy", "train/clean_accuracy", "train/loss", "val/accuracy", "val/loss"]
    assert kept["val/loss"] == {0: 0.12346}
    assert wanted.tested("accuracy")
    assert not wanted.tested("accuracy/boot")
    assert wanted_of(node, [Side("test/accuracy/boot", None, {})], "val/loss", 30).tested("accuracy/boot")


@pytest.mark.parametrize("metric", ["test/accuracy", "test/error"])
@pytest.mark.parametrize("best", [0, 42, 999, None])  # 42 is none of those that are spread evenly
def test_a_test_curve_keeps_the_best_place_if_a_claim_asks_for_it(metric: str, best: int | None) -> None:
    curve = {place: place / 1000 for place in range(1000)}
    for at in ("best", "last"):
        wanted = wanted_of({}, [Side(metric, at, {})], "val/loss", 3)
        kept = alone({"test/accuracy": curve, "val/accuracy": curve}, wanted, best)
        assert len(kept["val/accuracy"]) == MOST, "equal places, over which figures average"
        assert kept["val/accuracy"].keys() == set(chosen(range(1000), wanted, "epoch"))
        if at == "best":
            assert at_place(kept["test/accuracy"], "best", best, "epoch") == at_place(curve, "best", best, "epoch")
        else:
            assert kept["test/accuracy"].keys() == kept["val/accuracy"].keys()


def test_the_best_place_of_a_test_curve_of_few_places_is_the_last_before_it() -> None:
    wanted = wanted_of({}, [Side("test/accuracy", "best", {})], "val/loss", 3)
    curve = {place: 0.001 * place for place in range(0, 5000, 7)}
    kept = alone({"test/accuracy": curve}, wanted, 1234)["test/accuracy"]
    assert at_place(kept, "best", 1234, "epoch") == pytest.approx(curve[1232])


@pytest.mark.parametrize(
    "places",
    [
        [range(200), range(137), range(171)],  # two ended early
        [range(9, 5000, 10), [4, *range(9, 5000, 10)], range(9, 5000, 10)],  # one logged a place more
        [range(9, 5000, 10), range(19, 5000, 10), range(9, 4000, 10)],
    ],
    ids=["lengths", "one more", "one fewer"],
)
def test_the_runs_of_a_setting_keep_the_same_places(places: list[Iterable[int]]) -> None:
    """A mean over other runs from place to place would jump between them."""
    wanted = wanted_of({}, [], "val/loss", 3)
    runs = [{"val/loss": {place: number + place / 1000 for place in of}} for number, of in enumerate(places)]
    for _ in range(2):  # of the record, it keeps all
        shared = common(runs, wanted, "epoch")
        kept = [thinned(run, wanted, "epoch", None, shared)["val/loss"] for run in runs]
        assert all(len(curve) <= MOST + 1 for curve in kept)
        assert min(map(len, kept)) > MOST / 2
        shortest = min(max(curve) for curve in kept)
        inner = [{place for place in curve if 100 < place < shortest} for curve in kept]
        assert inner[0] == inner[1] == inner[2]
        assert all(set(curve) & {max(run["val/loss"])} for curve, run in zip(kept, runs, strict=True))
        runs = [{"val/loss": curve} for curve in kept]
