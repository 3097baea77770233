"""The commands of README.md are real: those of the fenced bash blocks are executed, in the order of the page.

The rule: every line of a ```bash block (a trailing comment is for the reader) is one of
- `python src/<verb>.py …`: composed and checked, and executed in make test-slow. What it trains is trained with
  `debug=fast` on few pictures; a block is one session, so that `latest` means what the lines above it have made. A file
  named in `inputs=` has to be there.
- `make <target> …`: the target is in the Makefile. The commands behind `make train` and `make test` are tested as such.
- a command of `SHELL`, which is about the user's own shell.
Anything else fails. Nothing is skipped: a line that needs hardware which is not here (`NEEDS`) has to say so itself.
"""

import itertools
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.compose.build import check_networks, check_run

Run = Callable[..., Any]
ROOT = Path(__file__).parents[1]
SHELL = ("source", "export", "git", "cd", "cp")
NEEDS = {"trainer=gpu": "a GPU", "trainer=ddp": "GPUs", "trainer=fsdp": "GPUs", "trainer=mps": "an Apple GPU"}


def blocks(page: str) -> list[list[str]]:
    """The commands of each fenced bash block; a line that ends in a backslash goes on in the next."""
    found = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = ([line.strip() for line in block.replace("\\\n", " ").splitlines()] for block in found)
    return [[line for line in block if line and not line.startswith("#")] for block in lines]


def plain(word: str) -> bool:
    """Whether an override stands in a single run as it does in a sweep."""
    return word != "-m" and "interval(" not in word and "range(" not in word


BLOCKS = blocks((ROOT / "README.md").read_text())


def test_the_page_has_commands() -> None:
    assert sum(map(len, BLOCKS)) >= 5


@pytest.mark.parametrize("line", list(itertools.chain(*BLOCKS)))
def test_every_command_is_of_a_kind_that_is_tested(line: str) -> None:
    first, *words = shlex.split(line, comments=True)
    if first == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[:1] == [] or words[0] in targets
    elif first == "python":
        assert (ROOT / words[0]).is_file()
        assert re.fullmatch(r"src/\w+\.py", words[0])
    else:
        assert first in SHELL


ASKING = {"--help", "--cfg", "--info", "--hydra-help", "-sc"}


def first_of_each(overrides: list[str]) -> list[str]:
    """The overrides of a single run, of a sweep with the first of its choices."""
    return [re.sub(r"=([^,\[]*),.*", r"=\1", word) for word in overrides if plain(word)]


@pytest.mark.parametrize("line", [line for line in itertools.chain(*BLOCKS) if line.startswith("python ")])
def test_every_command_composes_and_asks_for_what_can_be_made(compose: Callable[..., Any], line: str) -> None:
    _, script, *overrides = shlex.split(line, comments=True)
    verb, asking = Path(script).stem, ASKING & set(overrides)
    config = compose(*([] if asking else first_of_each(overrides)), config=verb)
    if verb == "train" and not asking and config.resume is None:
        config.paths.data = ""
        check_run(config)
        check_networks(config)
    for file in config.get("inputs", ()) if verb == "predict" else ():
        assert (ROOT / file).is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [n for n, block in enumerate(BLOCKS) if any("python src/" in line for line in block)]
)
def test_the_commands_of_a_block_work_one_after_the_other(
    run_verb: Run,
    compose: Callable[..., Any],
    small: Callable[[Any], list[str]],
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lightning.pytorch.accelerators import CUDAAccelerator

    monkeypatch.chdir(ROOT)
    for line in BLOCKS[number]:
        words = shlex.split(line, comments=True)
        if words[0] != "python":
            continue
        verb, overrides = Path(words[1]).stem, words[2:]
        asking = ASKING & set(overrides)
        resuming = any(word.startswith("resume=") for word in overrides)  # it keeps the data and the limits of its run
        if verb == "train" and not asking and not resuming:
            composed = compose(*first_of_each(overrides))
            overrides = [*overrides, *(word for word in ("debug=fast", *small(composed)) if word not in overrides)]
            if not any(word.startswith("trainer=") for word in overrides):
                overrides.append("trainer=cpu")
        outcome = run_verb(verb, *overrides, logs=tmp_path, environment={"WANDB_MODE": "offline"})
        needed = [NEEDS[word] for word in overrides if word in NEEDS]
        if needed and not CUDAAccelerator.is_available():
            assert outcome.code == 2, f"{line}: needs {needed[0]}, and should say so"
            assert "this machine has" in outcome.err
        else:
            assert outcome.code == 0, f"{line}\n{outcome.err}"
