"""Converts aggregated settings into the groups that the figures draw."""

from atelier.compare.scores import scores_of, unit_of
from atelier.figures.group import Group, Run
from atelier.figures.words import describe_values, key_words
from atelier.runs.setting import REPEATS
from atelier.sweeps.aggregate import Results, Setting
from atelier.sweeps.records import Record


def groups(results: Results) -> list[Group]:
    """A group for each setting, in the order of `Results`."""
    base, unit, objective = results.base, unit_of(results.records), (results.metric or "", results.mode)
    labels = [label(setting, base) for setting in results.settings]
    labels = [label(s, base, labels.count(one) > 1) for s, one in zip(results.settings, labels, strict=True)]
    return [group(*pair, unit, base, objective) for pair in zip(labels, results.settings, strict=True)]


def changes(setting: Setting, base: Setting) -> dict[str, str | None]:
    """The values in which a setting differs from the base: {key: value}."""
    return {key: value for key, value in setting.values.items() if value != base.values[key]}


def label(setting: Setting, base: Setting | None, named: bool = False) -> str:
    """The setting's values in words; with a base, only the changed values; if nothing varies, the experiment."""
    if base is None:
        told = describe_values(setting.values, named=named) or str(setting.records[0].get("experiment") or "all runs")
    else:
        told = describe_values(changes(setting, base), setting.values, named) or "base"
    if setting.completed:
        return told
    return f"{told} ({'pruned' if setting.counts.get('pruned') else 'unfinished'})"


def group(name: str, setting: Setting, unit: str, base: Setting | None, objective: tuple[str, str]) -> Group:
    """The group of a setting: scores and curves of its completed runs; without any, the curves of all its runs."""
    each = [(record, scores_of(record, unit, objective[0])) for record in setting.records]
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
