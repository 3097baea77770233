"""What the classifiers' studies and experiments owe to their reports: Leiden's Keras, IFT6135's decay, the test set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import DictConfig

from atelier.claims.claim import read_claims
from atelier.compose.targets import build
from atelier.runs.folder import LOADER

Compose = Callable[..., DictConfig]
STUDIES = {
    path.stem: yaml.load(path.read_text(), LOADER)
    for path in sorted((Path(__file__).parents[1] / "conf" / "study").glob("*.yaml"))
}
LEIDEN = [name for name in STUDIES if name.startswith(("leiden_mlp", "leiden_cnn", "leiden_best", "leiden_cifar10"))]


def choices(name: str, key: str) -> list[Any]:
    """All that a study gives to a key, in its grid and its settings."""
    asked = STUDIES[name]["study"]
    return [*asked["grid"].get(key, []), *(one[key] for one in asked.get("settings", ()) if key in one)]


def draws_test(name: str) -> bool:
    """Whether a study draws the test set over the training."""
    curves = [one for one in STUDIES[name]["study"]["figures"] if one["kind"] == "curves"]
    return any("test" in [*one.get("splits", ()), str(one.get("metric")).partition("/")[0]] for one in curves)


# ---------------------------------------------------------------------- Leiden


@pytest.mark.parametrize("name", LEIDEN)
def test_leidens_studies_choose_among_kerass_optimizers_and_batch_norm(name: str) -> None:
    assert set(choices(name, "optimizer")) <= {"sgd", "adagrad_keras", "adam_keras"}
    assert set(choices(name, "network.batch_norm")) <= {False, "keras"}


@pytest.mark.parametrize(
    ("name", "optimizer", "initializer", "norm"),
    [
        ("fashion_mlp", "torch.optim.SGD", "xavier_uniform_", False),
        ("fashion_mlp2", "torch.optim.Adagrad", "xavier_uniform_", False),
        ("fashion_cnn", "torch.optim.SGD", "xavier_uniform_", False),
        ("fashion_cnn1", "atelier.tasks.keras_adam.KerasAdam", "kaiming_uniform_", "keras"),
    ],
)
def test_leidens_networks_train_as_in_keras(
    compose: Compose, name: str, optimizer: str, initializer: str, norm: bool | str
) -> None:
    config = compose(f"experiment={name}")
    assert config.optimizer._target_ == optimizer
    assert config.optimizer.get("initial_accumulator_value", 0.1) == 0.1
    assert config.optimizer.get("eps", 1e-7) == 1e-7
    assert config.initializer.weight._target_ == f"torch.nn.init.{initializer}"
    assert config.network.batch_norm == norm


# ---------------------------------------------------------------------- IFT6135


@pytest.mark.parametrize(("which", "strength"), [(0, 0), (1, 50)])
def test_ift6135s_decay_multiplies_the_weights_by_what_the_report_says(
    compose: Compose, which: int, strength: float
) -> None:
    """1 − αλ/m, with α = 0.02, m the 54,000 of MNIST's 60,000 pictures that train, and the study's λ."""
    decay = choices("ift6135_weight_decay", "optimizer.weight_decay")[which]
    factory = build(compose("study=ift6135_weight_decay", f"optimizer.weight_decay={decay}").optimizer)
    weight = torch.nn.Parameter(torch.tensor([2.0, -1.0], dtype=torch.float64))
    weight.grad = torch.zeros_like(weight)
    factory([weight]).step()
    shrunk = (1 - weight.detach() / torch.tensor([2.0, -1.0])).tolist()
    assert shrunk == pytest.approx([0.02 * strength / 54_000] * 2, rel=1e-5, abs=1e-15)


def test_the_dogs_and_cats_of_ift6135_have_its_initializer_and_its_gap(compose: Compose) -> None:
    config = compose("study=ift6135_dogs_vs_cats")
    assert config.initializer.convolutions_only
    assert config.initializer.weight.gain == pytest.approx(torch.nn.init.calculate_gain("relu"))
    assert config.task.clean_train_accuracy, "without it there is no generalisation gap"
    assert {"kind": "bars", "metric": "generalisation_gap"} in STUDIES["ift6135_dogs_vs_cats"]["study"]["figures"]


# ---------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", ["ift6135_weight_decay", "ift6135_batchnorm", "leiden_cifar10"])
def test_where_the_report_draws_the_test_set_the_study_does(name: str) -> None:
    assert draws_test(name)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_watches_the_test_set_if_it_draws_it(name: str) -> None:
    defaults = {key: value for one in STUDIES[name]["defaults"] if isinstance(one, dict) for key, value in one.items()}
    callbacks = defaults.get("override /callbacks", ())
    assert ("watch_test" in callbacks) == draws_test(name)


def test_no_two_studies_have_one_claim() -> None:
    told = [tuple(claim.says for claim in read_claims(one["study"])) for one in STUDIES.values()]
    claims = [one for one in told if one]
    assert len(set(claims)) == len(claims)
