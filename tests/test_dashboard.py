"""The W&B workspace of a sweep: what its definition shows, and where it goes without a login."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.errors import InputError
from atelier.report.dashboard import publish, workspace

Panels = dict[str, list[dict[str, Any]]]
HEADER = "epoch,step,train/loss,val/loss,val/error,test/error\n"


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A finished sweep of four jobs, as the launcher leaves it."""
    return make_sweep(tmp_path / "logs" / "sweeps" / "clock_study" / "2026-11-21_12-00-00")


def make_sweep(folder: Path, mode: str = "min", logger: str = "wandb") -> Path:
    folder.mkdir(parents=True)
    content = {
        "study": "clock_study",
        "experiment": "clock_multihead",
        "budget": "quick",
        "presentation": {"question": "Which optimizer?", "claims": [{"says": "Adam."}]},
        "quick": {"trainer.max_epochs": 4},
        "swept": ["optimizer"],
        "created": "2026-11-21T12:00:00",
        "objective": {"metric": "val/error", "mode": mode},
        "jobs": [{"number": number, "overrides": [], "values": {}, "facts": {}} for number in range(4)],
    }
    (folder / "sweep.json").write_text(json.dumps(content))
    for number in range(3):  # the last one never began
        job = folder / str(number)
        (job / "figures").mkdir(parents=True)
        (job / "figures" / "training_pictures.png").touch()
        (job / "metrics.csv").write_text(HEADER if number else HEADER.replace(",test/error", ""))
        config = {"sweep": {"folder": str(folder)}, "logger": {logger: {"project": "my-project"}}}
        (job / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def definition(sweep: Path) -> dict[str, Any]:
    publish(workspace(sweep), sweep)
    return json.loads((sweep / "dashboard.json").read_text())


def panels(definition: dict[str, Any]) -> Panels:
    """{kind of panel: the settings of each}."""
    found: Panels = {}
    for section in definition["spec"]["section"]["panelBankConfig"]["sections"]:
        for panel in section["panels"]:
            found.setdefault(panel["viewType"], []).append(panel["config"])
    return found


# ---------------------------------------------------------------------- what it shows


def test_each_metric_has_curves_by_setting_with_a_band_the_objective_first(definition: dict[str, Any]) -> None:
    curves = panels(definition)["Run History Line Plot"]
    assert [curve["metrics"] for curve in curves] == [["val/error"], ["val/loss"], ["train/loss"]]
    for curve in curves:
        assert (curve["groupBy"], curve["groupAgg"], curve["groupArea"]) == ("jobType", "mean", "stddev")
        assert curve["xAxis"] == "epoch"
        assert curve["limit"] == 4


def test_runs_that_count_steps_have_curves_over_steps(sweep: Path) -> None:
    """Their validations may all be in one epoch."""
    for number in range(3):
        (sweep / str(number) / "run.json").write_text(json.dumps({"status": "completed", "counts": "steps"}))
    publish(workspace(sweep), sweep)
    definition = json.loads((sweep / "dashboard.json").read_text())
    assert definition["spec"]["section"]["settings"]["xAxis"] == "_step"
    assert {curve.get("xAxis", "_step") for curve in panels(definition)["Run History Line Plot"]} == {"_step"}
    (runs,) = definition["spec"]["section"]["runSets"]
    assert runs["runFeed"]["columnOrder"][1:3] == ["summary:best", "summary:best_step"]


def test_the_best_and_the_test_values_are_bars_by_setting(definition: dict[str, Any]) -> None:
    bars = panels(definition)["Bar Chart"]
    assert [bar["metrics"] for bar in bars] == [["best"], ["test/error"]]
    assert {(bar["groupBy"], bar["groupAgg"], bar["groupArea"]) for bar in bars} == {("jobType", "mean", "stddev")}


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_of_all_follows_the_objectives_mode(tmp_path: Path, mode: str) -> None:
    sweep = make_sweep(tmp_path / "study" / "stamp", mode=mode)
    publish(workspace(sweep), sweep)
    definition = json.loads((sweep / "dashboard.json").read_text())
    (scalar,) = panels(definition)["Scalar Chart"]
    assert (scalar["metrics"], scalar["groupAgg"]) == (["best"], mode)
    (runs,) = definition["spec"]["section"]["runSets"]
    assert runs["sort"]["keys"] == [{"key": {"section": "summary", "name": "best"}, "ascending": mode == "min"}]


def test_the_table_has_the_sweeps_runs_by_setting_with_their_results(definition: dict[str, Any]) -> None:
    (runs,) = definition["spec"]["section"]["runSets"]
    (only,) = runs["filters"]["filters"]
    assert (only["key"]["name"], only["op"], only["value"]) == ("group", "=", "clock_study/2026-11-21_12-00-00")
    assert runs["grouping"] == [{"section": "run", "name": "jobType"}]
    assert runs["runFeed"]["columnOrder"][1:] == ["summary:best", "summary:best_epoch", "summary:test/error"]
    assert definition["project"] == "my-project"
    assert definition["displayName"] == "clock_study/2026-11-21_12-00-00"


def test_the_pictures_that_the_runs_drew_are_shown(definition: dict[str, Any]) -> None:
    assert [panel["mediaKeys"] for panel in panels(definition)["Media Browser"]] == [["figures/training_pictures"]]


def test_question_claim_and_a_quick_budget_are_told(definition: dict[str, Any]) -> None:
    (text,) = panels(definition)["Markdown Panel"]
    for part in ("clock_study", "4 runs", "Which optimizer?", "Adam.", "Budget quick: trainer.max_epochs=4"):
        assert part in text["value"]


def test_a_quick_budget_whose_keys_were_all_typed_is_told(sweep: Path) -> None:
    content = json.loads((sweep / "sweep.json").read_text())
    (sweep / "sweep.json").write_text(json.dumps({**content, "quick": None}))
    publish(workspace(sweep), sweep)
    (text,) = panels(json.loads((sweep / "dashboard.json").read_text()))["Markdown Panel"]
    assert "Budget quick: see the runs" in text["value"]


def test_wandb_reads_the_definition(definition: dict[str, Any]) -> None:
    from wandb_workspaces.workspaces import internal

    assert internal.View.model_validate(definition).display_name == definition["displayName"]


# ---------------------------------------------------------------------- where it goes


def test_without_a_login_it_says_where_the_definition_is(sweep: Path) -> None:
    said = publish(workspace(sweep), sweep)
    assert "there is no W&B login" in said
    assert str(sweep / "dashboard.json") in said


def test_with_a_login_it_is_saved_for_whoever_is_logged_in(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    class Api:
        default_entity = "me"

    definition = workspace(sweep)
    monkeypatch.setattr(wandb, "login", lambda **options: True)
    monkeypatch.setattr(wandb, "Api", Api)
    monkeypatch.setattr(type(definition), "save", lambda self: self)
    monkeypatch.setattr(type(definition), "url", property(lambda self: f"there/{self.entity}/{self.project}"))
    assert publish(definition, sweep) == "The workspace is on W&B: there/me/my-project"
    assert publish(workspace(sweep, "team"), sweep).endswith("there/team/my-project")
    assert not (sweep / "dashboard.json").exists()


def test_a_failing_server_leaves_the_definition(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def fail(self: Any) -> None:
        raise wandb.errors.CommError("the server is on fire")

    definition = workspace(sweep, "team")
    monkeypatch.setattr(wandb, "login", lambda **options: True)
    monkeypatch.setattr(type(definition), "save", fail)
    assert "W&B failed (the server is on fire)" in publish(definition, sweep)
    assert (sweep / "dashboard.json").exists()


# ---------------------------------------------------------------------- which sweep


def test_a_sweep_that_was_not_logged_to_wandb_is_told(tmp_path: Path) -> None:
    folder = make_sweep(tmp_path / "study" / "stamp", logger="tensorboard")
    with pytest.raises(InputError, match="run the sweep with logger=wandb"):
        workspace(folder)


def test_a_missing_package_is_told(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    with pytest.raises(InputError, match="needs the package wandb-workspaces"):
        workspace(sweep)


@pytest.mark.slow
def test_the_command_writes_the_definition_and_imports_no_torch(sweep: Path, run_process: Callable[..., Any]) -> None:
    outcome = run_process("dashboard", "sweep=latest", logs=sweep.parents[2], python=("-X", "importtime"))
    assert outcome.code == 0, outcome.err
    assert "there is no W&B login" in outcome.out
    assert (sweep / "dashboard.json").exists()
    assert "torch" not in {line.rpartition("|")[2].strip() for line in outcome.err.splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "sweep is missing: give it as sweep=VALUE"),
        (["sweep=latest"], "there is no sweep under"),
        (["sweep=nowhere"], "nowhere is no sweep's folder: it has no sweep.json"),
    ],
)
def test_the_command_asks_for_a_sweep(run_verb: Callable[..., Any], typed: list[str], told: str) -> None:
    outcome = run_verb("dashboard", *typed)
    assert outcome.code == 2
    assert told in outcome.err
    assert len(outcome.err.splitlines()) == 1
