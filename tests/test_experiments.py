"""Every experiment and every debug option runs through the real entry, on a data set too small to learn from."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

Run = Callable[..., Any]


def test_every_experiment_trains_and_is_tested(
    run_verb: Run,
    compose: Callable[..., DictConfig],
    small: Callable[[DictConfig], list[str]],
    experiment_option: str,
) -> None:
    chosen = f"experiment={experiment_option}"
    outcome = run_verb("train", chosen, *small(compose(chosen)), "debug=fast", "trainer=cpu", "callbacks=none")
    manifest = outcome.manifest
    assert (outcome.code, outcome.err) == (0, "")
    assert (manifest["status"], manifest["experiment"]) == ("completed", experiment_option)
    assert (manifest["epochs"], manifest["steps"]) == (2, 6)
    assert manifest["objective"]["best"] is not None
    assert manifest["test"]


def header(file: Path) -> list[str]:
    """The comment lines that a file begins with, without the one that is for Hydra."""
    comments = itertools.takewhile(lambda line: line.startswith("#"), file.read_text().splitlines())
    return [line.removeprefix("#").strip() for line in comments if not line.startswith("# @package")]


def test_every_experiment_begins_with_its_claim_its_command_and_its_result(conf: Path, experiment_option: str) -> None:
    lines = header(conf / "experiment" / f"{experiment_option}.yaml")
    assert len(lines) >= 3
    assert not lines[0].startswith(("python", "measured", "not yet run")), "the claim comes first"
    assert f"python src/train.py experiment={experiment_option}" in lines
    results = [line for line in lines if re.match("(measured|not yet run)", line, re.IGNORECASE)]
    assert len(results) == 1, "'measured: …' with seeds, hardware and time, or 'not yet run'"
    if results[0].lower().startswith("measured"):
        said = " ".join(lines[lines.index(results[0]) :])
        assert re.search(r"\d", said)
        assert re.search(r"seed", said)


# ---------------------------------------------------------------------- debug options


def test_every_debug_option_runs(run_verb: Run, tiny: list[str], debug_option: str) -> None:
    shorter = [override for override in tiny if "max_epochs" not in override]
    length = {"overfit": ["trainer.max_epochs=3", "trainer.check_val_every_n_epoch=1"]}.get(debug_option, [])
    outcome = run_verb("train", *shorter, *length, f"debug={debug_option}", "callbacks=none")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.manifest["status"] == "completed"


def test_fast_does_a_few_batches_of_everything(run_verb: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from atelier.tasks.classifier import Classifier

    done: Counter[str] = Counter()

    def count(name: str) -> None:
        original = getattr(Classifier, name)

        def step(task: Any, *args: Any, **kwargs: Any) -> Any:
            done[name] += 1
            return original(task, *args, **kwargs)

        monkeypatch.setattr(Classifier, name, step)

    for name in ("training_step", "validation_step", "test_step"):
        count(name)
    outcome = run_verb("train", "trainer=cpu", "debug=fast", "data.eval_batch_size=20")
    rows = list(csv.DictReader(outcome.metrics.splitlines()))
    assert outcome.manifest["steps"] == 6
    assert all(any(row[name] for row in rows) for name in ("train/loss", "val/loss", "test/loss"))
    assert done == {"training_step": 6, "validation_step": 4, "test_step": 2}


def test_overfitting_one_batch_brings_the_loss_to_almost_nothing(run_verb: Run, tiny: list[str]) -> None:
    wider = ["network.channels=[8,16]", "network.hidden=[64]"]
    outcome = run_verb("train", *tiny, *wider, "debug=overfit", "trainer.max_epochs=60", "callbacks=none")
    losses = [float(row["train/loss"]) for row in csv.DictReader(outcome.metrics.splitlines()) if row["train/loss"]]
    assert len(losses) == outcome.manifest["steps"] == 60
    assert losses[-1] < losses[0] / 20, losses


def test_profiling_writes_where_the_time_went(run_verb: Run, tiny: list[str]) -> None:
    outcome = run_verb("train", *tiny, "debug=profile", "trainer.max_epochs=1", "callbacks=none")
    (report,) = outcome.folder.glob("**/fit*profile*")
    text = report.read_text()
    assert "training_step" in text
    assert "optimizer_step" in text
