"""The claims of a study: what is taken, and what is refused with its key, its value and the choices."""

import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from atelier.claims.claim import Check, Side, read_claims
from atelier.claims.selection import check_claims
from atelier.claims.study import Study
from atelier.claims.words import condition
from atelier.compose.verb import register_resolvers
from atelier.errors import InputError
from atelier.results.figures import check_figures
from atelier.results.logged import unlogged
from atelier.results.studies import read_study, study_names
from atelier.results.told import told
from atelier.sweeps.grid import expand, value_meant
from atelier.sweeps.study import written

GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": [0.1, 0.01], "seed": [0, 1]}
CHECK = {"metric": "val/accuracy", "of": {"optimizer": "sgd"}, "than": {"optimizer": "adam"}, "above": 0}


def study(*checks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"grid": GRID, "claims": [{"says": "so", "where": "figure 1", "checks": list(checks) or [CHECK], **changes}]}


def test_a_check_is_read_with_what_follows_from_what_is_not_said() -> None:
    (claim,) = read_claims(study({**CHECK, "at": {"first": 5}, "than_metric": "train/accuracy", "reported": 0.5}))
    here = Side("val/accuracy", {"first": 5}, {"optimizer": "sgd"})
    there = Side("train/accuracy", {"first": 5}, {"optimizer": "adam"})
    assert claim.checks == [Check(here, there, "above", 0.0, 0.0, 0.5, "")]


@pytest.mark.parametrize(
    ("more", "there"),
    [
        ({"than_at": "last"}, Side("val/accuracy", "last", {"optimizer": "sgd"})),
        ({"than_metric": "train/accuracy"}, Side("train/accuracy", None, {"optimizer": "sgd"})),
        ({"than_study": "other"}, Side("val/accuracy", None, {"optimizer": "sgd"}, "other")),
        ({"than": None}, Side("val/accuracy", None, {})),
        ({"than": "base"}, Side("val/accuracy", None, "base")),
    ],
)
def test_the_other_side_is_this_one_but_for_what_it_says(more: dict[str, Any], there: Side) -> None:
    own = {key: value for key, value in CHECK.items() if key != "than"}
    (claim,) = read_claims(study({**own, **more}))
    assert claim.checks[0].than == there


def test_without_another_side_the_value_itself_is_checked() -> None:
    near = {"metric": "test/common_sense_error", "near": 14.195, "within": 2, "because": "a tenth"}
    (claim,) = read_claims({"claims": [{"says": "x", "where": "text", "checks": [near]}]})
    assert claim.checks[0].than is None
    assert (claim.checks[0].relation, claim.checks[0].bound, claim.checks[0].within) == ("near", 14.195, 2.0)


BAD = [
    ({"claims": "x"}, "study.claims=x: give a list"),
    ({"claims": ["x"]}, "study.claims=['x']: give a list, each item a mapping"),
    (study(verdit="x"), "study.claims[0].verdit: no 'verdit'; choose from: verdict, "),
    (study(says=3), "study.claims[0].says=3: give text"),
    (study(says=""), "study.claims[0].says=: give text that is not empty"),
    (study(where=None), "study.claims[0].where=null: give text that is not empty"),
    (study(seen="x"), "give `checks`, or, for pictures that a person judges, `seen` and `verdict`"),
    ({"claims": [{"says": "x", "where": "y"}]}, "give `checks`, or, for pictures that a person judges"),
    (
        {"claims": [{"says": "x", "where": "y", "checks": []}]},
        "claims[0].checks=[]: give a list that is not empty",
    ),
    ({"claims": [{"says": "x", "where": "y", "seen": "cats", "verdict": None}]}, "`seen` and `verdict` go together"),
    (
        {"claims": [{"says": "x", "where": "y", "seen": "cats", "verdict": "maybe"}]},
        "study.claims[0].verdict=maybe: give one of: confirmed, contradicted, undecided or null",
    ),
    (study({**CHECK, "abvoe": 0}), "study.claims[0].checks[0].abvoe: no 'abvoe'; choose from: above, "),
    (study({**CHECK, "below": 1}), "give exactly one of above, below, near; given: above, below"),
    (study({"metric": "val/accuracy"}), "give exactly one of above, below, near; given: none"),
    (study({**CHECK, "metric": "accuracy"}), "checks[0].metric=accuracy: give one of: train/<name>, val/<name>"),
    (study({**CHECK, "metric": "val/"}), "checks[0].metric=val/: give one of"),
    (study({**CHECK, "than_metric": "time"}), "checks[0].than_metric=time: give one of"),
    (
        study({**CHECK, "at": "end"}),
        "checks[0].at=end: give one of: best, last or a mapping {one of: first, epoch,",
    ),
    (study({**CHECK, "at": {"first": 0}}), "checks[0].at={'first': 0}: give one of: best, last or"),
    (study({**CHECK, "metric": "seconds", "at": "last"}), "at=last: a run has one seconds, at no place"),
    (study({**CHECK, "above": True}), "checks[0].above=true: give a number"),
    (study({**CHECK, "above": "a"}), "checks[0].above=a: give a number"),
    (study({**CHECK, "within": 1}), "`near` and `within` go together"),
    (study({"metric": "val/accuracy", "near": 1}), "`near` and `within` go together"),
    (
        study({"metric": "val/accuracy", "near": 1, "within": -1, "because": "x"}),
        "checks[0].within=-1: give a number of 0 or more",
    ),
    (study({"metric": "val/accuracy", "above": 0}), "because is missing: say why the bound is above 0"),
    (study({**CHECK, "above": 0.1}), "because is missing: say why the bound is above 0.1"),
    (study({**CHECK, "above": None, "near": 0, "within": 1}), "because is missing: say why the bound is near 0"),
    (study({**CHECK, "than": {"optimizer": "sgd"}}), "both sides of the difference are the same"),
    (study({**CHECK, "above": math.nan}), "checks[0].above=nan: give a finite number"),
    (study({**CHECK, "of": "sgd"}), "checks[0].of=sgd: give base or a mapping"),
    (study({**CHECK, "of": {"optimzer": "sgd"}}), "checks[0].of.optimzer=sgd: the study does not vary it; choose from"),
    (study({**CHECK, "than": {"optimizer.lr": 0.02}}), "than.optimizer.lr=0.02: no setting has it; choose from: 0.1,"),
    (study({**CHECK, "of": {"seed": 0}}), "checks[0].of.seed=0: a claim or a figure is about all seeds"),
    (study({**CHECK, "of": "base"}), "checks[0].of=base: the study has none"),
]


