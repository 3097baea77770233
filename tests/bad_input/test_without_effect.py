"""Keys and options that would change nothing, or not what was meant, are refused before a run begins."""

from collections.abc import Callable
from pathlib import Path

import pytest

from atelier.compose.command_line import check_typed
from atelier.errors import InputError
from atelier.option_files import keys_of_train

Told = Callable[..., str]
HEAD = "# @package _global_\n"


@pytest.mark.parametrize("line", ["lr: 0.1", "max_epochs: 3", "paths: {log: /x}", "paths: {date: /x}"])
def test_a_key_of_a_file_that_nothing_reads_is_refused(told_of: Told, line: str) -> None:
    """`${optimizer.lr}` reads no `lr`."""
    message = told_of(f"{HEAD}{line}\n")
    assert "(set by experiment=mine): nothing reads it; no " in message


@pytest.mark.parametrize(
    "line", ["callbacks: {filters: {count: 9}}", "callbacks: {filtres: {count: 9}}", "logger: {wandb: {group: x}}"]
)
def test_an_option_that_was_not_chosen_cannot_be_changed(told_of: Told, line: str) -> None:
    group, name = line.split(": {")[:2]
    message = told_of(f"{HEAD}{line}\n")
    assert message.startswith(f"{group}.{name}: it has no _target_; choose the option that it changes, +{group}={name}")


def test_a_wrong_key_is_of_the_experiment_only_if_its_file_has_it(told_of: Told) -> None:
    wrong = "_target_: torch.optim.Adam\n_partial_: true\nlr: 0.1\nbetas_: 1\n"
    typed = "experiment=disk_mlp"
    assert told_of(wrong, "optimizer/mine.yaml", typed).startswith("optimizer.betas_ (set by a file of conf/): ")
    assert told_of(f"{HEAD}schedular: {{gamma: 0.5}}\n", "debug/mine.yaml", typed).startswith(
        "schedular (set by a file of conf/): "
    )
    own = told_of(f"{HEAD}optimizer: {{betas_: 1}}\n")
    assert own.startswith("optimizer.betas_ (set by experiment=mine): ")


@pytest.mark.parametrize(
    "typed",
    [
        *("hydra/launcher=slurm", "hydra.launcher.jobs=2", "hydra/sweeper=optuna", "hydra.sweeper.trials=5"),
        *("sweep.settings_from=latest", "+hydra.launcher.options.x=1"),
    ],
)
def test_what_is_of_a_sweep_is_refused_for_one_run(conf: Path, typed: str) -> None:
    """It would train one run, on this machine, with the defaults."""
    with pytest.raises(InputError) as caught:
        check_typed(["seed=1", typed], conf)
    assert str(caught.value) == f"{typed}: it is of a sweep; write -m {typed}"
    check_typed(["-m", "seed=1", typed], conf)


@pytest.mark.parametrize("group", ["mixing", "features", "encoding", "generator"])
def test_a_group_that_a_run_has_not_by_default_may_be_null(conf: Path, group: str) -> None:
    """So that a sweep can have it and not have it: -m mixing=null,mixup."""
    check_typed([f"{group}=null"], conf)
    check_typed([f"{group}=null"], conf, "job")
    assert keys_of_train(conf)[1][group] is None
    with pytest.raises(InputError, match=f"give {group} the name of one of its options"):
        check_typed([f"{group}="], conf)
    with pytest.raises(InputError, match="give network the name of one of its options"):
        check_typed(["network=null"], conf)


@pytest.mark.parametrize(
    "line", ["paths: {scratch: /s}\ndata: {seed: '${paths.scratch}'}", "mine: 3\nstart: {checksum: '${..mine}'}"]
)
def test_what_another_key_reads_is_none_of_them(told_of: Told, line: str) -> None:
    assert "nothing reads it" not in told_of(f"{HEAD}{line}\n")


def test_a_group_of_ones_own_is_added(project: Path, told_of: Told) -> None:
    folder = project / "conf" / "loss"
    folder.mkdir()
    (folder / "huber.yaml").write_text("delta: 1.0\n")
    try:
        alone = told_of("tags: ['${loss.delta}']\n".join([HEAD, ""]), "experiment/mine.yaml", "loss=huber")
        assert alone == "loss: no defaults list has it; write +loss=OPTION"
        check_typed(["+loss=huber"], project / "conf")
    finally:
        (folder / "huber.yaml").unlink()
        folder.rmdir()


@pytest.mark.parametrize("key", ["task.label_smoothing", "optimizer.lr"])
def test_a_typed_reference_to_what_is_not_there_is_told_without_a_none(told: Told, key: str) -> None:
    message = told("train", f"{key}=${{loss.delta}}")
    assert "needs loss.delta, which is missing; give another loss=" in message
    assert "None" not in message
