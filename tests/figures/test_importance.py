"""Importances: the shares of the variance against regressions, PED-ANOVA on made-up searches, and what is refused."""

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from atelier.errors import InputError
from atelier.figures.group import Group, Run
from atelier.figures.kinds.importance import CHANCE, caption, describe, draw, gather

Make = Callable[..., Group]
KEYS = ("optimizer", "optimizer.lr", "network.hidden")
LEVELS = (("sgd", "adam", "adagrad"), ("0.01", "0.1"), ("8", "16"))


def grid(make: Make, runs: int, effect: Callable[..., float] = lambda *values: 0.0, noise: float = 1.0) -> list[Group]:
    """A grid of three keys; a score is the effect of its values, and normal noise."""
    draws = np.random.default_rng(runs)
    return [
        make(dict(zip(KEYS, values, strict=True)), list(effect(*values) + noise * draws.normal(size=runs)))
        for values in itertools.product(*LEVELS)
    ]


def explained(groups: Sequence[Group], columns: Callable[[Group], Any]) -> float:
    """R² of a least-squares regression of all runs on an indicator for each value of `columns`."""
    rows = [(columns(group), score) for group in groups for score in group.score("val/loss").values]
    names = sorted({name for name, _ in rows})
    x = np.array([[float(name == one) for one in names] for name, _ in rows])
    y = np.array([score for _, score in rows])
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(1 - rest.var() / y.var())


@pytest.mark.parametrize("runs", [1, 3])
def test_the_shares_are_those_of_regressions(group: Make, runs: int) -> None:
    groups = grid(
        group, runs, lambda optimizer, lr, hidden: 2.0 * (optimizer == "adam") + (lr == "0.1") * float(hidden)
    )
    bars = {bar.label: bar for bar in gather(groups, "val/loss").bars}
    for label, key in (("optimizer", KEYS[0]), ("learning rate", KEYS[1]), ("hidden units", KEYS[2])):
        assert bars[label].share == pytest.approx(explained(groups, lambda one, key=key: one.values[key]))
    whole = explained(groups, lambda one: tuple(one.values.values()))
    assert (1 - bars["repeats"].share if runs > 1 else 1.0) == pytest.approx(whole)
    assert sum(bar.share for bar in bars.values()) == pytest.approx(1)
    assert set(bars) == {"optimizer", "learning rate", "hidden units", "together", *(["repeats"] if runs > 1 else [])}


def test_what_chance_alone_gives_is_what_noise_gives_on_average(group: Make) -> None:
    draws = np.random.default_rng(0)
    found: dict[str, list[float]] = {}
    for _ in range(400):
        groups = [group({"a.a": a, "b.b": b}, list(draws.normal(size=2))) for a in "123" for b in "12"]
        bars = gather(groups, "val/loss").bars
        for bar in bars:
            found.setdefault(bar.label, []).append(bar.share)
    for bar in bars:
        if bar.chance is not None:
            assert np.mean(found[bar.label]) == pytest.approx(bar.chance, abs=0.025), bar.label
    assert [bar.label for bar in bars if bar.chance is None] == ["repeats"]


def test_the_keys_come_first_and_the_most_important_is_on_top(group: Make) -> None:
    importance = gather(
        grid(group, 2, lambda optimizer, lr, hidden: 9.0 * (lr == "0.1") + 3.0 * (hidden == "16"), noise=0.1),
        "val/loss",
    )
    figure = draw(importance)
    (axes,) = figure.axes
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["learning rate", "hidden units", "optimizer", "together", "repeats"]
    assert [patch.get_width() for patch in axes.patches] == [100 * bar.share for bar in importance.bars]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    ticks = [line.get_xdata()[0] for line in axes.lines]
    assert ticks == pytest.approx([100 / 23, 100 / 23, 200 / 23, 700 / 23]), "of 23 degrees of freedom"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [CHANCE]
    assert [text.get_text() for text in axes.texts][:2] == ["90 %", "10 %"]
    assert axes.get_xlabel() == "share of the variance of the validation loss (%)"
    assert "of 12 settings with 2 runs each" in caption(importance)
    assert "by chance" not in caption(importance), "the repeats have a bar"


