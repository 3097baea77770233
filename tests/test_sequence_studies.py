"""Studies of sequences end to end: steps on the axes, and a learning rate for each setting."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.claims.claim import read_claims

Run = Callable[..., Any]
SMALL = ["trainer=cpu", "trainer.max_steps=4", "trainer.val_check_interval=2", "network.hidden=8", "callbacks=none"]


def sweep_of(outcome: Any) -> Path:
    assert (outcome.code, outcome.err) == (0, "")
    (folder,) = outcome.logs.glob("sweeps/*/*/")
    return folder


@pytest.mark.slow
def test_a_quick_study_draws_curves_over_steps(run_verb: Run, conf: Path) -> None:
    folder = sweep_of(run_verb("train", "-m", "study=asci_palindrome_rnn", "budget=quick", *SMALL))
    for name in ("loss", "accuracy", "train_gradient_norm"):
        assert (folder / "figures" / f"curves_{name}.png").is_file()
    page = (folder / "report.html").read_text()
    assert "over the steps" in page
    assert "at step" in page
    claims = read_claims(yaml.safe_load((conf / "study" / "asci_palindrome_rnn.yaml").read_text())["study"])
    assert claims
    assert [claim for claim in claims if claim.says not in html.unescape(page)] == []


@pytest.mark.slow
def test_a_study_gives_each_setting_its_learning_rate_and_first_weights(run_verb: Run) -> None:
    axes = ["network=rnn,lstm", "data.length=5,20", "seed=0"]
    folder = sweep_of(run_verb("train", "-m", "study=asci_palindrome_accuracy", *axes, *SMALL))
    configs = [yaml.safe_load(file.read_text()) for file in folder.glob("*/config.yaml")]
    found = {
        (config["network"]["cell"], config["data"]["length"]): (config["optimizer"]["lr"], config["network"]["memory"])
        for config in configs
    }
    assert found == {
        ("rnn", 5): (0.001, None),
        ("rnn", 20): (0.001, None),
        ("lstm", 5): (0.001, 1.0),
        ("lstm", 20): (0.01, 1.0),
    }
    assert (folder / "figures" / "line_test_accuracy.png").is_file()


@pytest.mark.slow
def test_a_study_of_rows_compares_numbers_of_units(run_verb: Run) -> None:
    few = ["data.source=fake", *(one for one in SMALL if "hidden" not in one)]
    folder = sweep_of(run_verb("train", "-m", "study=elec576_gru", "network.hidden=4,8", "seed=0", *few))
    assert (folder / "figures" / "line_test_accuracy.png").is_file()
    assert (folder / "figures" / "curves_accuracy.png").is_file()
