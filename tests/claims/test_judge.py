"""What the report of a sweep says of its study's claims."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.claims.judge import judge
from atelier.report.write import write_report
from atelier.sweeps.aggregate import aggregate

Sweep = Callable[..., Path]
GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1", "0.01"]}
ADAM = {"metric": "val/accuracy", "of": {"optimizer": "adam"}, "than": {"optimizer": "sgd"}, "above": 0}
ALL = {"metric": "val/accuracy", "above": 0.4, "because": "so"}


def node(*checks: dict[str, Any]) -> dict[str, Any]:
    grid = {**GRID, "seed": [0, 1, 2]}
    claims = [{"says": f"claim {n} <b>", "where": f"figure {n}", "checks": [one]} for n, one in enumerate(checks)]
    return {"grid": grid, "question": "Which?", "claims": claims}


def curve(values: dict[str, str], seed: int) -> list[float]:
    return [0.1, {"sgd": 0.5, "adam": 0.7}[values["optimizer"]] + float(values["optimizer.lr"]) + seed / 100]


@pytest.fixture
def sweep(made_up_sweep: Sweep, tmp_path: Path) -> Callable[..., Path]:
    def make(name: str = "s", grid: dict[str, list[str]] | None = None, study: str = "a", **more: Any) -> Path:
        about = {"study": study, "presentation": node(ADAM, ALL), **more}
        return made_up_sweep(tmp_path / name, grid or GRID, curve, **about)

    return make


def verdicts(*sweeps: Path) -> list[str]:
    decided, messages = judge(aggregate(sweeps))
    assert not messages
    return [one.verdict for one in decided]


def test_the_terminal_the_summary_and_the_page_tell_the_verdicts(
    sweep: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    seen = {"says": "blurred", "where": "figure 9", "seen": "grey clouds", "verdict": "undecided"}
    near = {"metric": "parameters", "near": 57060, "within": 1, "because": "so", "reported": 57000}
    presentation = node({**ADAM, "below": 0, "above": None}, near)
    folder = sweep(presentation={**presentation, "claims": [*presentation["claims"], seen]})
    write_report([folder])
    told = capsys.readouterr().out
    assert "\nClaim, contradicted: claim 0 <b> (figure 0)\n" in told
    assert "\nClaim, undecided by eye: blurred (figure 9)\n" in told
    text = (folder / "summary.md").read_text()
    assert (
        "\n| figure 0 | claim 0 &lt;b> | val/accuracy: adam − sgd < 0 | 0.2 ± 0, n = 3 |  | **contradicted** |\n"
        in text
    )
    assert "| parameters = 57060 ± 1 (so) | 57,060 ± 0, n = 3 | 57000 | **confirmed** |" in text
    assert "| figure 9 | blurred | by eye | grey clouds |  | **undecided** |" in text
    page = (folder / "report.html").read_text()
    assert "<strong>contradicted</strong>: claim 0 &lt;b&gt; (figure 0)" in page
    assert "<li>by eye: grey clouds; undecided</li>" in page
    assert "57,060 ± 0, n = 3; reported: 57000; confirmed</li>" in page


def test_sweeps_of_a_study_count_together(sweep: Callable[..., Path]) -> None:
    two, third = sweep("two", seeds=(0, 1)), sweep("third", seeds=(2,))
    assert verdicts(two) == verdicts(third) == ["leans to confirmed", "leans to confirmed"]
    assert verdicts(two, third) == ["confirmed", "confirmed"]


def test_a_claim_about_another_study_needs_its_sweep_beside(
    sweep: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    other = sweep("other", study="b", presentation=node())
    more = {**ADAM, "than_study": "b"}
    own = sweep("own", presentation=node(more, {**more, "above": 0.3, "because": "so"}))
    assert verdicts(own) == ["not run", "not run"]
    write_report([own])
    assert "\nClaim, not run without a sweep of study=b beside it: claim 0" in capsys.readouterr().out
    own_claims, _ = judge(aggregate([own, sweep("third", study="c")]))
    assert [one.claim.where for one in own_claims] == ["a, figure 0", "a, figure 1", "c, figure 0", "c, figure 1"]
    assert verdicts(own, other) == verdicts(other, own) == ["confirmed", "contradicted"]


@pytest.mark.parametrize("grid", [{"optimizer": ["adam"]}, {"optimizer": ["sgd", "adam"], "optimizer.lr": ["0.1"]}])
def test_a_part_of_a_study_decides_nothing_about_the_rest(
    sweep: Callable[..., Path], grid: dict[str, list[str]]
) -> None:
    """What was typed in the place of the study's values is not what the claim is about."""
    assert verdicts(sweep(grid={**GRID, **grid})) == ["not run", "not run"]


def test_a_quick_budget_decides_nothing(sweep: Callable[..., Path]) -> None:
    assert verdicts(sweep(budget="quick", quick={"seed": [0]})) == ["not run", "not run"]


def test_a_quick_sweep_beside_a_full_one_is_left_out(sweep: Callable[..., Path]) -> None:
    def shorter(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"objective": {"metric": "val/accuracy", "mode": "max", "best": 0.1}}

    full, quick = sweep("full"), sweep("quick", budget="quick", change=shorter)
    assert verdicts(full, quick) == verdicts(quick, full) == ["confirmed", "confirmed"]