def test_the_words_have_every_share_and_the_means(group: Make) -> None:
    groups = [group({"a.a": a, "b.b": b}, [float(a) + int(b == "2") / 2]) for b in "12" for a in ("10", "2")]
    assert describe(gather(groups, "val/loss")) == (
        "Bars of the keys: share of the variance of the validation loss: "
        "a 100 % (means: 2 2.25; 10 10.25), b 0.39 % (means: 1 6; 2 6.5), together 0 %."
    )


def test_keys_that_read_alike_have_their_whole_names(group: Make) -> None:
    groups = [group({"optimizer.lr": a, "task.lr": b}, [float(a) + float(b)]) for a in "12" for b in "13"]
    assert [bar.label for bar in gather(groups, "val/loss").bars] == ["task.lr", "optimizer.lr", "together"]


def test_settings_with_unequal_numbers_of_runs_count_by_their_means(group: Make) -> None:
    groups = grid(group, 3)
    short = [replace(groups[0], scores={"val/loss": groups[0].scores["val/loss"][:2]}), *groups[1:]]
    means = [replace(one, scores={"val/loss": [one.score("val/loss").mean]}) for one in short]
    importance = gather(short, "val/loss")
    assert importance.bars == gather(means, "val/loss").bars
    assert "of 12 settings with 2 to 3 runs each, whose means count" in caption(importance)


def test_a_value_whose_settings_have_no_score_is_left_out_and_told(group: Make) -> None:
    """The rate that one optimizer could not take goes: half of its settings are lost, of the optimizer's a third."""
    lost = {"optimizer": "sgd", "optimizer.lr": "10"}
    keys = [{"optimizer": o, "optimizer.lr": lr} for o in ("sgd", "adam") for lr in ("0.01", "0.1", "10")]
    groups = [group(values, [None] if values == lost else [len(str(values)) + n]) for n, values in enumerate(keys)]
    importance = gather(groups, "val/loss")
    kept = [one for one in groups if one.values["optimizer.lr"] != "10"]
    assert importance.bars == gather(kept, "val/loss").bars
    assert caption(importance).endswith("Left out, since settings with it have no value: learning rate 10.")
    assert "Left out" not in caption(gather(kept, "val/loss"))
    assert "what keys explain only together or by chance." in caption(gather(kept, "val/loss"))
    with pytest.raises(InputError, match=r"keys; without sgd, of which settings have no value, there is none$"):
        gather([one for one in groups if one.values["optimizer.lr"] != "0.1"], "val/loss")


def test_what_is_no_grid_is_refused(group: Make) -> None:
    pairs = [group({"a.a": n, "b.b": n}, [float(n)]) for n in "123"]
    for groups in (pairs, [group({"a.a": n}, [float(n)]) for n in "123"], pairs + pairs):
        with pytest.raises(InputError, match=r"^importances need a full grid of at least two swept keys$"):
            gather(groups, "val/loss")
    with pytest.raises(InputError, match=r"^metric=val/loss: all values are equal, so that no key matters$"):
        gather(grid(group, 2, noise=0.0), "val/loss")
    with pytest.raises(InputError, match=r"^metric=loss: no run has it"):
        gather(grid(group, 2), "loss")


# ---------------------------------------------------------------------- a search


def trials(count: int = 40, mode: str = "min", **statuses: str) -> list[Group]:
    """A search whose score depends on the learning rate alone, best at 0.01, also on its logarithmic scale."""
    draws = np.random.default_rng(1)
    groups = []
    for number in range(count):
        rate = 10 ** draws.uniform(-4, 0)
        values = {
            "optimizer.lr": f"{rate:.6g}",
            "optimizer": str(draws.choice(["sgd", "adam"])),
            "data.batch_size": str(draws.integers(1, 9) * 16),
        }
        score = abs(np.log10(rate) + 2) * (1 if mode == "min" else -1)
        status = statuses.get(f"n{number}", "completed")
        known = {"val/loss": [score]} if status == "completed" else {}
        run = Run(number, status, {"val/loss": score})
        groups.append(Group(f"trial {number}", values, known, [], [run], objective=("val/loss", mode)))
    return groups


