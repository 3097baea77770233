"""Frozen parts: no gradient, no optimizer state, no decay, and computed as in evaluation."""

from collections.abc import Callable
from contextlib import nullcontext
from types import MethodType
from typing import Any

import pytest
import torch
from torch import nn

from atelier.callbacks.frames import looking
from atelier.compose.build import build_task
from atelier.errors import InputError
from atelier.start.freeze import freeze
from atelier.tasks.task import Task

Run = Callable[..., Any]
Compose = Callable[..., Any]


def network() -> nn.Sequential:
    first = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5))
    return nn.Sequential(first, nn.Linear(5, 3), nn.ReLU())


@pytest.mark.parametrize(("parts", "frozen"), [(["0"], 35), (["0.0"], 25), (["0.0.bias", "1"], 23), ([], 0)], ids=str)
def test_the_parameters_below_a_name_are_frozen(parts: list[str], frozen: int) -> None:
    made = network()
    assert freeze(made, parts) == frozen
    assert sum(one.numel() for one in made.parameters() if not one.requires_grad) == frozen


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (["features"], "no 'features'; choose from: "),
        (["2"], "no '2'; choose from: "),  # it has nothing to train
        (["0.5"], "no '0.5'; choose from: 0, 1"),
        ([""], "no ''; choose from: "),
        (["0", "1"], "leaves nothing to train"),
    ],
    ids=str,
)
def test_what_cannot_be_frozen_is_told_with_the_choices(parts: list[str], words: str) -> None:
    with pytest.raises(InputError) as told:
        freeze(network(), parts)
    assert str(told.value).startswith("start.freeze=[")
    assert words in str(told.value)


@pytest.mark.parametrize("optimizer", ["adam", "sgd_momentum", "adamw"])
def test_the_optimizer_neither_keeps_nor_decays_what_is_frozen(compose: Compose, optimizer: str) -> None:
    task = build_task(compose("network.hidden=[6,5]", f"optimizer={optimizer}", "optimizer.weight_decay=0.5"))
    first, *_, last = (layer for layer in task.network.modules() if isinstance(layer, nn.Linear))
    (name,) = (name for name, layer in task.network.named_modules() if layer is first)
    before = first.weight.clone(), last.weight.clone()
    freeze(task.network, [name])
    made = task.optimizer_of(task.network)
    for _ in range(2):
        made.zero_grad()
        task.network(torch.randn(8, 1, 8, 8)).square().sum().backward()
        made.step()
    assert first.weight.grad is None
    assert torch.equal(first.weight, before[0])
    assert not torch.equal(last.weight, before[1])
    assert not any(one is first.weight for group in made.param_groups for one in group["params"])


# They put the network into evaluation before the training and in its middle.
LOOKING = ["callbacks=deconvolution", "callbacks.deconvolution.channels=[0]", "task.clean_train_accuracy=true"]


@pytest.mark.parametrize("more", [["callbacks=none"], LOOKING], ids=["", "looked at"])
def test_a_frozen_part_is_as_it_was_after_a_training_its_batch_norm_too(
    run_verb: Run, small: list[str], source: Any, weights: Any, more: list[str]
) -> None:
    named = [f"start.weights={source.folder}", "start.freeze=[features]", "optimizer.weight_decay=0.1"]
    plain = [one for one in small if one != "callbacks=none"]
    outcome = run_verb("train", *plain, *named, *more, "test=false")
    assert (outcome.code, outcome.err) == (0, "")
    before, after = weights(source.folder), weights(outcome.folder, "last")
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("network.features.")} <= same
    assert [name for name in same if name.startswith("network.classifier.")] == []
    trained = sum(tensor.numel() for name, tensor in after.items() if name.startswith("network.classifier."))
    trained -= sum(t.numel() for n, t in after.items() if "classifier" in n and ("running" in n or "batches" in n))
    assert f"start.freeze: {trained:,} of {outcome.manifest['parameters']:,} parameters are trained" in outcome.out
    assert outcome.manifest["start"]["frozen_parameters"] == outcome.manifest["parameters"] - trained


def test_looking_leaves_each_layer_in_its_mode() -> None:
    made = network().train()
    made.averaged, made.evaluating = nullcontext, MethodType(Task.evaluating, made)  # as a task's
    freeze(made, ["0"])
    before = [module.training for module in made.modules()]
    with looking(made):
        assert not any(module.training for module in made.modules())
    assert [module.training for module in made.modules()] == before == [True, False, False, False, False, True, True]


def test_a_part_is_frozen_at_its_first_weights_where_no_others_are_named(run_verb: Run, small: list[str]) -> None:
    outcome = run_verb("train", *small, "start.freeze=[features]", "trainer.max_epochs=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.manifest["start"].keys() == {"frozen_parameters"}


GENERATIVE = ["trainer=cpu", "data.train_size=64", "trainer.max_epochs=1", "callbacks=none", "features=pixels"]


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (["experiment=digits_gan", "discriminator.hidden=[8,4]"], "discriminator.0"),
        (["experiment=digits_vae"], "encoder"),
    ],
    ids=["gan", "vae"],
)
def test_parts_of_a_task_with_several_networks_are_frozen(
    run_verb: Run, compose: Compose, weights: Any, overrides: list[str], part: str
) -> None:
    if part.endswith(".0"):
        names = [name for name, _ in build_task(compose(*overrides, *GENERATIVE)).network.named_parameters()]
        part = next(name for name in names if name.startswith("discriminator.")).rpartition(".")[0]
    outcome = run_verb("train", *overrides, *GENERATIVE, f"start.freeze=[{part}]")
    assert (outcome.code, outcome.err) == (0, "")
    task = build_task(compose(*overrides, *GENERATIVE))  # the seed decides its weights
    after = weights(outcome.folder, "last")
    for name, parameter in task.network.named_parameters():
        assert torch.equal(parameter, after[f"network.{name}"]) is name.startswith(f"{part}."), name


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["experiment=digits_gan", *GENERATIVE, "start.freeze=[generator]"], "start.freeze leaves nothing of the "),
        (["task=scratch", "network=scratch_mlp", "trainer=cpu", "start.freeze=[1_weight]"], "task=scratch trains the"),
        (["trainer=cpu", "start.freeze=[fetures]"], "start.freeze=['fetures']: the network has no 'fetures'; choose"),
        (["trainer=cpu", "start.freeze=layers"], "start.freeze=layers: give a list, each item text or null"),
    ],
    ids=str,
)
def test_a_run_that_cannot_be_frozen_so_ends_in_a_line(run_verb: Run, overrides: list[str], words: str) -> None:
    outcome = run_verb("train", *overrides)
    assert outcome.code == 2
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1
