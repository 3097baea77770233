"""Builds a W&B workspace for a sweep: best values, curves with bands over seeds, figures, and the table of runs."""

import csv
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from atelier.compare.scores import unit_of
from atelier.errors import InputError
from atelier.report.notes import quick
from atelier.runs.folder import last_two, read_yaml
from atelier.sweeps.sweep import Sweep

BY_SETTING = "JobType"  # runs of a setting share their W&B job type


def workspace(folder: Path, entity: str | None = None) -> Any:
    """The `Workspace` object of wandb-workspaces for the sweep in `folder`; `entity`: the W&B user or team.

    Raises:
        InputError: if no run of the sweep was logged to W&B, or wandb-workspaces is not installed.
    """
    found = Sweep.read(folder)
    sweep, unit = found.content, unit_of(found.records())
    x = "Step" if unit == "step" else unit  # as W&B names it
    jobs, metric, mode = len(sweep["jobs"]), sweep["objective"]["metric"], sweep["objective"]["mode"]
    project, group = project_and_group(folder)
    logged = {name for file in folder.glob("*/metrics.csv") for name in columns(file)} - {metric, "epoch", "step"}
    tested = sorted(name for name in logged if name.startswith("test/") and name.count("/") == 1)  # no single classes
    others = [name for name in logged if not name.startswith("test/")]
    others.sort(key=lambda name: (not name.startswith("val/"), name))
    drawn = sorted({file.stem for file in folder.glob("*/figures/*.png")})

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
        return wr.LinePlot(title=name, x=x, y=[name], max_runs_to_show=jobs, **mean)

    def bars(title: str, name: str) -> Any:
        return wr.BarPlot(title=title, metrics=[name], max_bars_to_show=jobs, **mean)

    results = [
        wr.MarkdownPanel(markdown="\n\n".join(paragraphs(sweep))),
        bars(f"best {metric} (mean over seeds)", "best"),
        wr.ScalarChart(title=f"best {metric} of all runs", metric="best", groupby_aggfunc=mode),
        curve(metric),
        *(bars(f"{name} (mean over seeds)", name) for name in tested),
    ]
    sections = {
        "Results": results,
        "Curves": [curve(name) for name in others],
        "Pictures": [wr.MediaBrowser(title=name, media_keys=[f"figures/{name}"], num_columns=2) for name in drawn],
        "Runs": [wr.RunComparer(diff_only="split")],
    }
    return ws.Workspace(
        entity=entity or "",
        project=project,
        name=group,
        sections=[ws.Section(name=name, panels=panels, is_open=True) for name, panels in sections.items() if panels],
        settings=ws.WorkspaceSettings(x_axis=x, max_runs=max(jobs, 1)),
        runset_settings=ws.RunsetSettings(
            filters=expr.And(expr.Metric("Group") == group),
            groupby=[expr.Metric(BY_SETTING)],
            order=[expr.Ordering(expr.Summary("best"), ascending=mode == "min")],
            pinned_columns=["run:displayName", *(f"summary:{name}" for name in ("best", f"best_{unit}", *tested))],
        ),
    )


def project_and_group(folder: Path) -> tuple[str, str]:
    """W&B's project and group of a sweep's runs, as its first run that was logged to W&B states them."""
    configs = (read_yaml(file) for file in sorted(folder.glob("*/config.yaml")))
    job = next((config for config in configs if "wandb" in (config.get("logger") or {})), None)
    if job is None:
        raise InputError(f"sweep={folder}: none of its runs was logged to W&B; run the sweep with logger=wandb")
    # The name of the folder at training time: it may have moved since.
    return job["logger"]["wandb"]["project"], last_two(Path(job["sweep"]["folder"]))


def columns(metrics: Path) -> list[str]:
    with metrics.open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file), [])


def paragraphs(sweep: dict[str, Any]) -> Iterator[str]:
    yield f"**{sweep['study'] or sweep['experiment']}**, {sweep['created']}, {len(sweep['jobs'])} runs"
    study = sweep["presentation"] or {}
    texts = [study.get("question"), *(claim["says"] for claim in study.get("claims") or [])]
    yield from (text.strip() for text in texts if text)
    if changes := quick(sweep):
        yield f"Budget quick: {changes}"


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
    file = folder / "dashboard.json"
    file.write_text(json.dumps(definition, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return f"Not saved on W&B, since {why}. The workspace's definition is in {file}; with a login, run this again."