@pytest.fixture
def searched() -> Any:
    pytest.importorskip("optuna")
    return gather(trials(), "val/loss", of_search=True, logarithmic=["optimizer.lr"])


def test_the_key_that_matters_in_a_search_is_found(searched: Any) -> None:
    assert searched.bars[0].label == "learning rate"
    assert searched.bars[0].share > 0.8
    assert sorted(bar.share for bar in searched.bars) == [bar.share for bar in searched.bars][::-1]
    assert sum(bar.share for bar in searched.bars) == pytest.approx(1)
    assert caption(searched) == (
        "Which key matters for the validation loss, by PED-ANOVA of 40 completed trials: "
        "how far a key's values in the best 5 differ from all."
    )
    assert draw(searched).axes[0].get_xlabel() == "importance for the validation loss (%)"


@pytest.mark.parametrize("count", [10, 11])
@pytest.mark.parametrize("other", [lambda n: f"{n / 100}", lambda n: f"{max(n, 2)}"], ids=["floats", "integers"])
def test_the_key_that_matters_is_found_among_few_trials(count: int, other: Callable[[int], str]) -> None:
    """Numbers that hardly recur counted as choices: two that differ in each of ten trials mattered equally."""
    pytest.importorskip("optuna")
    groups = [
        replace(one, values={"optimizer.lr": one.values["optimizer.lr"], "optimizer.momentum": other(3 * n % count)})
        for n, one in enumerate(trials(count))
    ]
    first, second = gather(groups, "val/loss", of_search=True, logarithmic=["optimizer.lr"]).bars
    assert (first.label, second.label) == ("learning rate", "momentum")
    assert first.share > 5 * second.share


def test_where_much_is_good_the_best_are_the_greatest(searched: Any) -> None:
    found = gather(trials(mode="max"), "val/loss", of_search=True, logarithmic=["optimizer.lr"])
    assert found.bars == searched.bars


def test_only_completed_trials_count_and_the_others_are_told() -> None:
    pytest.importorskip("optuna")
    groups = trials(n3="pruned", n5="failed", n7="running")
    found = gather(groups, "val/loss", of_search=True)
    assert found.bars == gather([one for one in groups if one.scores], "val/loss", of_search=True).bars
    assert "of 37 completed trials" in caption(found)
    assert caption(found).endswith(" Left out: 2 trials that were pruned or failed.")


def test_equals_of_the_last_of_the_best_are_among_them() -> None:
    pytest.importorskip("optuna")
    groups = [
        replace(one, runs=[replace(run, scores={"val/loss": round(run.scores["val/loss"] or 0.0)}) for run in one.runs])
        for one in trials()
    ]
    best = sum(run.scores["val/loss"] == 0 for one in groups for run in one.runs)
    assert best > 5
    assert f"in the best {best} differ" in caption(gather(groups, "val/loss", of_search=True))


def test_a_search_that_tells_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"two keys that vary and 10 completed trials; there are 3 and 9$"):
        gather(trials(9), "val/loss", of_search=True)
    alone = [replace(one, values={"optimizer.lr": one.values["optimizer.lr"]}) for one in trials()]
    with pytest.raises(InputError, match=r"there are 1 and 40$"):
        gather(alone, "val/loss", of_search=True)
    equal = [replace(one, runs=[replace(run, scores={"val/loss": 1.0}) for run in one.runs]) for one in trials()]
    with pytest.raises(InputError, match=r"^metric=val/loss: the best trials are no better than the others"):
        gather(equal, "val/loss", of_search=True)


def test_without_optuna_the_figure_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"^importances of a search need Optuna: pip install 'atelier\[optuna\]'$"):
        gather(trials(), "val/loss", of_search=True)
