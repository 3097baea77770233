"""Which places of a curve the record keeps."""

import itertools

import pytest

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
    kept = thinned({**curves, "train/clean_accuracy": {0: 1.0}}, wanted, "epoch")
    assert sorted(kept) == ["train/accuracy", "train/clean_accuracy", "train/loss", "val/accuracy", "val/loss"]
    assert kept["val/loss"] == {0: 0.12346}
    assert wanted.tested("accuracy")
    assert not wanted.tested("accuracy/boot")
