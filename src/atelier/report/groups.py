"""From aggregated settings to what the figures draw."""

from atelier.figures.group import Curve, Group
from atelier.figures.words import describe_values
from atelier.runs.rows import read_epochs
from atelier.sweeps.aggregate import Results, Setting
from atelier.sweeps.records import Record


def groups(results: Results) -> list[Group]:
    """A group for each setting, the best first, with a label of its own."""
    labels = [label(setting, results) for setting in results.settings]
    return [
        group(f"{name} ({setting.config_hash[:6]})" if labels.count(name) > 1 else name, setting, results.metric)
        for name, setting in zip(labels, results.settings, strict=True)
    ]


def label(setting: Setting, results: Results) -> str:
    """The setting's values in words; where nothing was swept, the experiment."""
    told = describe_values(setting.values) or str(setting.records[0].get("experiment") or "all runs")
    return told if setting.completed else f"{told} (unfinished)"


def group(name: str, setting: Setting, metric: str | None) -> Group:
    """Scores are those of completed runs; a setting that has none shows the curves of the others."""
    curves = {id(record): read_epochs(record.folder / "metrics.csv") for record in setting.records if record.folder}
    scores: dict[str, list[float | None]] = {}
    for record in setting.completed:
        for score, value in scores_of(record, curves[id(record)]).items():
            scores.setdefault(score, []).append(value)
    shown = setting.completed or [record for record in setting.records if record.folder]
    return Group(name, setting.values, scores, [curves[id(record)] for record in shown if curves[id(record)]])


def scores_of(record: Record, curve: Curve) -> dict[str, float | None]:
    """What figures can draw of a run: its objective's best, test metrics, and the others as they were at its best."""
    best = record.get("objective", "best_epoch")
    scores: dict[str, float | None] = {}
    for name, epochs in curve.items():
        at = [epoch for epoch in epochs if best is None or epoch <= best]
        if at and not name.startswith("test/"):
            scores[name] = epochs[max(at)]
    scores |= {f"test/{name}": value for name, value in (record.get("test") or {}).items()}
    if metric := record.get("objective", "metric"):
        scores[metric] = record.get("objective", "best")
    return {**scores, "seconds": record.get("seconds", "fit"), "parameters": record.get("parameters")}
