"""Builds a W&B workspace for a sweep: best values, curves with bands over seeds, figures, and the table of runs."""

import csv
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from atelier.errors import InputError
from atelier.report.notes import claim_words
from atelier.runs.folder import last_two, read_yaml

BY_SETTING = "JobType"  # runs of a setting share their W&B job type
FILE = "dashboard.json"  # in the sweep's folder


@dataclass(frozen=True)
class Overview:
    """The content of a workspace."""

    project: str  # W&B project and group of the sweep's runs
    group: str
    text: str  # question and claims of the study, as Markdown
    metric: str  # the objective, such as val/loss
    mode: Literal["min", "max"]  # whether a small or a large objective is better
    metrics: list[str]  # the logged metrics, the objective first
    figures: list[str]  # names of the figures that the runs drew
    jobs: int  # number of runs


def describe(folder: Path) -> Overview:
    """The content of the workspace, read from a sweep's folder.

    Raises:
        InputError: if its runs were not logged to W&B.
    """
    sweep = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    configs = (read_yaml(file) for file in sorted(folder.glob("*/config.yaml")))
    job = next((config for config in configs if "wandb" in (config.get("logger") or {})), None)
    if job is None:
        raise InputError(f"sweep={folder}: none of its runs was logged to W&B; run the sweep with logger=wandb")
    metric = sweep["objective"]["metric"]
    logged = {name for file in folder.glob("*/metrics.csv") for name in columns(file)} - {metric, "epoch", "step"}
    return Overview(
        project=job["logger"]["wandb"]["project"],
        group=last_two(Path(job["sweep"]["folder"])),  # the name at training time; the folder may have moved since
        text="\n\n".join(paragraphs(sweep)),
        metric=metric,
        mode=sweep["objective"]["mode"],
        metrics=[metric, *sorted(logged, key=lambda name: (not name.startswith("val/"), name))],
        figures=sorted({file.stem for file in folder.glob("*/figures/*.png")}),
        jobs=len(sweep["jobs"]),
    )


def columns(metrics: Path) -> list[str]:
    with metrics.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def paragraphs(sweep: dict[str, Any]) -> Iterator[str]:
    yield f"**{sweep['study'] or sweep['experiment']}**, {sweep['created']}, {len(sweep['jobs'])} runs"
    study = sweep["presentation"] or {}
    yield from filter(None, (str(study.get("question") or ""), claim_words(study)))
    if sweep["budget"] != "full":
        changes = ", ".join(f"{key}={value}" for key, value in (sweep["quick"] or {}).items())
        yield f"Budget {sweep['budget']}: {changes}"


def workspace(sweep: Overview, entity: str | None = None) -> Any:
    """The `Workspace` object of wandb-workspaces; `entity`: the W&B user or team.

    Raises:
        InputError: if wandb-workspaces is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the package was written for an older pydantic
            import wandb_workspaces.reports.v2 as wr
            import wandb_workspaces.workspaces as ws
            from wandb_workspaces import expr
    except ModuleNotFoundError as error:
        raise InputError("the dashboard needs the package wandb-workspaces: pip install 'atelier[wandb]'") from error

    mean: dict[str, Any] = {"groupby": wr.Metric(BY_SETTING), "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}

    def curve(name: str) -> Any:
        return wr.LinePlot(title=name, x="epoch", y=[name], max_runs_to_show=sweep.jobs, **mean)

    def bars(title: str, name: str) -> Any:
        return wr.BarPlot(title=title, metrics=[name], max_bars_to_show=sweep.jobs, **mean)

    tested = [name for name in sweep.metrics if name.startswith("test/") and name.count("/") == 1]  # no single classes
    others = [name for name in sweep.metrics[1:] if not name.startswith("test/")]
    results = [
        wr.MarkdownPanel(markdown=sweep.text),
        bars(f"best {sweep.metric} (mean over seeds)", "best"),
        wr.ScalarChart(title=f"best {sweep.metric} of all runs", metric="best", groupby_aggfunc=sweep.mode),
        curve(sweep.metric),
        *(bars(f"{name} (mean over seeds)", name) for name in tested),
    ]
    pictures = [wr.MediaBrowser(title=name, media_keys=[f"figures/{name}"], num_columns=2) for name in sweep.figures]
    sections = {
        "Results": results,
        "Curves": [curve(name) for name in others],
        "Pictures": pictures,
        "Runs": [wr.RunComparer(diff_only="split")],
    }
    return ws.Workspace(
        entity=entity or "",
        project=sweep.project,
        name=sweep.group,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items() if panels],
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=max(sweep.jobs, 1)),
        runset_settings=ws.RunsetSettings(
            filters=expr.And(expr.Metric("Group") == sweep.group),
            groupby=[expr.Metric(BY_SETTING)],
            order=[expr.Ordering(expr.Summary("best"), ascending=sweep.mode == "min")],
            pinned_columns=["run:displayName", "summary:best", "summary:best_epoch", *(f"summary:{t}" for t in tested)],
        ),
    )


def publish(workspace: Any, folder: Path) -> str:
    """Save the workspace on W&B, or, if that fails, write its definition into `folder`; return the message to print."""
    import wandb

    try:
        wandb.setup(wandb.Settings(silent=True))
        if wandb.login(prompt=False, verify=False):
            workspace.entity = workspace.entity or wandb.Api().default_entity
            return f"The workspace is on W&B: {workspace.save().url}"
        why = "there is no W&B login"
    except Exception as error:  # W&B and the network raise many kinds
        why = f"W&B failed ({error})"
    definition = workspace._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    file = folder / FILE
    file.write_text(json.dumps(definition, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return f"Not saved on W&B, since {why}. The workspace's definition is in {file}; with a login, run this again."
