"""The feature network that scores samples: trained once if it is missing, and never one of a debugging run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.compose.features import first_finished

Run = Callable[..., Any]
Small = dict[str, list[str]]


@pytest.mark.slow
def test_a_missing_feature_network_is_trained_once(run_verb: Run, tmp_path: Path, small_models: Small) -> None:
    short = ["trainer.max_epochs=1", "callbacks=none", "test=false"]
    first = run_verb("train", *small_models["gan"], *short, logs=tmp_path)
    assert first.code == 0, first.err
    assert "training experiment=digits_features" in first.out
    second = run_verb("train", *small_models["gan"], *short, logs=tmp_path)
    assert "training experiment=digits_features" not in second.out
    assert len(list((tmp_path / "runs" / "digits_features").glob("*/run.json"))) == 1


def test_the_first_finished_run_gives_the_features_and_none_for_debugging(tmp_path: Path) -> None:
    runs = {
        "1": {"status": "failed", "overrides": []},
        "2": {"status": "completed", "overrides": ["experiment=digits_features", "debug=fast"]},
        "3": {"status": "completed", "overrides": ["experiment=digits_features", "seed=1"]},
        "4": {"status": "completed", "overrides": []},
    }
    assert first_finished(tmp_path) is None
    for name, manifest in runs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(manifest))
    found = first_finished(tmp_path)
    assert found is not None
    assert found.path.name == "3"
