"""Every experiment can be made, and every kind of them and every debug option runs, on data too small to learn from."""

import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import build_data, check_networks, check_run
from atelier.compose.targets import check, plain

Run = Callable[..., Any]
Compose = Callable[..., DictConfig]
Small = Callable[[DictConfig], list[str]]
CONF = Path(__file__).parents[1] / "conf"


PARTS = ("network", "generator", "discriminator", "encoder", "decoder")


def shape(experiment: str) -> tuple[tuple[str, str], ...]:
    """The task and the networks that an experiment chooses, or the one that it is like: what code it runs."""
    text = (CONF / "experiment" / f"{experiment}.yaml").read_text()
    like = re.findall(r"^  - (?:/experiment/)?(\w+)$", text, re.MULTILINE)
    chosen = dict(pair for one in like if one in EXPERIMENTS for pair in shape(one))
    chosen |= re.findall(rf"override /(task|{'|'.join(PARTS)}): (\w+)$", text, re.MULTILINE)
    return tuple(sorted(chosen.items()))


EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))
LONG = (
    "cats_features",
    "cifar10_vgg",
    "dogs_vs_cats",
    "dogs_vs_cats_finetune",
)  # their networks are larger ones of a class that another test trains
FIRST = {shape(name): name for name in reversed(EXPERIMENTS) if name not in LONG}.values()


def test_every_experiment_asks_for_what_can_be_made(compose: Compose, experiment_option: str, data_dir: Path) -> None:
    chosen = f"experiment={experiment_option}"
    config = compose(chosen)
    if config.get("features") is not None:  # a classifier is named by who runs the experiment
        config = compose(chosen, "features=pixels")
    if "source" in config.data:
        config.data.source = "fake"
    config.start.weights = None  # they are named by who runs the experiment, or are fetched
    config.paths.data = str(data_dir)
    check_run(config, experiment_option)
    check_networks(config)
    build_data(config).check_source()


def test_callbacks_and_loggers_are_added_to_those_of_every_experiment_and_study(compose: Compose) -> None:
    """Hydra adds `+callbacks=NAME` to a list alone."""
    config = compose("experiment=digits_gan", "features=pixels", "+callbacks=weight_norms", "+logger=tensorboard")
    assert {"weight_norms", "quality", "latent_pictures"} <= set(config.callbacks)
    assert set(config.logger) == {"tensorboard"}
    alone = re.compile(r"override /(callbacks|logger): *[^\[ ]")
    assert [file.name for file in CONF.rglob("*.yaml") if alone.search(file.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "experiment", [pytest.param(one, marks=[pytest.mark.slow] * (one not in FIRST)) for one in EXPERIMENTS]
)
def test_every_experiment_trains_and_is_tested(run_verb: Run, compose: Compose, small: Small, experiment: str) -> None:
    """By default one of each task with each network."""
    chosen = f"experiment={experiment}"
    outcome = run_verb("train", chosen, *small(compose(chosen)), "debug=fast", "trainer=cpu", "callbacks=none")
    manifest = outcome.manifest
    assert (outcome.code, outcome.err) == (0, "")
    assert (manifest["status"], manifest["experiment"]) == ("completed", experiment)
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


DEBUG = {file.stem for file in (CONF / "debug").glob("*.yaml")} - {"fast", "overfit"}  # which are run below


@pytest.mark.parametrize("option", sorted(DEBUG))
def test_every_debug_option_runs(run_verb: Run, option: str) -> None:
    length = ["trainer.max_epochs=1"] * (option == "profile")
    outcome = run_verb("train", "trainer=cpu", *length, f"debug={option}", "callbacks=none")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.manifest["status"] == "completed"
    if option == "profile":
        (report,) = outcome.folder.glob("**/fit*profile*")
        assert {"training_step", "optimizer_step"} <= set(re.findall(r"\w+_step", report.read_text()))


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
    assert (outcome.code, outcome.err, outcome.manifest["status"]) == (0, "", "completed")
    rows = list(csv.DictReader(outcome.metrics.splitlines()))
    assert outcome.manifest["steps"] == 6
    assert all(any(row[name] for row in rows) for name in ("train/loss", "val/loss", "test/loss"))
    assert done == {"training_step": 6, "validation_step": 4, "test_step": 2}


def test_overfitting_is_for_every_data_set(
    compose: Compose, context: Callable[[str, str], list[str]], data_option: str
) -> None:
    config = compose(*context("data", data_option), f"data={data_option}", "debug=overfit")
    check(OmegaConf.create({"data": plain(config)["data"]}))


def test_overfitting_one_batch_brings_the_loss_to_almost_nothing(run_verb: Run) -> None:
    few = ["network.hidden=[64]", "trainer=cpu", "debug=overfit", "trainer.max_epochs=20", "optimizer.lr=0.01"]
    outcome = run_verb("train", *few, "callbacks=none")
    assert (outcome.code, outcome.err, outcome.manifest["status"]) == (0, "", "completed")
    losses = [float(row["train/loss"]) for row in csv.DictReader(outcome.metrics.splitlines()) if row["train/loss"]]
    assert len(losses) == outcome.manifest["steps"] == 20
    assert losses[-1] < losses[0] / 20, losses
