"""What a configuration builds takes arguments that fit; every other argument is told in a line."""

import itertools
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.arguments import typed
from atelier.compose.build import check_networks, check_targets
from atelier.compose.targets import build, check
from atelier.errors import InputError

Compose = Callable[..., DictConfig]
Refused = Callable[[DictConfig, str], None]


def node(target: Any, place: str = "optimizer", **arguments: Any) -> DictConfig:
    return OmegaConf.create({place: {"_target_": target, **arguments}})


def test_an_unknown_key_lists_those_that_there_are_the_nearest_first(refused: Refused) -> None:
    config = node("torch.optim.Adam", wheight_decay=0.1)
    refused(config, r"optimizer\.wheight_decay: Adam has .*choose from: weight_decay, ")


@pytest.mark.parametrize(
    ("target", "key", "value", "taken"),
    [
        ("torch.optim.SGD", "lr", "fast", "a number"),
        ("torch.optim.SGD", "nesterov", "perhaps", "true or false"),
        ("torch.optim.SGD", "nesterov", 1, "true or false"),
        ("torch.nn.Linear", "in_features", 2.5, "a whole number"),
        ("torch.nn.Linear", "in_features", True, "a whole number"),
        ("torch.nn.Linear", "in_features", None, "a whole number"),
        ("torch.nn.Linear", "in_features", [3], "a whole number"),
        ("atelier.tasks.schedule.Schedule", "interval", "century", "step, epoch"),
        ("atelier.tasks.encodings.Angles", "outputs", 4, "a list"),
        ("atelier.networks.mlp.MLP", "hidden", [64, "many"], "a list, each item a whole number"),
        ("atelier.networks.mlp.MLP", "hidden", "many", "a list"),
        (
            "atelier.networks.conv_blocks.ConvBlocks",
            "blocks",
            ["many"],
            "a list, each item a whole number of 1 or more or a list",
        ),
        (
            "atelier.networks.conv_blocks.ConvBlocks",
            "blocks",
            [[16, 0.5]],
            "a list, each item a whole number of 1 or more or a list",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_what_is_taken(
    refused: Refused, target: str, key: str, value: Any, taken: str
) -> None:
    written = re.escape(typed(value))
    refused(node(target, **{key: value}), rf"optimizer\.{key}={written}: {target.rpartition('.')[2]} takes .*{taken}")


@pytest.mark.parametrize(
    ("target", "key", "value"),
    [
        ("torch.optim.SGD", "lr", 0.1),
        ("torch.optim.SGD", "lr", 1),
        ("torch.optim.Adam", "betas", [0.9, 0.99]),
        ("torch.nn.Linear", "in_features", "???"),
        ("atelier.networks.conv_blocks.ConvBlocks", "blocks", [16, [32, 32]]),
    ],
)
def test_a_value_of_the_right_kind_passes(target: str, key: str, value: Any) -> None:
    check(node(target, **{key: value}))


@pytest.mark.parametrize(
    ("key", "value"), [("devices", "auto"), ("devices", 2), ("limit_train_batches", 0.5), ("profiler", None)]
)
def test_a_value_of_the_right_kind_passes_for_the_trainer(key: str, value: Any) -> None:
    check(node("lightning.pytorch.Trainer", place="trainer", **{key: value}))


@pytest.mark.parametrize(
    "override", ["+data.bath_size=3", "data.batch_size=many", "data.shuffle=perhaps", "data.mean=grey"]
)
def test_the_options_that_all_data_sets_share_are_checked_too(
    refused: Refused, compose: Compose, override: str
) -> None:
    key = override.partition("data.")[2].partition("=")[0]
    refused(compose(override, "callbacks=none", "trainer.precision=32-true"), rf"data\.{key}[:=]")


@pytest.mark.parametrize("group", ["optimizer", "network", "scheduler", "encoding", "task", "data"])
def test_an_additional_key_is_refused_in_every_group(refused: Refused, compose: Compose, group: str) -> None:
    config = compose("experiment=clock_angles", f"+{group}.nonsense=1", "callbacks=none", "trainer.precision=32-true")
    refused(config, rf"{group}\.nonsense: .*choose from: ")


def test_what_a_constructor_refuses_is_told_with_its_place() -> None:
    with pytest.raises(InputError, match=r"^SGD: Invalid learning rate: -1\.0$") as error:
        build(OmegaConf.create({"_target_": "torch.optim.SGD", "lr": -1.0}), params=[])
    assert type(error.value.__cause__) is ValueError
    with pytest.raises(InputError, match=r"^parts\.drop: dropout probability .*, but got 2$"):
        build(OmegaConf.create({"parts": {"drop": {"_target_": "torch.nn.Dropout", "p": 2}}}))


@pytest.mark.parametrize("error", [NotImplementedError("later"), KeyError("a"), AssertionError("b")])
def test_a_mistake_in_a_program_stays_what_it_is(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("torch.nn.Dropout.__init__", broken)
    with pytest.raises(type(error)) as found:
        build(OmegaConf.create({"_target_": "torch.nn.Dropout", "p": 0.5}))
    assert found.value is error


# ---------------------------------------------------------------------- every option of conf/

# Options that need a package which is not there, and groups that are checked elsewhere: by test_experiments, and with
# the callbacks.
OPTIONAL = [name for name in ("tensorboard", "wandb") if find_spec(name) is None]
ELSEWHERE = ("hydra", "local", "paths", "study", "experiment", "callbacks")


def test_every_option_that_no_experiment_has_is_accepted(
    compose: Compose, conf: Path, context: Callable[[str, str], list[str]]
) -> None:
    """Those of all groups side by side: what is wrong in one is told by its key."""
    alone: dict[str, list[str]] = {}
    for file in sorted(conf.glob("*/*.yaml")):
        group, option = file.parent.name, file.stem
        if group in ELSEWHERE or option in OPTIONAL:
            continue
        given = context(group, option)
        experiment = conf / "experiment" / f"{given[0].removeprefix('experiment=')}.yaml" if given else None
        if experiment is None:
            alone.setdefault(group, []).append(f"{group}={option}")
        elif not (experiment.is_file() and f"override /{group}: {option}\n" in experiment.read_text()):
            check_targets(compose(*given, f"{group}={option}", "callbacks=none"))
    assert {"activation", "optimizer", "scheduler", "trainer"} <= alone.keys()
    for chosen in itertools.zip_longest(*alone.values()):
        check_targets(compose(*filter(None, chosen), "callbacks=none"))


def test_the_default_configuration_is_accepted(compose: Compose) -> None:
    check_targets(compose())


def test_a_function_that_is_not_listed_names_where_to_list_it(refused: Refused) -> None:
    refused(node("atelier.data.account.account", place="penalty"), r"builds no account; .*pyproject\.toml.* parts")


def test_a_partial_that_is_false_is_built_and_a_refusal_without_a_place_names_the_class() -> None:
    assert build(OmegaConf.create({"_target_": "torch.nn.Dropout", "_partial_": False, "p": 0.25})).p == 0.25
    with pytest.raises(InputError, match=r"^Dropout: dropout probability"):
        build(OmegaConf.create({"_target_": "torch.nn.Dropout", "p": 2}))


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"network": "${refused}", "task": {"network": "${network}"}}, "network"),
        ({"task": {"head": "${refused}"}}, "task.head"),
    ],
)
def test_a_network_that_refuses_a_value_is_named_as_it_was_typed(config: dict[str, Any], key: str) -> None:
    refused = {"_target_": "torch.nn.Dropout", "p": 2}
    with pytest.raises(InputError, match=f"^{key}: dropout probability"):
        check_networks(OmegaConf.create({**config, "refused": refused, "start": {"freeze": None}}))
