"""Which key matters: a bar for each swept key, with its share of the variance in a grid, or its importance in a search.

A grid of N settings with n runs each is a balanced design, whose sum of squares falls into parts (functional ANOVA).
Of a run's score y, with the mean m of all runs, m_s of a setting's, and m_v of all runs with a value v of a key:

    key       Σ (m_v − m)²      over all runs: the main effect, what the key explains alone
    repeats   Σ (y − m_s)²      what differs within a setting: seeds, folds or draws
    together  Σ (y − m)² less all the others: what keys explain only in combination
    share     part / Σ (y − m)²

If the settings have one run each, or unequal numbers of runs, m_s stands for y, and there are no repeats: what chance
does is in `together`. If nothing mattered, chance alone would give a part its degrees of freedom out of all on average:
for a key with L values (L − 1) / (N n − 1).

A search does not try all settings, so its importances are Optuna's PED-ANOVA (Watanabe et al., IJCAI 2023,
https://arxiv.org/abs/2304.10255): how much the values of a key in the best trials differ from those in all trials.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from atelier.errors import InputError
from atelier.figures.group import Group, as_listed, check_metric
from atelier.figures.kinds import search
from atelier.figures.look import present
from atelier.figures.palette import color
from atelier.figures.panels import fitted, legend_below, rows, tell
from atelier.figures.words import describe_values, in_order, key_titles, metric_words, number

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST = 10  # completed trials of a search; of fewer, the best are too few to have something in common
BEST = 5  # trials, at least; Optuna advises as many
CHOICES = 10  # a number with at most so many different values, which recur, is a choice, and not drawn from a range
ANOVA = "share of the variance of the"
PED = "importance for the"
CHANCE = "chance alone, on average"


@dataclass(frozen=True)
class Bar:
    """The bar of a key, or of a rest that belongs to no single key.

    Args:
        share: from 0 to 1.
        chance: the share that chance alone gives on average; None if it is unknown.
        means: {value of the key: mean of its runs}.
    """

    label: str
    share: float
    chance: float | None = None
    means: Mapping[str, float] | None = None
    rest: bool = False


@dataclass(frozen=True)
class Importance:
    """The data of the figure, from top to bottom: the keys, the most important first, then the rest.

    Args:
        scale: ANOVA or PED, the label of the x-axis, before the metric.
        how: how the shares were computed, for the caption.
    """

    metric: str
    bars: list[Bar]
    scale: str
    how: str


def gather(
    groups: Sequence[Group], /, metric: str, of_search: bool = False, logarithmic: Sequence[str] = ()
) -> Importance:
    """
    Args:
        groups: the settings.
        of_search: whether the settings are trials of a search, and not a grid.
        logarithmic: swept keys that the search drew on a logarithmic scale.

    Raises:
        InputError: if no run has `metric`, fewer than two keys vary, or all scores are equal; for a grid, if no full
            grid of settings has values; for a search, if fewer than LEAST trials completed, or Optuna is missing.
    """
    return among_trials(groups, metric, logarithmic) if of_search else among_settings(groups, metric)


def crossed(values: Iterable[Mapping[str, str | None]]) -> list[str]:
    """The keys that vary, if the settings with these values are all combinations of their values; else [].

    >>> crossed([{"a": "1", "b": "1"}, {"a": "1", "b": "2"}, {"a": "2", "b": "1"}, {"a": "2", "b": "2"}])
    ['a', 'b']
    >>> crossed([{"a": "1", "b": "1"}, {"a": "2", "b": "2"}])
    []
    """
    settings = list(values)
    found = levels(settings)
    cells = {tuple(one.get(key) for key in found) for one in settings}
    full = len(cells) == len(settings) == math.prod(map(len, found.values()))
    return list(found) if full else []


def levels(settings: Sequence[Mapping[str, str | None]]) -> dict[str, list[str | None]]:
    """{key that varies: its values}."""
    keys = dict.fromkeys(key for one in settings for key in one)
    found = {key: list(dict.fromkeys(one.get(key) for one in settings)) for key in keys}
    return {key: values for key, values in found.items() if len(values) > 1}


# ---------------------------------------------------------------------- a grid


def among_settings(groups: Sequence[Group], metric: str) -> Importance:
    check_metric(groups, metric)
    kept, left_out = whole(as_listed(groups), metric)
    keys = crossed(group.values for group in kept)
    if len(keys) < 2:
        told = f"; without {', '.join(left_out)}, of which settings have no value, there is none" * bool(left_out)
        raise InputError(f"importances need a full grid of at least two swept keys{told}")
    counts = {group.score(metric).n for group in kept}
    n = counts.pop() if len(counts) == 1 else 1
    scores = np.array([group.score(metric).values if n > 1 else [group.score(metric).mean] for group in kept])
    if np.ptp(scores) <= 1e-12 * np.abs(scores).max():
        raise InputError(f"metric={metric}: all values are equal, so that no key matters")
    bars = analysis_of_variance([group.values for group in kept], scores)
    return Importance(metric, bars, ANOVA, how_of_grid(kept, metric, n, left_out))


def analysis_of_variance(settings: Sequence[Mapping[str, str | None]], scores: np.ndarray) -> list[Bar]:
    """The bars of a full grid of settings with scores (N, n)."""
    mean, n = scores.mean(), scores.shape[1]
    total, freedom = ((scores - mean) ** 2).sum(), scores.size - 1
    found = levels(settings)
    bars, words = [], key_titles(found)
    for key, values in found.items():
        means = {value: scores[[one.get(key) == value for one in settings]].mean() for value in values}
        part = n * sum((means[one.get(key)] - mean) ** 2 for one in settings)
        named = {value or "not set": float(one) for value, one in means.items()}
        ordered = {value: named[value] for value in in_order(named)}
        bars.append(Bar(words[key], float(part / total), (len(values) - 1) / freedom, ordered))
    within = float(((scores - scores.mean(axis=1, keepdims=True)) ** 2).sum() / total)
    together = max(0.0, 1 - within - sum(bar.share for bar in bars))  # rounding may give −1e-17
    apart = len(settings) - 1 - sum(len(values) - 1 for values in found.values())  # degrees of freedom
    rest = [Bar("together", together, apart / freedom, rest=True)]
    rest += [Bar("repeats", within, rest=True)] * (n > 1)
    return [*ranked(bars), *rest]


def whole(groups: Sequence[Group], metric: str) -> tuple[list[Group], list[str]]:
    """The settings of a full grid that all have values, and the values of keys that were left out for it.

    As long as a combination has no value, the value of a key goes of which the largest share of settings has none.
    """
    kept, left_out = list(groups), list[str]()
    while lacking := [group for group in kept if not group.score(metric).n]:
        known = [(key, value) for key, values in levels([one.values for one in kept]).items() for value in values]
        if not known:
            return [], left_out
        key, value = max(known, key=lambda one: share_of(lacking, *one) / share_of(kept, *one))
        kept = [group for group in kept if group.values.get(key) != value]
        left_out.append(describe_values({key: value}))
    return kept, left_out


def share_of(groups: Sequence[Group], key: str, value: str | None) -> int:
    return sum(group.values.get(key) == value for group in groups)


def how_of_grid(kept: Sequence[Group], metric: str, n: int, left_out: Sequence[str]) -> str:
    counts = sorted({group.score(metric).n for group in kept})
    each = f"{n} runs each" if n > 1 else "one run each" if counts == [1] else f"{counts[0]} to {counts[-1]} runs each"
    told = f"by analysis of variance of {len(kept)} settings with {each}"
    told += ", whose means count, since their numbers of runs differ" * (len(counts) > 1)
    told += ": what each key explains alone, what keys explain only together"
    told += ", and what differs between the repeats of a setting" if n > 1 else " or by chance"
    told += f". A tick is what {CHANCE.replace(',', ' would give,')}."
    return told + f" Left out, since settings with it have no value: {', '.join(left_out)}." * bool(left_out)


# ---------------------------------------------------------------------- a search


def among_trials(groups: Sequence[Group], metric: str, logarithmic: Sequence[str]) -> Importance:
    trials = search.gather(groups, metric, logarithmic).trials
    done = [one for one in trials if one.status == "completed" and one.value is not None]
    panels = search.panels_of(done, logarithmic)
    if len(panels) < 2 or len(done) < LEAST:
        raise InputError(
            f"importances need two keys that vary and {LEAST} completed trials; there are {len(panels)} and {len(done)}"
        )
    best = max(BEST, math.ceil(len(done) / 10))
    sign = -1 if groups[0].objective[1] == "max" else 1
    losses = sorted(sign * (one.value or 0.0) for one in done)
    best = sum(loss <= losses[best - 1] for loss in losses)  # more, if several have the last one's value
    if best == len(done):
        raise InputError(f"metric={metric}: the best trials are no better than the others, so that no key matters")
    shares = ped_anova(done, panels, sign, best)
    words = key_titles(shares)
    bars = [Bar(words[key], share) for key, share in shares.items()]
    ended = len(trials) - len(done)
    how = f"by PED-ANOVA of {len(done)} completed trials: how far a key's values in the best {best} differ from all"
    how += f". Left out: {ended} trials that were pruned or failed" * bool(ended)
    return Importance(metric, ranked(bars), PED, f"{how}.")


def ped_anova(
    done: Sequence[search.Trial], panels: Sequence[search.Panel], sign: int, best: int
) -> Mapping[str, float]:
    """{key: its importance, all together 1}; `sign` is −1 if a large value is good, else 1."""
    try:
        import optuna
    except ImportError as error:
        raise InputError("importances of a search need Optuna: pip install 'atelier[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for one in done:
        texts = {panel.key: text for panel in panels if (text := one.values.get(panel.key)) is not None}
        known = {panel.key: distribution(panel, done) for panel in panels if panel.key in texts}
        params = {key: float(texts[key]) if hasattr(known[key], "low") else texts[key] for key in texts}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=known, value=sign * (one.value or 0.0)))
    quantile = (best - 0.5) / len(done)  # exactly `best` trials, whatever is rounded
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def distribution(panel: search.Panel, trials: Sequence[search.Trial]) -> "BaseDistribution":
    """The choices, or the range, of which the values of a key in these trials may have been drawn.

    As a choice, a number that is another one in each trial would be as important as any other such number.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    known = [text for one in trials if (text := one.values.get(panel.key)) is not None]
    texts = in_order(known)
    recur = 3 * len(texts) <= 2 * len(known)
    if panel.scale == "choices" or (recur and len(texts) <= CHOICES):
        return CategoricalDistribution(texts)
    return FloatDistribution(float(texts[0]), float(texts[-1]), log=panel.scale == "log")


