"""A file of conf/ that is written wrongly: its text, its first line, its defaults list, a key that nothing reads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RIGHT = "# @package _global_\ndefaults:\n  - override /network: lenet5\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# @package _global_\ntrainer:\n\tmax_epochs: 1\n", ["line 3", "spaces, not with a tab"]),
        (RIGHT + "trainer: {max_epochs: 1\n", ["line 5", "'}'"]),
        (RIGHT + "trainer:\n  max_epochs: 1\ntrainer:\n  devices: 1\n", ["line 6", "duplicate key trainer"]),
        (RIGHT.encode() + b"note: caf\xe9\n", ["save it as UTF-8"]),
        ("defaults:\n  - override /network: lenet5\n", ["`# @package _global_`"]),
        (b"\xef\xbb\xbf" + RIGHT.encode(), ["`# @package _global_`", "without BOM"]),
        ("trainer:\n  max_epochs: 1\n", ["`# @package _global_`"]),
        (RIGHT.replace("/network", "network"), ["`override /network: …`"]),
    ],
    ids=["tab", "bracket", "twice", "latin1", "no package", "byte-order mark", "ignored as a whole", "no slash"],
)
def test_the_file_and_the_remedy_are_named(told_of: Callable[..., str], content: str | bytes, words: list[str]) -> None:
    message = told_of(content)
    assert message.startswith("conf/experiment/mine.yaml")
    assert all(word in message for word in words), message


@pytest.mark.parametrize("group", ["optimizer", "data", "debug"])
def test_files_of_every_group_are_told(told_of: Callable[..., str], group: str) -> None:
    assert told_of("a: [1\n", f"{group}/mine.yaml").startswith(f"conf/{group}/mine.yaml, line 2: ")


def test_an_option_without_override_gets_the_words_to_write(told_of: Callable[..., str]) -> None:
    assert "`override /network: lenet5`" in told_of(RIGHT.replace("override ", ""))


@pytest.mark.parametrize(
    ("line", "start", "words"),
    [
        ("optimiser: {lr: 0.5}", "optimiser (set by experiment=mine): ", ["choose from: optimizer, "]),
        ("sed: 3", "sed (set by experiment=mine): ", ["choose from: seed, "]),
        ("start: {freze: [features]}", "start.freze (set by experiment=mine): ", ["choose from: freeze, "]),
        ("3: seed", "3 (set by experiment=mine): ", ["nothing reads it"]),
        ("trainer.max_epochs: 7", "trainer.max_epochs: 7 (", ["`trainer:`", "`max_epochs: 7`"]),
        ("data: mnist", "data: mnist (", ["`- override /data: mnist`"]),
    ],
)
def test_a_key_that_nothing_reads_is_refused(
    told_of: Callable[..., str], line: str, start: str, words: list[str]
) -> None:
    message = told_of(f"{RIGHT}{line}\n")
    assert message.startswith(start)
    assert all(word in message for word in words), message


@pytest.mark.parametrize("file", ["debug/mine.yaml", "study/mine.yaml"])
def test_the_same_in_files_of_other_groups_that_set_anything(told_of: Callable[..., str], file: str) -> None:
    assert told_of("# @package _global_\nschedular: {gamma: 0.5}\n", file).startswith(
        "schedular (set by a file of conf/)"
    )


@pytest.mark.parametrize(
    ("lines", "typed"),
    [
        ("width: 7\nnetwork: {hidden: ['${width}']}", []),
        ("smooth: 0.2\ntask: {label_smoothing: '${oc.select:smooth,0.1}'}", []),
        ("seed: 3\ntags: [one]\nquick: {seed: [0]}\nstart: {freeze: [features]}", []),
        ("seed: 3", ["+width=7", "network.hidden=[${width}]"]),
    ],
)
def test_a_key_of_ones_own_that_something_reads_is_none(
    told_of: Callable[..., str], lines: str, typed: list[str]
) -> None:
    assert told_of(f"{RIGHT}{lines}\n", "experiment/mine.yaml", *typed) == ""


@pytest.mark.parametrize(
    ("typed", "group"),
    [
        (["experiment=palindrome_lstm", "activation=tanh"], "activation"),
        (["experiment=disk_mlp", "mixing=mixup"], "mixing"),
        (["encoding=angles"], "encoding"),
        (["experiment=digits_gan", "network=mlp"], "network"),
        (["features=pixels", "features.side=4"], "features"),
        (["experiment=palindrome_lstm", "activation=tanh", "sweep.swept=[activation]"], "activation"),
        (["experiment=palindrome_lstm", "activation=tanh", "sweep.swept=[network,activation]"], "activation"),
        (["experiment=palindrome_lstm", "activation=tanh", "sweep.swept=[optimizer.lr,seed]"], "activation"),
        (["experiment=palindrome_lstm", "activation=tanh", "sweep.swept=[network]"], None),
        (["experiment=palindrome_lstm", "activation=tanh", "sweep.swept=[optimizer]"], "activation"),
        (["experiment=palindrome_lstm", "activation=tanh", "sweep.swept=[experiment]"], None),
        (["activation=tanh"], None),
        (["mixing=mixup", "mixing.alpha=0.3"], None),
        (["experiment=clock_angles", "encoding=angles"], None),
    ],
    ids=str,
)
def test_a_group_that_nothing_reads_is_refused(
    refused: Callable[[list[str]], str], typed: list[str], group: str | None
) -> None:
    """Its runs would be told apart from those without it, and be the same."""
    override = next((one for one in typed if group and one.startswith(group)), None)
    told = f"{override}: no part of this configuration reads {group}; leave it out" if group else ""
    assert refused(typed) == told


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["data.augmentation.shift=3"], "data.augmentation.shift=3: data.augment=false leaves it without effect"),
        (["data.magnitude=5"], "data.magnitude=5: data.operations=0 leaves it without effect"),
        (["data.magnitude=5", "sweep.swept=[data.magnitude]"], "data.magnitude=5: data.operations=0 leaves it without"),
        (["data.magnitude=5", "sweep.swept=[data.magnitude,data.operations]"], None),
        (["data.augmentation.shift=3", "sweep.swept=[experiment]"], None),
        (["data.augmentation.shift=3", "sweep.swept=[data,seed]"], None),
        (["data.augment=true", "data.augmentation.shift=1"], None),
        (["data.operations=2", "data.magnitude=5"], None),
    ],
    ids=str,
)
def test_what_is_switched_off_cannot_be_set(
    refused: Callable[[list[str]], str], typed: list[str], told: str | None
) -> None:
    found = refused(typed)
    assert found.startswith(told) if told else found == ""


def test_windows_line_ends_are_none(told_of: Callable[..., str]) -> None:
    assert told_of(RIGHT.replace("\n", "\r\n")) == ""


def test_the_command_and_its_sweep_tell_it(project: Path, run_verb: Callable[..., Any], refusal: Any) -> None:
    (project / "conf" / "experiment" / "tab.yaml").write_text("# @package _global_\ntrainer:\n\tmax_epochs: 1\n")
    for flag in ([], ["-m"]):
        outcome = run_verb(str(project / "src" / "train.py"), *flag, "experiment=tab")
        assert "conf/experiment/tab.yaml, line 3" in refusal(outcome)
    (project / "conf" / "experiment" / "tab.yaml").unlink()
