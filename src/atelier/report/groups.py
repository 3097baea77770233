"""Converts aggregated settings into the groups that the figures draw."""

from collections.abc import Sequence

from atelier.figures.group import Group, Run
from atelier.figures.words import describe_values, key_words
from atelier.runs.rows import GAPS
from atelier.runs.setting import REPEATS
from atelier.sweeps.aggregate import Results, Setting
from atelier.sweeps.records import Record


def groups(results: Results) -> list[Group]:
    """A group for each setting, in the order of `Results`, with a unique label."""
    base = results.base
    labels = [label(setting, base) for setting in results.settings]
    unit = unit_of(results.records)
    objective = results.metric or "", results.mode
    return [
        group(f"{name} ({setting.config_hash[:6]})" if labels.count(name) > 1 else name, setting, unit, base, objective)
        for name, setting in zip(labels, results.settings, strict=True)
    ]


def changes(setting: Setting, base: Setting) -> dict[str, str | None]:
    """The values in which a setting differs from the base: {key: value}."""
    return {key: value for key, value in setting.values.items() if value != base.values[key]}


def unit_of(records: Sequence[Record]) -> str:
    """The x-axis of curves: "step" if all runs count steps, else "epoch"."""
    counts = {record.get("counts") for record in records if record.status != "waiting"}
    return "step" if counts == {"steps"} else "epoch"


def label(setting: Setting, base: Setting | None) -> str:
    """The setting's values in words; with a base, only the changed values; if nothing varies, the experiment."""
    if base is None:
        told = describe_values(setting.values) or str(setting.records[0].get("experiment") or "all runs")
    else:
        told = describe_values(changes(setting, base)) or "base"
    if setting.completed:
        return told
    return f"{told} ({'pruned' if setting.counts.get('pruned') else 'unfinished'})"


def best_place(record: Record, unit: str) -> int | None:
    """The epoch or step of a run's best value, counted from 0 as in metrics.csv; None if there is none."""
    best = record.get("objective", f"best_{unit}")
    return best - 1 if unit == "step" and best is not None else best


def group(name: str, setting: Setting, unit: str, base: Setting | None, objective: tuple[str, str]) -> Group:
    """The group of a setting: scores and curves of its completed runs; without any, the curves of all its runs."""
    each = [(record, scores_of(record, unit)) for record in setting.records]
    done = [(record, own) for record, own in each if record.status == "completed"]
    known = dict.fromkeys(score for _, own in done for score in own)
    scores = {score: [own.get(score) for _, own in done] for score in known}
    runs = [Run(record.job.get("number", index), record.status, own) for index, (record, own) in enumerate(each)]
    shown = setting.completed or setting.records
    drawn = [curves for record in shown if (curves := record.curves(unit))]
    homes = [record.folder for record in shown if record.folder]
    runs.sort(key=lambda run: run.number)
    changed = None if base is None else list(changes(setting, base))
    names = [repeat_words(record) for record, _ in done]
    return Group(name, setting.values, scores, drawn, runs, unit, homes, changed, objective, names)


def repeat_words(record: Record) -> str:
    return ", ".join(f"{key_words(key)} {value}" for key, value in zip(REPEATS, record.repeat, strict=True) if value)


def scores_of(record: Record, unit: str) -> dict[str, float | None]:
    """The scores of a run: the objective's best value, the other metrics at that epoch or step, and test metrics."""
    best = best_place(record, unit)
    scores: dict[str, float | None] = {}
    for name, values in record.curves(unit).items():
        at = [place for place in values if best is None or place <= best]
        if at and not name.startswith("test/"):
            scores[name] = values[max(at)]
    scores |= record.get("at_best") or {}  # only in records whose curves were thinned
    scores |= {f"test/{name}": value for name, value in (record.get("test") or {}).items()}
    if metric := record.get("objective", "metric"):
        scores[metric] = record.get("objective", "best")
    facts = {"seconds": record.get("seconds", "fit"), "parameters": record.get("parameters")}
    return {**scores, **{gap: record.get("objective", gap) for gap in GAPS}, **facts}
