"""What a user is told about a command line that Hydra cannot compose: the key, the value, the choices."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from atelier.compose.explain import explain
from atelier.compose.verb import about_settings
from atelier.errors import nearest_first

Told = Callable[..., str]


@pytest.fixture
def told(compose: Callable[..., DictConfig], conf: Path) -> Told:
    """The message about a command line, composed and read to its last value as a verb does."""

    def message(*overrides: str) -> str:
        with pytest.raises((HydraException, OmegaConfBaseException)) as error:
            OmegaConf.to_container(compose(*overrides), resolve=True, throw_on_missing=True)
        text = explain(error.value, conf)
        assert 1 <= len(text.splitlines()) <= 2
        return text

    return message


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("optimizer=adamm", "optimizer=adamm: no 'adamm'; choose from: adam, "),
        ("network=clock_cn", "network=clock_cn: no 'clock_cn'; choose from: clock_cnn, "),
        ("debug=fats", "debug=fats: no 'fats'; choose from: fast, "),
        ("trainer=tpu", "trainer=tpu: no 'tpu'; choose from: "),
    ],
)
def test_an_unknown_option_names_the_group_and_its_options(told: Told, override: str, start: str) -> None:
    assert told(override).startswith(start)


def test_all_options_of_the_group_are_listed(told: Told, conf: Path) -> None:
    message = told("optimizer=nothing")
    assert all(file.stem in message for file in (conf / "optimizer").glob("*.yaml"))


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("optimizer.momentum=0.9", "optimizer.momentum: Adam has no 'momentum'; choose from: "),
        ("trainer.max_epoch=3", "trainer.max_epoch: Trainer has no 'max_epoch'; choose from: max_epochs, "),
        ("data.augmentation.shfit=3", "data.augmentation.shfit: CropFlipCutout has no 'shfit'; choose from: shift, "),
        ("sed=1", "sed: no 'sed'; choose from: seed, "),
        ("paths.log=x", "paths.log: no 'log'; choose from: logs, "),
    ],
)
def test_an_unknown_key_names_what_has_no_such_key_and_the_nearest_first(told: Told, override: str, start: str) -> None:
    assert told(override).startswith(start)


@pytest.mark.parametrize("override", ["optimizr=adam", "optimizr.lr=1"])
def test_an_unknown_group_lists_groups_the_nearest_first(told: Told, override: str) -> None:
    assert told(override).startswith("optimizr: no 'optimizr'; choose from: optimizer, ")


def test_of_a_long_message_two_lines_are_told(conf: Path) -> None:
    assert explain(ValueError("\none\ntwo\nthree\n"), conf) == "one\ntwo"


def test_flags_that_exclude_each_other_are_told(run_verb: Callable[..., Any]) -> None:
    outcome = run_verb("train", "-m", "--cfg", "job")
    assert (outcome.code, outcome.err[:13]) == (2, "Only one of -")


def test_internal_keys_are_not_offered(told: Told) -> None:
    assert "_target_" not in told("optimizer.momentum=0.9")
    assert "hydra" not in told("sed=1")


def test_a_missing_value_says_how_to_give_it(told: Told) -> None:
    message = told("experiment=clock_angles", "data=clocks_npy", "data.labels=x.npy")
    assert message == "data.images is missing: give it as data.images=VALUE"


def test_a_value_that_cannot_be_computed_names_its_key_and_why(told: Told) -> None:
    message = told("experiment=clock_angles", "encoding=classification", "encoding.interval=7")
    assert message == "7 does not divide 720; give one of its divisors, such as 1, 15 or 30"


def test_a_group_that_has_to_be_chosen_lists_its_options(told: Told) -> None:
    assert told("task=clock").startswith("encoding is missing: choose from: angles, ")


def test_data_that_lacks_what_a_network_needs_is_told(told: Told) -> None:
    choices = "give another data= or network=, or network.num_classes=…"
    assert told("data=clocks") == f"network.num_classes needs data.num_classes, which is missing; {choices}"


def test_callbacks_and_loggers_are_left_out_by_an_option(told: Told) -> None:
    assert told("~callbacks") == "~callbacks: write callbacks=none, which leaves them out"
    assert told("~logger") == "~logger: write logger=csv, metrics.csv alone"


@pytest.mark.parametrize("value", ["[1", "{a", "adam,sgd"])
def test_a_malformed_value_is_quoted(told: Told, value: str) -> None:
    assert value in told(f"trainer.max_epochs={value}")


def test_the_nearest_choice_comes_first_whatever_its_case() -> None:
    assert nearest_first("ADAM", ["sgd", "adamw", "adam"]) == ["adam", "adamw", "sgd"]


def test_an_option_without_keys_names_those_that_have_the_key(told: Told) -> None:
    assert told("penalty.strength=1") == "penalty.strength: penalty=none has no keys; choose penalty=l1 or l2"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task.network.dropout=0.1", "task.network has no keys; write network.dropout=VALUE"),
        ("task.optimizer.lr=1", "task.optimizer has no keys; write optimizer.lr=VALUE"),
        ("callbacks.curves.dpi=300", "callbacks.curves has no keys"),
    ],
)
def test_a_place_without_keys_says_where_the_key_stands(told: Told, override: str, message: str) -> None:
    assert told(override) == f"{override.partition('=')[0]}: {message}"


def test_a_key_of_a_logger_names_the_logger_to_choose(told: Told) -> None:
    assert told("logger.wandb.project=mine") == "logger.wandb: logger has no keys; choose logger=wandb"


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        ("optimizer.amsgrad", "Adam"),
        ("trainer.benchmark", "Trainer"),
        ("activation.inplace", "ReLU"),
        ("data.plain", "Digits"),  # of its base class
    ],
)
def test_an_argument_that_no_file_sets_is_added_with_a_plus(told: Told, key: str, owner: str) -> None:
    assert told(f"{key}=true") == f"{key}: {owner} has it, and no file sets it; write +{key}=VALUE"


def test_a_key_beside_a_wrong_target_is_told_as_any_other(told: Told) -> None:
    assert told("optimizer._target_=torch.optim.Adamm", "optimizer.amsgrad=true").startswith(
        "optimizer.amsgrad: Adamm has no 'amsgrad'; choose from: "
    )


@pytest.mark.parametrize("typed", ["+logger=tensorboard", "logger=tensorboard", "logger=[csv,tensorboard]"])
def test_a_logger_is_added_as_a_callback_is(compose: Callable[..., DictConfig], typed: str) -> None:
    assert list(compose(typed).logger) == ["tensorboard"]


def test_a_group_of_which_nothing_is_chosen_names_its_options(told: Told) -> None:
    assert told("encoder.hidden=[3]") == "encoder: no option is chosen; choose encoder=conv or mlp"


@pytest.mark.parametrize(("kind", "start"), [("LSTM", "trainer.precision: "), ("matmul", "trainer.precision: ")])
def test_a_computation_that_the_processor_cannot_do_in_bf16_names_the_key(kind: str, start: str, conf: Path) -> None:
    error = RuntimeError(f"could not create a primitive descriptor for the {kind} forward propagation primitive. Run")
    assert about_settings(error)
    assert explain(error, conf).startswith(start)


@pytest.mark.parametrize(("verb", "advised"), [("eval", True), ("report", False), ("dashboard", False)])
def test_a_verb_is_advised_of_what_it_takes(conf: Path, verb: str, advised: bool) -> None:
    """A report has no data.KEY=, of which a verb that opens a run tells."""
    error = ConfigCompositionException("Could not override 'logger'.\nNo match in the defaults list.")
    told = explain(error, conf, verb)
    assert told.startswith("logger: this command takes no logger=")
    assert ("data.KEY=VALUE" in told) == advised


@pytest.mark.parametrize(
    ("verb", "typed", "told"),
    [
        ("report", "sweeps", "sweeps: no 'sweeps'; choose from: sweep, paths"),
        ("eval", "dta", "dta: no 'dta'; choose from: data, task, trainer, paths, sweep"),
        ("report", "trainer", "trainer: this command takes no trainer.KEY="),
        ("report", "encoder", "encoder: this command takes no encoder.KEY="),
        ("eval", "encoder", "encoder: of a finished run, trainer, data, task can be changed"),
        (
            "eval",
            "trainer",
            "trainer: no option is chosen; choose trainer=auto or cpu or ddp or ddp_cpu or fsdp or gpu or mps",
        ),
        ("export", "dta", "dta: no 'dta'; choose from: data, task, paths, sweep"),
        ("export", "trainer", "trainer: of a finished run, data, task can be changed"),
    ],
)
def test_a_key_is_compared_with_what_the_verb_takes(conf: Path, verb: str, typed: str, told: str) -> None:
    config = OmegaConf.create({"sweep": None, "paths": {}})
    OmegaConf.set_struct(config, True)
    with pytest.raises(OmegaConfBaseException) as fault:
        config[typed]
    error = ConfigCompositionException()
    error.__cause__ = fault.value
    assert explain(error, conf, verb) == told


@pytest.mark.parametrize(
    ("override", "written"),
    [
        ("lr=0.1", "optimizer.lr=VALUE"),
        ("max_epochs=3", "trainer.max_epochs=VALUE"),
        ("hidden=4", "network.hidden=VALUE"),
    ],
)
def test_a_key_without_its_group_is_told_with_it(told: Told, override: str, written: str) -> None:
    assert told(override) == f"{override.split('=')[0]}: no such key here; write {written}"


@pytest.mark.parametrize("typed", ["[64,32,]", "[64,,32]", "(64, 32)"])
def test_a_list_of_numbers_that_hydra_cannot_read_is_shown_as_hydra_writes_it(told: Told, typed: str) -> None:
    assert told(f"network.hidden={typed}") == f"network.hidden={typed}: a list is written as network.hidden=[64,32]"


def test_a_bracket_that_is_not_closed_is_told(told: Told) -> None:
    assert told("network.hidden=[64,32").startswith("network.hidden=[64,32: a [ without its ]; ")


@pytest.mark.parametrize(("typed", "written"), [("tags=[ä,b]", "tags=['ä', …]"), ("tags=half)", "tags='half)'")])
def test_a_value_that_hydra_cannot_read_is_told_without_hydras_words(told: Told, typed: str, written: str) -> None:
    line = "text with such characters stands in quotes, Hydra's and the shell's:"
    assert told(typed) == f'{typed}: {line}\n  "{written}"'
