"""The studies of conf/study/ as claims see them."""

import os
from pathlib import Path

import pytest

from atelier.compose.preflight import check_job
from atelier.results.studies import read_study
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
    base = study.composed(conf, study.grid.swept)[0]
    assert base == {key: run.value(key) or "" for key in study.grid.swept}
    assert any(base.values())