def test_a_message_names_what_was_typed_beside_the_grid(
    sweep: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    def typed(values: dict[str, str], seed: int) -> dict[str, Any]:
        grid = [f"{key}={value}" for key, value in values.items()]
        return {"overrides": ["study=a", "trainer.max_epochs=1", "trainer.accelerator=cpu", *grid, f"seed={seed}"]}

    folder = sweep(change=typed)
    write_report([folder])
    message = "study=a: its verdicts are of runs with trainer.max_epochs=1, which were typed."
    assert f"\n{message}\n" in capsys.readouterr().out
    assert f"\n- {message}\n" in (folder / "summary.md").read_text()


def test_the_base_is_the_run_that_sets_none_of_the_keys_not_the_first_of_a_search(
    made_up_sweep: Sweep, tmp_path: Path
) -> None:
    """Nor is it lost where `where=` leaves out the first job."""

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"overrides": [f"seed={seed}"] + ["optimizer=adam"] * (values["optimizer"] == "adam")}

    settings = {"settings": [{}, {"optimizer": "adam"}], "grid": {"seed": [0, 1, 2]}}
    about = {"study": "a", "presentation": {**node({**ADAM, "than": "base"}), **settings}, "change": change}
    grid = {"optimizer": ["adam", "sgd"], "optimizer.lr": ["0.1"]}
    folder = made_up_sweep(tmp_path / "s", grid, curve, **about)
    assert verdicts(folder) == ["confirmed"]
    decided, _ = judge(aggregate([folder], lambda records: [one for one in records if one.get("seed")]))
    assert [one.verdict for one in decided] == ["leans to confirmed"]
    typed = made_up_sweep(tmp_path / "t", {**grid, "optimizer": ["adam"]}, curve, **about)
    assert verdicts(typed) == ["not run"], "adam was typed for all settings: none is the base"


def test_a_sweep_without_a_study_has_no_claims(sweep: Callable[..., Path]) -> None:
    assert verdicts(sweep(study=None, presentation={})) == []


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"says": "so"}, "study.claims[0].where is missing"),
        ({"says": "so", "where": "figure 1"}, "study.claims[0]: give `checks`"),
        ({"says": "so", "where": "x", "checks": [{**ADAM, "above": "b"}]}, "study.claims[0].checks[0].above=b"),
        (
            {"says": "so", "where": "x", "checks": [{**ADAM, "than": {"optimizer": "sdg"}}]},
            "study.claims[0].checks[0].than.optimizer=sdg: no setting has it; choose from: sgd, adam",
        ),
    ],
)
def test_claims_that_are_being_written_take_no_report_along(
    sweep: Callable[..., Path], capsys: pytest.CaptureFixture[str], claim: dict[str, Any], words: str
) -> None:
    broken = sweep("broken", presentation={**node(), "claims": [claim]})
    whole = sweep("whole", study="b")
    write_report([broken, whole], output=broken)
    told = capsys.readouterr().out
    assert f"\nstudy=a: {words}" in told
    assert told.count("Claim, confirmed: ") == 2
    assert f"study=a: {words}" in (broken / "summary.md").read_text()


def test_a_message_names_a_metric_of_a_claim_that_no_run_has(sweep: Callable[..., Path]) -> None:
    wrong = [
        ({**ADAM, "metric": "val/acuracy"}, "metric=val/acuracy: no run has it; the nearest: val/accuracy, "),
        ({**ADAM, "than_metric": "val/acc"}, "than_metric=val/acc: no run has it; the nearest: val/accuracy, "),
        ({**ADAM, "at": {"step": 3}}, "metric=val/accuracy: no run has a number of it, step 3"),
        ({**ADAM, "metric": "generalisation_gap"}, "metric=generalisation_gap: no run has a number of it"),
    ]
    decided, messages = judge(aggregate([sweep(presentation=node(*(check for check, _ in wrong)))]))
    assert [one.verdict for one in decided][:1] == ["undecided"]
    assert len(messages) == len(wrong)
    for number, (message, (_, told)) in enumerate(zip(messages, wrong, strict=True)):
        assert message.startswith(f"study=a: study.claims[{number}].checks[0].{told}")


def test_a_base_that_sets_nothing_is_not_taken_for_a_setting_that_has_not_begun(
    made_up_sweep: Sweep, tmp_path: Path
) -> None:
    settings = [{}, {"optimizer": "adam"}]
    study = {**node(ALL), "grid": {"seed": [0, 1, 2]}, "settings": settings}

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        typed = [f"{key}={value}" for key, value in values.items() if {key: value} in settings]
        return {"overrides": [*typed, f"seed={seed}"]}

    def rising(values: dict[str, str], seed: int) -> list[float]:
        return [0.1, 0.5 + seed / 100]

    grid = {"optimizer": ["sgd", "adam"]}
    assert verdicts(made_up_sweep(tmp_path / "s", grid, rising, change=change, study="a", presentation=study)) == [
        "confirmed"
    ]
