"""Every study composes, and all of its jobs pass the checks that a sweep makes before it starts."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import build_data, check_run
from atelier.report.pictures import check_figure
from atelier.sweeps.grid import Grid, expand

Compose = Callable[..., DictConfig]


def grid_of(compose: Compose, name: str, budget: str) -> Grid:
    study: Any = OmegaConf.to_container(compose(f"study={name}").study, resolve=True)
    return expand([f"study={name}"], study, budget)[0]


def covering(jobs: list[list[str]]) -> Iterator[list[str]]:
    """Few jobs that have each choice of a group, and each key with some value; first those that have most of them."""
    missing = [{one if "." not in (key := one.partition("=")[0]) else key for one in job} for job in jobs]
    while any(missing):
        most = max(range(len(jobs)), key=lambda n: len(missing[n]))
        yield jobs[most]
        missing = [parts - missing[most] for parts in missing]


def settings(grid: Grid) -> list[list[str]]:
    """The jobs that differ in more than their seed, without it."""
    without = (tuple(one for one in job if not one.startswith("seed=")) for job in grid.jobs)
    return [list(job) for job in dict.fromkeys(without)]


def test_the_jobs_of_every_study_can_run(compose: Compose, study_option: str) -> None:
    full, quick = (grid_of(compose, study_option, budget) for budget in ("full", "quick"))
    assert full.swept
    assert 1 < len(full.jobs) > len(quick.jobs), "quick is quicker"
    scored = compose(f"study={study_option}").get("features") is not None  # by a classifier that the user names
    for job in covering(settings(full) + settings(quick)):
        config = compose(*job, *["features=pixels"] * scored)
        if "source" in config.data:
            config.data.source = "fake"
        check_run(config)
        build_data(config).check_source()


def test_every_study_says_what_it_asks_and_what_the_report_found(compose: Compose, study_option: str) -> None:
    study = compose(f"study={study_option}").study
    assert study.title
    assert study.question.endswith("?")
    assert study.get("claims") is not None or study.claim
    for figure in study.figures:
        check_figure(OmegaConf.to_container(figure), "figure")


def test_every_study_has_its_command_and_result_in_its_header(conf: Path, study_option: str) -> None:
    text = (conf / "study" / f"{study_option}.yaml").read_text()
    assert f"# python src/train.py -m study={study_option}\n" in text
    assert re.search("^# (measured|not yet run)", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["leiden_clock_encodings", "leiden_clock_intervals"])
def test_the_reports_clock_studies_have_its_network_plainly_trained(compose: Compose, name: str) -> None:
    for job in settings(grid_of(compose, name, "full")):
        config = compose(*job)
        network = config.network
        assert network._target_ == "atelier.networks.clock_cnn.ClockCNN"
        assert (network.hidden, network.dropout, network.batch_norm) == ([128, 64], 0.2, False)
        assert network.strides[0] > 1 == network.strides[-1], "larger in the early layers"
        assert config.initializer.weight._target_ == "torch.nn.init.xavier_uniform_"
        assert (config.data.augment, config.task.quarter_turns) == (False, False)
        angles = config.encoding._target_.endswith(("LabelTransformation", "MultiheadAngles"))
        assert network.dense_activation._target_ == f"torch.nn.{'Tanh' if angles else 'ReLU'}"
        assert network.activation._target_ == "torch.nn.ReLU"
        sines_alone = config.encoding._target_.endswith("LabelTransformation")
        assert (network.output and network.output._target_) == ("torch.nn.Tanh" if sines_alone else None)


@pytest.mark.slow
def test_a_study_runs_and_draws_what_it_says(run_verb: Callable[..., Any]) -> None:
    small = ["data.image_size=32", "data.num_images=2160", "network.channels=[4,8]", "network.hidden=[16]"]
    short = ["trainer.max_epochs=1", "trainer=cpu", "callbacks=none", "seed=0"]
    outcome = run_verb("train", "-m", "study=clock_intervals", *small, *short)
    assert (outcome.code, outcome.err) == (0, "")
    (folder,) = outcome.logs.glob("sweeps/clock_intervals/*/")
    assert (folder / "figures" / "bars_test_common_sense_error.png").is_file()
    assert (folder / "figures" / "curves_common_sense_error.svg").is_file()
    page = (folder / "report.html").read_text()
    assert "the sooner they are learned" in page
    assert (folder / "0" / "run.json").is_file()
