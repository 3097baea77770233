"""A command line that is wrong, or that asks for what this machine has not."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Run = Callable[..., Any]
CALLBACKS = "lightning.pytorch.callbacks"


def no_run_was_made(logs: Path) -> bool:
    return not list(logs.rglob("run.json"))


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("optimizer=adamm", "optimizer=adamm", ["adam, adamw"]),
        ("network=clock_cn", "network=clock_cn", ["clock_cnn, clock_cnn_small"]),
        ("experiment=clock_multihed", "experiment=clock_multihed", ["clock_multihead"]),
        ("optimizr=adam", "optimizr", ["optimizer"]),
        ("sed=1", "sed", ["seed"]),
        ("optimizer.momentum=0.9", "optimizer.momentum", ["AdamW", "lr"]),
        ("network.strides=[1]", "network.strides", ["SmallClockCNN", "channels"]),
        ("+optimizer.momentum=0.9", "optimizer.momentum", ["AdamW", "lr"]),
        ("+network.strides=[1]", "network.strides", ["SmallClockCNN", "channels"]),
        ("+trainer.max_epoch=3", "trainer.max_epoch", ["Trainer", "max_epochs"]),
        ("optimizer.lr=fast", "optimizer.lr=fast", ["AdamW", "number"]),
        ("network.dropout=much", "network.dropout=much", ["SmallClockCNN", "number"]),
        ("trainer.max_epochs=many", "trainer.max_epochs=many", ["Trainer", "whole number"]),
        ("trainer.max_epochs=2.5", "trainer.max_epochs=2.5", ["Trainer", "whole number"]),
        ("data.batch_size=many", "data.batch_size=many", ["Clocks", "whole number"]),
        ("data.augment=perhaps", "data.augment=perhaps", ["Clocks", "true", "false"]),
        ("data.num_images=1000", "data.num_images=1000", ["Clocks", "whole number", "2160"]),
        ("encoding.interval=7", "encoding.interval", []),
        ("seed=abc", "seed=abc", ["whole number", "0"]),
        ("seed=-1", "seed=-1", ["whole number", "0"]),
        ("seed=1.5", "seed=1.5", ["whole number", "0"]),
        ("seed=null", "seed=null", ["whole number", "0"]),
        ("train=perhaps", "train=perhaps", ["true", "false"]),
        ("train=false", "train=false", ["checkpoint=PATH"]),
        ("checkpoint=best.ckpt", "checkpoint=best.ckpt", ["train=false", "resume=FOLDER"]),
        ("resume=latest", "there is no run under ", []),
        ("resume=/nowhere", "/nowhere", ["run.json"]),
        ("resume=/nowhere/checkpoints/best.ckpt", "/nowhere/checkpoints/best.ckpt", ["checkpoints/last.ckpt"]),
        ("task.metric=val/nothing", "task.metric=val/nothing", ["val/loss", "val/common_sense_error"]),
        ("task.metric=val/accuracy", "task.metric=val/accuracy", ["task.mode=min", "task.mode=max"]),
        ("task.metric=val/within_5_minutes", "task.metric=val/within_5_minutes", ["task.mode=min", "task.mode=max"]),
        ("~task.optimizer", "ClockReader needs", ["optimizer"]),
        ("~network.hidden", "network", ["SmallClockCNN", "hidden"]),
        ("~data.batch_size", "Clocks needs", ["batch_size"]),
        ("trainer.devices=[0,1]", "trainer.devices=[0, 1]", ["GPUs", "number"]),
        ("optimizer=sgd,adam", "optimizer=sgd,adam", ["-m optimizer=sgd,adam"]),
        ("clock_best", "clock_best", ["experiment=clock_best"]),
        ("sgd,adam", "sgd,adam", ["optimizer=sgd,adam"]),
        ("something", "something", ["KEY=something", "--help"]),
        ("seed=1,2", "seed=1,2", ["-m seed=1,2", "seed=[1,2]"]),
        ("logger=none", "logger=none", ["csv", "wandb"]),
        (
            f"+callbacks.own={{_target_:{CALLBACKS}.EMAWeightAveraging}}",
            "callbacks.own",
            ["EMAW", "task.average=0.999"],
        ),
        (f"+callbacks.own={{_target_:{CALLBACKS}.WeightAveraging}}", "callbacks.own", ["task.average=0.999"]),
        (f"+callbacks.own={{_target_:{CALLBACKS}.StochasticWeightAveraging}}", "callbacks.own", ["task.average=0.999"]),
        (
            f"+callbacks.own={{_target_:{CALLBACKS}.ModelCheckpoint}}",
            "callbacks.own",
            ["ModelCheckpoint", "save_every"],
        ),
        (
            f"+callbacks.own={{_target_:{CALLBACKS}.EarlyStopping}}",
            "callbacks.own",
            ["EarlyStopping", "trainer.patience=N"],
        ),
        (
            f"+callbacks.own={{_target_:{CALLBACKS}.GradientAccumulationScheduler,scheduling:{{2:4}}}}",
            "callbacks.own",
            ["GradientAccumulationScheduler", "trainer.accumulate_grad_batches=N"],
        ),
        ("+trainer.fast_dev_run=true", "+trainer.fast_dev_run=true", ["debug=fast"]),
        ("data.fold=3", "data.fold=3", ["data.folds"]),
        ("callbacks=early_stopping", "callbacks=early_stopping", ["trainer.patience=N"]),
        ("callbacks=[default,model_checkpoint]", "callbacks=model_checkpoint", ["task.keep", "save_every"]),
        ("callbacks=ema", "callbacks=ema", ["task.average=0.999"]),
        ("trainer.patience=0", "trainer.patience=0", ["1 or more", "null"]),
        ("trainer.patience=soon", "trainer.patience=soon", ["whole number", "null"]),
        ("task.average=1", "task.average=1", ["0 to below 1", "null"]),
    ],
)
def test_a_wrong_command_line_is_told(
    told: Callable[..., str], tiny: list[str], override: str, key: str, words: list[str]
) -> None:
    """The key as it is typed, with its value where that is what is wrong, and what may stand there instead."""
    message = told("train", *tiny, "callbacks=none", override)
    assert re.match(rf"{re.escape(key)}(?!\w)", message)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("override", ["optimizer.lr=fast", "seed=abc", "+network.strides=[1]", "train=false"])
def test_a_wrong_command_line_leaves_no_run_behind(run_verb: Run, tiny: list[str], override: str, refusal: Any) -> None:
    outcome = run_verb("train", *tiny, override)
    assert refusal(outcome)
    assert no_run_was_made(outcome.logs)


@pytest.mark.parametrize(("verb", "words"), [("eval", ["run=latest"]), ("predict", ["run=latest", "inputs=latest"])])
def test_a_value_without_its_key_is_told_the_keys_that_the_command_needs(
    told: Callable[..., str], verb: str, words: list[str]
) -> None:
    message = told(verb, "latest")
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    "typed",
    [("logger=wandb", "+logger=csv"), ("+logger=wandb", "+logger=csv"), ("callbacks=none", "+callbacks=filters")],
    ids=" ".join,
)
def test_two_options_that_stand_in_no_list_are_told(told: Callable[..., str], typed: tuple[str, str]) -> None:
    group = typed[0].lstrip("+").partition("=")[0]
    assert told("train", *typed).strip() == (
        f"{group}: all options stand in one list: {group}=[A,B], or +{group}=[A,B] besides the usual ones"
    )


def test_all_options_of_a_group_are_listed(told: Callable[..., str], conf: Path) -> None:
    message = told("train", "optimizer=nothing")
    assert all(file.stem in message for file in (conf / "optimizer").glob("*.yaml"))


def test_a_value_that_has_to_be_given_is_told(told: Callable[..., str]) -> None:
    message = told("train", "experiment=clock_angles", "data=clocks_npy")
    assert message.startswith("data.images is missing: give it as data.images=VALUE")


def test_a_data_set_that_is_not_there_is_named(told: Callable[..., str], clocks: list[str], tmp_path: Path) -> None:
    message = told(
        "train",
        *clocks,
        "data=clocks_npy",
        f"data.images={tmp_path}/images.npy",
        f"data.labels={tmp_path}/labels.npy",
    )
    assert message.startswith(f"data.images={tmp_path}/images.npy: there is no such file")


@pytest.mark.parametrize(
    ("overrides", "start"),
    [
        (["trainer=gpu"], "trainer.accelerator=gpu: this machine has cpu"),
        (["trainer=mps"], "trainer.accelerator=mps: this machine has "),
        (["trainer=ddp"], "trainer.accelerator=gpu: this machine has cpu"),
    ],
)
def test_an_accelerator_that_is_not_here_is_told(
    told: Callable[..., str], tiny: list[str], overrides: list[str], start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

    for accelerator in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(accelerator, "is_available", staticmethod(lambda: False))
    assert told("train", *tiny, *overrides).startswith(start)


def test_two_devices_where_there_is_one_are_told(
    told: Callable[..., str], tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.pytorch.accelerators import CUDAAccelerator

    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    message = told("train", *tiny, "trainer=gpu", "trainer.devices=2", "trainer.precision=32-true")
    assert message.startswith("trainer.devices=2: this machine has 1 GPU")


@pytest.mark.parametrize(
    "override", ["inputs=IMG (1).png", "output=a{b}.png", "inputs=it's (2).png", "inputs=a=b,c (1).png", "run=a:b (c"]
)
def test_a_name_that_hydra_cannot_read_is_shown_in_quotes(told: Callable[..., str], override: str) -> None:
    import shlex

    from hydra.core.override_parser.overrides_parser import OverridesParser

    first, second = told("predict", override).splitlines()
    assert first.startswith(f"{override}: ")
    (argument,) = shlex.split(second)
    found = OverridesParser.create().parse_override(argument)
    assert f"{found.key_or_group}={found.value()}" == override


def test_a_name_that_is_no_text_is_told(told: Callable[..., str]) -> None:
    assert told("predict", "inputs=photos/caf\udce9.png").startswith("inputs=photos/caf\\xe9.png: Hydra reads no name")


def test_a_list_of_such_names_is_shown_in_quotes(told: Callable[..., str]) -> None:
    assert told("predict", "inputs=[IMG (1).png,b.png]").splitlines()[1] == """  "inputs=['IMG (1).png', …]\""""


def test_a_process_of_its_own_ends_as_those_here_do(run_process: Run, refusal: Any) -> None:
    """The other tests call the verb inside of the test's process."""
    assert refusal(run_process("train", "optimizer=adamm")).startswith("optimizer=adamm: no 'adamm'; choose from: ")
