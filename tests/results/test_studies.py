"""The studies of conf/study/ as claims see them."""

import os
from pathlib import Path

import pytest

from atelier.claims.judge import decide_all
from atelier.compose.preflight import check_job
from atelier.results.record import read_record
from atelier.results.studies import composed_settings, read_study
from atelier.sweeps.records import Record

# {study: what lets its preflight pass without data}
NAMES = {
    "leiden_mlp_basics": ["data.source=fake"],
    "asci_gan": ["data.source=fake", "features=pixels"],
    "ee559_scratch_activations": [],
}


@pytest.mark.parametrize("name", NAMES)
def test_what_nothing_sets_is_what_a_run_has(conf: Path, name: str) -> None:
    """So that a claim about {network: scratch_mlp} means the same runs when it is told and when it is decided."""
    study = read_study(conf, name)
    job, values = study.grid.jobs[0], study.grid.values[0]
    found = check_job(conf.parent, dict(os.environ), None, study.grid.swept, [f"study={name}", *job, *NAMES[name]])
    run = Record(None, {}, {"overrides": job, "values": {key: values[key] or found["values"][key] for key in values}})
    base = composed_settings(study, conf, study.grid.swept)[0]
    assert base == {key: run.value(key) or "" for key in study.grid.swept}
    assert any(base.values())


def test_a_setting_without_a_run_changes_no_claim_about_folds_of_others(conf: Path) -> None:
    study = read_study(conf, "pairs_steps")
    records = read_record(conf.parent / "docs" / "results" / "pairs_steps")
    some = [record for record in records if record.value("network.blocks") != "[32, 64]"]
    assert 0 < len(some) < len(records)
    all_runs, without = (decide_all({"pairs_steps": study}, {"pairs_steps": runs}) for runs in (records, some))
    assert [one.outcomes for one in without["pairs_steps"]] == [one.outcomes for one in all_runs["pairs_steps"]]


def test_nothing_is_decided_without_a_setting_that_it_is_about(conf: Path) -> None:
    """A claim about networks with ReLU and those without, of which seven sizes are in the study."""
    study = read_study(conf, "asci_mlp")
    records = read_record(conf.parent / "docs" / "results" / "asci_mlp")

    def verdicts(some: list[Record]) -> set[str]:
        decided = decide_all({"asci_mlp": study}, {"asci_mlp": some})["asci_mlp"]
        checks = [pair for one in decided for pair in zip(one.claim.checks, one.outcomes, strict=True)]
        return {outcome.verdict for check, outcome in checks if "network.hidden" not in check.side.of}

    assert "not run" not in verdicts(records)
    smallest = [record for record in records if record.value("network.hidden") == "[100]"]
    assert len(smallest) == 6
    assert verdicts(smallest) == {"not run"}