@pytest.mark.parametrize(("given", "message"), BAD, ids=[message[:60] for _, message in BAD])
def test_what_is_wrong_is_refused_with_its_key_and_value(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check_claims({"grid": GRID, **given})


def test_values_are_compared_as_what_they_are() -> None:
    check_claims(study({**CHECK, "of": {"optimizer.lr": 1e-1}, "than": {"optimizer.lr": 0.010}}))


def test_what_a_setting_leaves_to_the_experiment_may_have_any_value_but_not_against_what_it_sets() -> None:
    varied = {
        "settings": [{}, {"activation": "tanh"}, {"network.dropout": 0.0, "penalty": "l1"}],
        "grid": {"seed": [0]},
    }
    check_claims({**study({**CHECK, "of": {"activation": "relu"}, "than": {"activation": "tanh"}}), **varied})
    check_claims({**study({**CHECK, "of": "base", "than": {"penalty": "l1"}}), **varied})
    both = {"network.dropout": 0.0, "penalty": "l1", "activation": "relu"}
    check_claims({**study({**CHECK, "of": both, "than": "base"}), **varied})
    varied["settings"] = [{"penalty": "none"}, {"network.dropout": 0.0, "penalty": "l1"}]
    with pytest.raises(InputError, match=re.escape("of: no setting has network.dropout=0.5, penalty=l1 at once")):
        check_claims({**study({**CHECK, "of": {"network.dropout": 0.5, "penalty": "l1"}, "than": {}}), **varied})


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "val/accuracy: sgd − adam > 0"),
        ({"at": "last"}, "val/accuracy, last: sgd − adam > 0"),
        ({"than": {"optimizer": "sgd"}, "than_at": {"epoch": 9}}, "val/accuracy, sgd: best − epoch 9 > 0"),
        ({"than": None}, "val/accuracy: sgd − all settings > 0"),
        ({"than_study": "b"}, "val/accuracy: sgd, this study − adam, b > 0"),
        (
            {"than_metric": "test/loss", "at": {"first": 2}},
            "mean of the first 2: val/accuracy, sgd − test/loss, adam > 0",
        ),
        ({"of": {"optimizer.lr": 0.1}, "than": "base"}, "val/accuracy: learning rate 0.1 − base > 0"),
    ],
)
def test_a_check_is_told_by_what_differs(more: dict[str, Any], words: str) -> None:
    (claim,) = read_claims(study({**CHECK, **more}))
    assert condition(claim.checks[0]) == words


def test_a_bound_is_told_with_its_tolerance() -> None:
    check = {"metric": "seconds", "of": {"optimizer": "sgd"}, "near": 9.3, "within": 1.6, "because": "x"}
    (claim,) = read_claims(study(check))
    assert condition(claim.checks[0]) == "seconds, sgd = 9.3 ± 1.6"


def test_the_claims_of_every_study_are_about_settings_that_it_has(conf: Path, study_option: str) -> None:
    register_resolvers(conf.parent)
    lines = list(told(read_study(conf, study_option), conf))
    assert [line for line in lines if "WRONG" in line or "Beware" in line] == []


