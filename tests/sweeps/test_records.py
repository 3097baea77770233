"""What a report takes for the record of a run, also of one that wrote only a part of it, or none."""

import json
from pathlib import Path
from typing import Any

import pytest

from atelier.sweeps.aggregate import group
from atelier.sweeps.records import Record, read_run, waiting


@pytest.mark.parametrize(
    ("manifest", "status"),
    [
        ({"status": "completed", "pruned": True}, "pruned"),
        ({"status": "completed", "pruned": False}, "completed"),
        ({"status": "failed", "pruned": True}, "failed"),
        ({"status": "interrupted", "pruned": True}, "interrupted"),
        ({}, "failed"),
    ],
)
def test_a_pruned_run_is_one_that_ended_well(manifest: dict[str, Any], status: str) -> None:
    assert Record(None, manifest, {}).status == status


def test_a_repeat_is_told_by_what_was_typed_or_else_by_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {fold: 2, draw: null}")
    (tmp_path / "run.json").write_text(json.dumps({"seed": 0, "overrides": []}))
    assert read_run(tmp_path).repeat == ("0", "2", "")
    (tmp_path / "run.json").write_text(json.dumps({"seed": None, "overrides": ["+data.fold=3"]}))
    assert read_run(tmp_path).repeat == ("", "3", "")


def test_a_job_that_has_not_started_has_what_was_found_of_it_before_what_its_sweep_has() -> None:
    own, of_all = {"metric": "val/loss", "mode": "min"}, {"metric": "val/accuracy", "mode": "max"}
    sweep = {"experiment": "one", "objective": of_all}
    found = waiting({"facts": {"experiment": "two", "objective": own}}, sweep)
    assert (found["experiment"], found["objective"]["metric"], found["objective"]["mode"]) == ("two", "val/loss", "min")
    found = waiting({}, sweep)
    assert (found["experiment"], found["objective"]["metric"]) == ("one", "val/accuracy")


def test_a_value_of_a_strangers_configuration_commands_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text('network: {name: "a\\e[2Jb"}')
    assert Record(tmp_path, {}, {}).value("network.name") == "a?[2Jb"


def test_a_fold_that_is_the_seed_is_a_fold_of_its_own(tmp_path: Path) -> None:
    """As data.folds=2 'data.fold=${seed}' for each seed: what was typed is the same text in all of them."""
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "config.yaml").write_text(f"data:\n  folds: 2\n  fold: {seed}\n")
        record = Record(folder, {"seed": seed, "overrides": ["data.folds=2", "data.fold=${seed}"]}, {})
        assert record.repeat[:2] == (str(seed), str(seed))


def test_equal_values_have_one_text_in_all_settings() -> None:
    typed = ["sgd 1e-3", "sgd 1e-2", "adam 0.010", "adam 0.001"]
    words = [dict(zip(("optimizer", "optimizer.lr"), one.split(), strict=True)) for one in typed]
    manifests = [
        {"status": "completed", "seed": 0, "config_hash": one, "overrides": [f"{k}={v}" for k, v in values.items()]}
        for one, values in zip(typed, words, strict=True)
    ]
    found = group([Record(None, manifest, {}) for manifest in manifests], []).settings
    assert [one.values["optimizer.lr"] for one in found] == ["1e-3", "1e-2", "1e-2", "1e-3"]