def ranked(bars: Sequence[Bar]) -> list[Bar]:
    return sorted(bars, key=lambda bar: -bar.share)


# ---------------------------------------------------------------------- drawing


def draw(importance: Importance) -> Figure:
    bars = importance.bars
    ticks = [CHANCE] * any(bar.chance is not None for bar in bars)
    figure, axes = rows([bar.label for bar in bars], legend=ticks)
    for row, bar in enumerate(bars):
        axes.barh(row, 100 * bar.share, height=0.64, color="#bbbbbb" if bar.rest else color(4))
        if bar.chance is not None:
            tick: dict[str, Any] = {
                "color": "black",
                "linewidth": 1.4 * present().scale,
                "label": None if row else CHANCE,
            }
            axes.plot([100 * bar.chance] * 2, [row - 0.32, row + 0.32], **tick)
        tell(axes, row, percent(bar.share))
    axes.set_xlim(left=0)
    axes.set_xlabel(fitted(f"{importance.scale} {metric_words(importance.metric)} (%)", figure.get_figwidth()))
    legend_below(figure, [axes])
    return figure


def percent(share: float) -> str:
    """
    >>> percent(0.5231), percent(0.004), percent(0.00007), percent(0)
    ('52 %', '0.4 %', '<0.1 %', '0 %')
    """
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{100 * share:.2g} %" if share < 0.095 else f"{100 * share:.0f} %"


# ---------------------------------------------------------------------- texts


def caption(importance: Importance) -> str:
    """The text below the figure."""
    words = metric_words(importance.metric)
    return f"Which key matters for the {words}, {importance.how}"


def describe(importance: Importance) -> str:
    """The shares of all bars as text, for readers who cannot see the figure."""
    told = []
    for bar in importance.bars:
        means = "; ".join(f"{value} {number(mean)}" for value, mean in (bar.means or {}).items())
        told.append(f"{bar.label} {percent(bar.share)}" + f" (means: {means})" * bool(means))
    return f"Bars of the keys: {importance.scale} {metric_words(importance.metric)}: {', '.join(told)}."
