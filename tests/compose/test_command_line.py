"""What is typed is done, or refused with the word to use; nothing is ignored."""

import re
from pathlib import Path

import pytest

from atelier.compose.command_line import SET_BY_THE_RUN, check_typed, in_order
from atelier.errors import InputError


@pytest.mark.parametrize(
    ("typed", "ordered"),
    [
        (["seed=1", "-m", "optimizer=sgd,adam"], ["-m", "seed=1", "optimizer=sgd,adam"]),
        (["seed=1", "--multirun"], ["--multirun", "seed=1"]),
        (["sweep.resume=latest"], ["-m", "sweep.resume=latest"]),
        (["-m", "sweep.resume=latest"], ["-m", "sweep.resume=latest"]),
        (["seed=1", "--cfg", "job"], ["seed=1", "--cfg", "job"]),
    ],
)
def test_the_flag_of_a_sweep_may_stand_anywhere(typed: list[str], ordered: list[str]) -> None:
    assert in_order(typed) == ordered


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("data.images=~/pets", "data.images=HOME/pets"),
        ("run='~/a run'", "run='HOME/a run'"),
        ("inputs=[~/a.png,~/b.png]", "inputs=[HOME/a.png,HOME/b.png]"),
        ("data.images=~/a,~/b", "data.images=HOME/a,HOME/b"),
        ("note=~/pets are new", "note='~/pets are new'"),
        ("data.images=/a/~/b~/c", "data.images=/a/~/b~/c"),
        ("~callbacks.ema", "~callbacks.ema"),
    ],
)
def test_a_tilde_is_the_users_home(typed: str, full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert in_order([typed]) == [full.replace("HOME", "/home/ann")]


@pytest.mark.parametrize("key", SET_BY_THE_RUN)
def test_what_the_run_sets_itself_is_refused(key: str, conf: Path) -> None:
    for typed in (f"{key}=1", f"+{key}=1", f"++{key}=1"):
        with pytest.raises(InputError, match=key.replace(".", r"\.")) as refused:
            check_typed([typed], conf)
        assert SET_BY_THE_RUN[key] in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("optimizer=[sgd,adam]", ["-m optimizer=sgd,adam"]),
        ("network=[mlp]", ["-m network=mlp"]),
        ("logger=null", ["logger", "--help"]),
        ("scheduler=", ["scheduler", "--help"]),
        ("+experiment=mnist_mlp", ["experiment=mnist_mlp", "without +"]),
        ("+data=mnist", ["data=mnist", "without +"]),
        ("+notes=first", ["notes"]),
        ("+group=a", ["group", "logger.NAME.group"]),
        ("+lr=0.1", ["nothing reads lr"]),
        ("++batch_size=3", ["nothing reads batch_size"]),
        ("+optimiser.lr=0.1", ["nothing reads optimiser"]),
    ],
)
def test_it_names_what_was_typed_and_what_to_type(typed: str, told: list[str], conf: Path) -> None:
    with pytest.raises(InputError) as refused:
        check_typed([typed], conf)
    for words in (typed, *told):
        assert words in str(refused.value)


@pytest.mark.parametrize(
    "typed",
    [
        *(["callbacks=[default,filters]"], ["+callbacks=filters"], ["logger=[csv,wandb]"], ["network.hidden=[4,5]"]),
        *(["+trainer.max_time=00:01:00:00"], ["+activation@network.output=tanh"], ["~callbacks"]),
        ["+width=7", "network.hidden=[${width}]"],
        ["+net.width=7", "network.hidden=[${oc.select:net.width,3}]"],
        ["+place=x", "hydra.sweep.dir=${place}", "-m", "++optimizer.lr=0.1", "++seed=3"],
        *(["note=", "seed=1"], ["--cfg", "job", "seed=1"], ["note='a, b'"], ["-m", "seed=0,1"]),
    ],
    ids=" ".join,
)
def test_what_has_a_meaning_passes(typed: list[str], conf: Path) -> None:
    check_typed(typed, conf)


@pytest.mark.parametrize(
    ("typed", "write"),
    [
        ("network.hidden=[64, 64, 32] seed=1", "network.hidden=[64,64,32]"),
        ("-m optimizer=sgd, adam", "optimizer=sgd,adam"),
        ("-m seed=0, trainer=cpu", "seed=0"),
        ("optimizer.lr = 0.1", "optimizer.lr=0.1"),
        ("optimizer.lr =0.1 seed=1", "optimizer.lr=0.1"),
        ("optimizer.lr= 0.1", "optimizer.lr=0.1"),
        ("seed=1 optimizer.lr = ", "optimizer.lr=VALUE"),
        ("baseline={optimizer: sgd}", "baseline={optimizer:sgd}"),
    ],
)
def test_a_blank_in_an_override_is_told_with_what_to_write(typed: str, write: str, conf: Path) -> None:
    with pytest.raises(InputError, match=f"a blank ends an override; write {re.escape(write)}$"):
        check_typed(typed.split(), conf)


def test_a_sweep_reads_no_other_configuration(conf: Path) -> None:
    check_typed(["--config-dir=/mine", "seed=1"], conf)
    with pytest.raises(InputError, match="--config-dir=/mine"):
        check_typed(["-m", "--config-dir=/mine", "seed=1"], conf)


@pytest.mark.parametrize("typed", [["--epochs", "3"], ["-m", "--lr=0.1"], ["seed=1", "-x"]], ids=" ".join)
def test_a_flag_that_hydra_lacks_is_told_in_a_line(typed: list[str], conf: Path) -> None:
    with pytest.raises(InputError, match=r"^-.*: there is no such flag; a setting is KEY=VALUE, without -; --help"):
        check_typed(typed, conf)


def test_the_value_of_a_flag_is_no_override(conf: Path) -> None:
    check_typed(["--cfg", "job", "--package", "optimizer"], conf)


def test_a_study_without_m_is_refused_and_its_jobs_are_not(conf: Path) -> None:
    """One run of the study's experiment, of full length, would begin in its place."""
    with pytest.raises(InputError, match=r"^study=clock_best: it is of a sweep; write -m study=clock_best, or exp"):
        check_typed(["study=clock_best", "seed=1"], conf)
    for typed in (
        ["-m", "study=clock_best"],
        ["study=clock_best", "sweep.folder='/s'"],
        ["study=clock_best", "--help"],
    ):
        check_typed(typed, conf)


@pytest.mark.parametrize("run", ["resume=latest", "resume=a,b"])
def test_a_sweep_goes_on_with_no_run(run: str, conf: Path) -> None:
    with pytest.raises(InputError) as refused:
        check_typed(["-m", run], conf)
    assert str(refused.value) == f"{run}: it goes on with one run, without -m; for a sweep, give sweep.resume=FOLDER"