def test_a_metric_that_nothing_logs_is_told_with_the_claims(conf: Path) -> None:
    node = study({**CHECK, "metric": "val/acuracy"})
    lines = told(Study("x", node, read_claims(node), expand([], node)[0]), conf)
    assert next(lines).startswith("  Beware: study.claims[0].checks[0].metric=val/acuracy: no task")


def test_the_figures_of_every_study_are_of_settings_that_it_has(conf: Path, study_option: str) -> None:
    check_figures((written(conf, study_option) or {})["study"])


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        ({"kind": "pie"}, "study.figures[1].kind=pie: give one of"),
        (
            {"of": {"activation": "tanh"}},
            "study.figures[1].of.activation=tanh: the study does not vary it; choose from",
        ),
        ({"of": [{"optimizer": "sgd"}, {"optimizer": "adm"}]}, "study.figures[1].of.optimizer=adm: no setting has it"),
        ({"of": {"seed": 1}}, "study.figures[1].of.seed=1: a claim or a figure is about all seeds"),
        ({"metric": "accuracy"}, "study.figures[1].metric=accuracy: give one of: train/<name>, val/<name>"),
        ({"kind": "line", "x": "optimizer.rl"}, "study.figures[1].x=optimizer.rl: the study does not vary it; choose"),
        ({"kind": "curves", "apart": "seed"}, "study.figures[1].apart=seed: the study does not vary it; choose from"),
    ],
)
def test_a_figure_that_no_runs_can_fill_is_refused_before_they_run(figure: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
        check_figures({"grid": GRID, "figures": [{"kind": "bars"}, {"kind": "bars", **figure}]})


def test_a_figure_of_a_study_whose_grid_is_typed_is_not_compared_with_it() -> None:
    check_figures({"figures": [{"kind": "bars", "of": {"optimizer": "sgd"}}]})


def test_a_figure_may_be_of_a_key_that_the_command_line_varies() -> None:
    figures = [{"kind": "heatmap", "rows": "data.batch_size", "columns": "optimizer.lr"}]
    check_figures({"grid": GRID, "figures": figures}, ["data.batch_size=1,2"])


def test_a_study_of_which_one_value_is_typed_is_run_whatever_its_figures_show() -> None:
    check_figures({"grid": GRID, "figures": [{"kind": "line", "x": "optimizer.lr"}]}, ["optimizer.lr=0.1"])


def test_metrics_that_nothing_logs_are_told_before_the_jobs_run() -> None:
    figures = [{"kind": "bars", "metric": "val/accuracy"}, {"kind": "curves", "metric": "los"}]
    wrong = study({**CHECK, "metric": "val/acuracy"}, {**CHECK, "than_metric": "test/acc"})
    told = "Beware: study.{}: no task, metric or callback has this name; the nearest: {}"
    lines = list(unlogged({**wrong, "figures": figures}))
    assert [line.split(", ")[:2] for line in lines] == [
        told.format(*words).split(", ")
        for words in (
            ("figures[1].metric=los", "loss"),
            ("claims[0].checks[0].metric=val/acuracy", "accuracy"),
            ("claims[0].checks[1].than_metric=test/acc", "accuracy"),
        )
    ]
    assert not list(unlogged(study({**CHECK, "metric": "test/accuracy/cat"})))


def test_a_metric_that_the_projects_own_code_logs_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "src" / "mine").mkdir(parents=True)
    (tmp_path / "src" / "mine" / "task.py").write_text('self.log("val/acuracy", 1.0)')
    (tmp_path / "pyproject.toml").write_text('[tool.atelier]\ntrusted = ["mine"]')
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setenv("ATELIER_PROJECT", str(tmp_path))
    assert not list(unlogged(study({**CHECK, "metric": "val/acuracy"})))


def test_none_is_nothing_as_null_is() -> None:
    assert value_meant("none") is value_meant("null") is value_meant("") is None
    assert value_meant("0") == 0


def test_another_study_that_is_compared_with_is_checked_too(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    text = "study: {{grid: {{optimizer: [sgd, adam]}}, claims: [{{says: x, where: y, checks: [{}]}}]}}"
    check = "{metric: val/accuracy, of: {optimizer: sgd}, than_study: THERE, than: {optimizer: VALUE}, above: 0}"
    for there, value, message in (
        ("b", "adam", None),
        ("b", "adagrad", "a.yaml: study.claims[0].checks[0].than.optimizer=adagrad: no setting has it"),
        ("c", "adam", "a.yaml: study.claims[0].checks[0].than_study=c: no 'c'; choose from: a, b"),
    ):
        written = text.format(check.replace("THERE", there).replace("VALUE", value))
        (tmp_path / "study" / "a.yaml").write_text(written)
        (tmp_path / "study" / "b.yaml").write_text("study: {grid: {optimizer: [sgd, adam]}}")
        assert study_names(tmp_path) == ["a", "b"]
        if message is None:
            assert read_study(tmp_path, "a").claims
        else:
            with pytest.raises(InputError, match=re.escape(message)):
                read_study(tmp_path, "a")
