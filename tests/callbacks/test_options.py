"""Every option of callbacks composes, alone and added to others, for training and for testing again."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import build_data, build_task, build_trainer
from atelier.compose.targets import check
from atelier.runs.terminal import quieten_lightning

Run = Callable[..., Any]
Compose = Callable[..., DictConfig]
PICTURES = [
    *(
        "training_pictures",
        "curves",
        "confusion",
        "mistakes",
        "weight_norms",
        "dropout_schemes",
        "activation_statistics",
    ),
    *("filters_features.0", "filters_features.3", "deconvolution_features.3"),
]


@pytest.fixture(scope="module")
def options(conf: Path) -> dict[str, dict[str, Any]]:
    """{option: what its file says}."""
    return {file.stem: yaml.safe_load(file.read_text()) for file in sorted((conf / "callbacks").glob("*.yaml"))}


@pytest.fixture(scope="module")
def together(compose: Compose, options: dict[str, Any]) -> Any:
    """The callbacks of all options in one configuration."""
    return OmegaConf.to_container(compose(f"callbacks=[{','.join(options)}]").callbacks)


def test_an_option_has_callbacks_that_can_be_built(options: Any, together: Any, callbacks_option: str) -> None:
    alone = {key: value for key, value in options[callbacks_option].items() if key != "defaults"}
    assert bool(options[callbacks_option]) == (callbacks_option != "none")
    assert {key: together[key] for key in alone} == alone, "two options have one key"
    check(OmegaConf.create({"callbacks": alone}))


@pytest.mark.parametrize("option", ["none", "filters", "generative"])
def test_an_option_takes_the_place_of_the_default(compose: Compose, options: Any, option: str) -> None:
    names = options[option].get("defaults", [option])
    assert (compose(f"callbacks={option}").get("callbacks") or {}).keys() == {key for n in names for key in options[n]}


def test_options_are_added_to_the_default(compose: Compose, options: Any, together: Any) -> None:
    default, others = compose().callbacks, [name for name in options if name not in ("none", "default")]
    assert default.keys() < together.keys()
    assert compose("+callbacks=filters").callbacks.keys() == default.keys() | {"filters"}
    assert OmegaConf.to_container(compose(f"+callbacks=[{','.join(others)}]").callbacks) == together


@pytest.mark.parametrize("typed", ["callbacks", "+callbacks"])
def test_options_are_given_to_eval(compose: Compose, options: Any, together: Any, typed: str) -> None:
    config = compose("run=latest", f"{typed}=[{','.join(options)}]", config="eval")
    assert OmegaConf.to_container(config.callbacks) == together


def test_several_options_are_added_with_keys_of_their_own(compose: Compose) -> None:
    found = compose(
        "+callbacks=[filters,weight_norms]", "callbacks.filters.count=3", "~callbacks.training_pictures"
    ).callbacks
    assert {"curves", "filters", "weight_norms"} < found.keys()
    assert "training_pictures" not in found
    assert found.filters.count == 3


@pytest.mark.parametrize("name", PICTURES)
def test_every_callback_draws(trained_digits: Any, name: str, is_drawn: Run) -> None:
    assert is_drawn(trained_digits.folder / "figures" / f"{name}.png")


# ---------------------------------------------------------------------- testing again


def test_testing_again_draws_into_a_folder_of_its_own(run_verb: Run, trained_digits: Any, tmp_path: Path) -> None:
    again = run_verb(
        *("eval", f"run={trained_digits.folder}", f"output={tmp_path}"),
        *("+callbacks=[confusion,dropout_schemes,mistakes]", "callbacks.mistakes.count=4"),
    )
    assert (again.code, again.err) == (0, "")
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    names = ("confusion", "dropout_schemes", "mistakes")
    assert drawn == {f"{name}.{kind}" for name in names for kind in ("png", "csv")}
    assert f"Figures of the callbacks: {tmp_path / 'figures'}" in again.out.replace("\n", "")
    confusion = (trained_digits.folder / "figures" / "confusion.csv").read_text()
    assert (tmp_path / "figures" / "confusion.csv").read_text() == confusion, "the same network on the same set"


def test_a_callback_that_sees_two_tests_tells_of_each_alone(
    compose: Compose, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier.figures.palette.FigureCanvasAgg", Mock())  # what it would draw is the same
    names = ["activation_statistics", "confusion", "deconvolution", "dropout_schemes", "mistakes"]
    network = ["network=lenet5", "network.hidden=[8]", "network.dropout=0.5", "trainer=cpu"]
    config = compose(*network, f"callbacks=[{','.join(names)}]", "callbacks.deconvolution.count=2")
    config.paths.data = str(data_dir)
    task, data = build_task(config), build_data(config)
    drawn = []
    quieten_lightning()
    trainer = build_trainer(config, task.network, output=tmp_path)
    for _ in range(2):
        trainer.test(task, data, verbose=False)
        drawn.append({file.name: file.read_text() for file in (tmp_path / "figures").glob("*.csv")})
    assert len(drawn[0]) == len(names)
    assert drawn[0] == drawn[1]


def test_another_split_is_looked_at_in_the_runs_folder(run_verb: Run, trained_digits: Any) -> None:
    again = run_verb("eval", f"run={trained_digits.folder}", "split=val", "callbacks=confusion")
    assert (again.code, again.err) == (0, "")
    file = trained_digits.folder / "evaluation" / "val" / "figures" / "confusion.csv"
    counts = [int(number) for line in file.read_text().splitlines()[1:] for number in line.split(",")[1:]]
    assert sum(counts) == len(trained_digits.stored("val")[0])


def test_the_runs_own_callbacks_are_not_done_again(run_verb: Run, trained_digits: Any) -> None:
    before = sorted(trained_digits.folder.rglob("*"))
    again = run_verb("eval", f"run={trained_digits.folder}")
    assert (again.code, again.err) == (0, "")
    assert sorted(trained_digits.folder.rglob("*")) == before


def test_an_option_that_is_not_there_is_told(run_verb: Run, trained_digits: Any) -> None:
    outcome = run_verb("eval", f"run={trained_digits.folder}", "+callbacks=filter")
    assert outcome.code == 2
    assert outcome.err.startswith("callbacks=filter: no 'filter'; choose from: filters, ")


# ---------------------------------------------------------------------- several processes


@pytest.mark.slow
def test_two_processes_see_what_one_does(run_process: Run, run_verb: Run, tmp_path: Path) -> None:
    """The test set's batches of 7 are spread over both, so that neither has an equal number of them."""
    names = ["confusion", "mistakes", "activation_statistics", "deconvolution"]
    callbacks = [f"callbacks=[{','.join(names)}]", "callbacks.mistakes.count=4", "callbacks.deconvolution.count=2"]
    small = ["network=lenet5", "network.hidden=[8]", "network.dropout=0.5", "trainer.max_epochs=1"]
    small.append("trainer.precision=32-true")  # in bf16 a picture's output depends on its batch
    measured = ["data.eval_batch_size=7", "task.clean_train_accuracy=true"]
    both = run_process("train", *small, *measured, "trainer=ddp_cpu", *callbacks)
    assert (both.code, both.err) == (0, "")
    again = run_verb("eval", f"run={both.folder}", "trainer=cpu", *callbacks, f"output={tmp_path}")
    assert again.code == 0, again.err
    for name in [*names[:3], "deconvolution_features.3"]:
        one, two = ((folder / "figures" / f"{name}.csv").read_text() for folder in (tmp_path, both.folder))
        assert rounded(one) == rounded(two), name
    rows = csv.DictReader(both.metrics.splitlines())
    (clean,) = (float(row["train/clean_accuracy"]) for row in rows if row["train/clean_accuracy"])
    trained = run_verb("eval", f"run={both.folder}", "trainer=cpu", "split=train")
    (alone,) = re.findall(r"train/accuracy +\W (\S+)", trained.out)
    assert clean == pytest.approx(float(alone), abs=1e-6), "each training sample counts once"


def rounded(text: str) -> list[str]:
    """The numbers of a file to four digits."""
    return [f"{float(part):.4g}" if re.fullmatch(r"-?[\d.e-]+", part) else part for part in re.split(r"[,\n]", text)]
