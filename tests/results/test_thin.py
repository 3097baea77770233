"""Which places of a curve the record keeps."""

import itertools

import pytest

from atelier.claims.claim import Side
from atelier.claims.verdict import at_place
from atelier.results.thin import MOST, Wanted, chosen, thinned, wanted_of


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
    kept = thinned({**curves, "train/clean_accuracy": {0: 1.0}}, wanted, "epoch", None)
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
        kept = thinned({"test/accuracy": curve, "val/accuracy": curve}, wanted, "epoch", best)
        assert len(kept["val/accuracy"]) == MOST, "equal places, over which figures average"
        assert kept["val/accuracy"].keys() == set(chosen(range(1000), wanted, "epoch"))
        if at == "best":
            assert at_place(kept["test/accuracy"], "best", best, "epoch") == at_place(curve, "best", best, "epoch")
        else:
            assert kept["test/accuracy"].keys() == kept["val/accuracy"].keys()


def test_the_best_place_of_a_test_curve_of_few_places_is_the_last_before_it() -> None:
    wanted = wanted_of({}, [Side("test/accuracy", "best", {})], "val/loss", 3)
    curve = {place: 0.001 * place for place in range(0, 5000, 7)}
    kept = thinned({"test/accuracy": curve}, wanted, "epoch", 1234)["test/accuracy"]
    assert at_place(kept, "best", 1234, "epoch") == pytest.approx(curve[1232])
