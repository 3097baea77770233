"""Help, the composed configuration and tab completion are answered at once: nothing heavy is imported for them."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.compose.command_line import as_text
from atelier.compose.verb import with_plus

Run = Callable[..., Any]
HEAVY = ("torch", "torchvision", "torchmetrics", "lightning", "matplotlib", "numpy", "wandb")
MODULES = 500  # importing them is most of the time that an answer takes
OPTIMIZERS = Path(__file__).parents[1] / "conf" / "optimizer"
VERBS = ("train", "eval", "export", "predict", "sample", "report", "dashboard")


def groups(conf: Path) -> dict[str, list[str]]:
    """The groups of conf/ with their options."""
    folders = [folder for folder in conf.iterdir() if folder.is_dir() and folder.name not in ("hydra", "local")]
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


@pytest.fixture(scope="module")
def help_page(run_process: Run) -> Callable[[str], str]:
    """What `python src/<verb>.py --help` prints."""
    known: dict[str, str] = {}

    def page(verb: str) -> str:
        if verb not in known:
            outcome = run_process(verb, "--help")
            assert (outcome.code, outcome.err) == (0, "")
            known[verb] = outcome.out
        return known[verb]

    return page


# ---------------------------------------------------------------------- speed


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--help"],
        ["train", "--cfg", "job"],
        pytest.param(["eval", "--help"], marks=pytest.mark.slow),
        pytest.param(["predict", "--help"], marks=pytest.mark.slow),
        ["train", "optimizer=adamm"],  # a mistake in composing is told as fast
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(run_process: Run, command: list[str]) -> None:
    outcome = run_process(*command, python=("-X", "importtime"))
    imported = re.findall(r"\| +(\S+)$", outcome.err, re.MULTILINE)
    assert "hydra" in imported, "the report of imports was not understood"
    assert [name for name in imported if name.split(".")[0] in HEAVY] == []
    assert len(imported) < MODULES


# ---------------------------------------------------------------------- the pages


def test_the_help_lists_every_group_with_its_options(help_page: Callable[[str], str], conf: Path) -> None:
    page = help_page("train")
    for group, options in groups(conf).items():
        (listed,) = re.findall(rf"^ *{group}: (.*(?:\n  +[^:\n]*$)*)", page, re.MULTILINE)
        assert sorted(re.split(r",\s+", listed.strip())) == options


def test_the_help_shows_at_least_five_commands(help_page: Callable[[str], str]) -> None:
    examples = re.findall(r"^ +(python src/train\.py.*)$", help_page("train"), re.MULTILINE)
    assert len(examples) >= 5


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_fits_a_page_for_people(help_page: Callable[[str], str], verb: str) -> None:
    page = help_page(verb)
    assert "Usage: python src/" in page
    assert "Examples" in page
    assert max(map(len, page.splitlines())) <= 140
    assert not re.search(r"\$[A-Z]|_target_|== .* ==", page), "a placeholder or Hydra's own page"


@pytest.mark.parametrize("verb", VERBS)
def test_the_examples_of_the_help_compose(
    help_page: Callable[[str], str], verb: str, compose: Callable[..., Any]
) -> None:
    examples = re.findall(rf"^ +python src/{verb}\.py(.*)$", help_page(verb), re.MULTILINE)
    assert examples
    for example in examples:
        words = list(map(as_text, shlex.split(example, comments=True)))
        if words[:1] == ["-m"]:  # one run for each choice, or drawn from a range; the first of them stands for all
            words = [re.sub(r"=(?:tag\(log,interval\()?([^,\[(]*),.*", r"=\1", word) for word in words[1:]]
        if any(word.isupper() for word in re.findall(r"=(\w+)", example)):
            continue  # the line of usage
        compose(*with_plus(verb, words), config=verb)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "train"])
def test_the_help_names_the_groups_and_keys_that_the_command_takes(
    help_page: Callable[[str], str], verb: str, conf: Path
) -> None:
    """All but `paths`, which docs/devices.md tells of."""
    text = (conf / f"{verb}.yaml").read_text()
    taken = set(re.findall(r"^  - (\w+):", text, re.MULTILINE)) - {"paths"}
    usage = help_page(verb).partition("Usage")[2].partition("Examples")[0]
    assert {group for group in groups(conf) if f"{group}=" in usage} == taken
    assert not re.search(r"^ *\w+: \w+, \w+", help_page(verb), re.MULTILINE), "a list of groups that it does not take"
    for key in set(re.findall(r"^(\w+): ", text, re.MULTILINE)) - {"hydra"}:
        assert re.search(rf"\b{key}[=.]", help_page(verb)), key


# ---------------------------------------------------------------------- Hydra's own features


def test_the_composed_configuration_is_printed(run_process: Run) -> None:
    outcome = run_process("train", "--cfg", "job", "optimizer=sgd", "optimizer.lr=0.5")
    assert (outcome.code, outcome.err) == (0, "")
    config = yaml.safe_load(outcome.out)
    assert config["optimizer"] == {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5, "weight_decay": 0.0}
    assert "hydra" not in config
    assert list(outcome.logs.iterdir()) == []


def test_the_origin_of_each_part_is_told(run_process: Run) -> None:
    outcome = run_process("train", "--info", "defaults")
    assert (outcome.code, outcome.err) == (0, "")
    for part in ("data/digits", "network/mlp", "optimizer/adam", "trainer/auto"):
        assert part in outcome.out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("optimizer=ada", {f"optimizer={file.stem}" for file in OPTIMIZERS.glob("ada*.yaml")}),
        ("network=clock_cnn_", {"network=clock_cnn_small"}),
        ("optimizer.l", {"optimizer.lr="}),
        ("experi", {"experiment="}),
    ],
)
def test_tab_completes_groups_options_and_keys(run_process: Run, typed: str, offered: set[str]) -> None:
    line = f"python src/train.py {typed}"
    outcome = run_process("train", "-sc", "query=bash", environment={"COMP_LINE": line, "COMP_POINT": str(len(line))})
    assert (outcome.code, outcome.err) == (0, "")
    assert set(outcome.out.split()) == offered


def test_the_completion_that_the_help_names_installs(
    run_process: Run, help_page: Callable[[str], str], conf: Path
) -> None:
    """The line for a shell is taken from the help, is that of README, and does what it says in bash."""
    (line,) = re.findall(r'(eval "\$\(python .*\)")', help_page("train"))
    assert f"`{line}`" in (conf.parent / "README.md").read_text()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = f"{line}; complete -p"
    found = subprocess.run(
        ["bash", "-c", script], cwd=conf.parent, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert "hydra_bash_completion" in found.stdout
