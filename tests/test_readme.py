"""The commands of README.md and of the pages in docs/ are real: those of the fenced bash blocks are executed.

The rule: every line of a ```bash block (a trailing comment is for the reader) is one of
- `python src/<verb>.py …`: composed and checked, and executed in make test-slow. What it trains is trained with
  `debug=fast` on few pictures; a block is one session, so that `latest` means what the lines above it have made. A file
  named in `inputs=` has to be there. A sweep of more than `MANY` jobs is composed and checked alone.
- `make <target> …`: the target is in the Makefile. The commands behind `make train` and `make test` are tested as such.
- `atelier …` or `pip install ./atelier`, which tests/test_program.py executes.
- a command of `SHELL`, which is about the user's own shell.
Anything else fails. Nothing is skipped: a line that needs what is not here (`NEEDS`) has to say so itself.

docs/results.md is made by a command. What docs/adding.md and docs/tables.md add is tested in tests/test_adding.py.
"""

import itertools
import math
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.__main__ import USAGE
from atelier.compose.build import check_networks, check_run
from atelier.compose.command_line import as_text
from atelier.compose.verb import with_plus
from atelier.sweeps.grid import OF_THE_SWEEP, expand
from atelier.sweeps.start import study_of

Run = Callable[..., Any]
Compose = Callable[..., Any]
ROOT = Path(__file__).parents[1]
APART = ("results.md", "adding.md", "tables.md")
GUIDES = [file for file in sorted((ROOT / "docs").glob("*.md")) if file.name not in APART]
PAGES = [ROOT / "README.md", *GUIDES]
SHELL = ("source", "export", "git", "cd", "cp")
MANY = 8
# {a word of a command: what it needs, and what is said where that is missing}
NEEDS = {
    "trainer=gpu": ("a GPU", "this machine has"),
    "trainer=ddp": ("a GPU", "this machine has"),
    "trainer=fsdp": ("a GPU", "this machine has"),
    "trainer=mps": ("an Apple GPU", "this machine has"),
    "hydra/launcher=slurm": ("Slurm", "is this a Slurm cluster?"),
}


def blocks(page: Path) -> list[list[str]]:
    """The commands of each fenced bash block; a line that ends in a backslash goes on in the next."""
    found = re.findall(r"^```bash\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    lines = ([line.strip() for line in block.replace("\\\n", " ").splitlines()] for block in found)
    return [[line for line in block if line and not line.startswith("#")] for block in lines]


COMMANDS = {page.stem: list(itertools.chain(*blocks(page))) for page in PAGES}
LINES = list(dict.fromkeys(itertools.chain(*COMMANDS.values())))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_of_a_page_stands_in_a_bash_block(page: Path) -> None:
    """But for what a terminal shows, which begins with its prompt."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    shown = [text for kind, text in fences if kind != "bash" and not text.startswith("$ ")]
    assert [line for text in shown for line in text.splitlines() if line.startswith(("python src/", "make "))] == []
    assert blocks(page) or page.name in ("scratch.md", "results.md")


def test_readme_leads_to_every_page_and_every_link_leads_somewhere() -> None:
    linked = set(re.findall(r"\]\((docs/[\w.]+)\)", (ROOT / "README.md").read_text()))
    assert {f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")} <= linked
    for page in [*PAGES, *(ROOT / "docs" / page for page in APART)]:
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert link.startswith("https://") or (page.parent / link).exists(), f"{page.name}: {link}"


def test_readme_says_in_its_first_screen_what_this_is_and_what_it_gives() -> None:
    first = (ROOT / "README.md").read_text().splitlines()[:40]
    assert "make train" in first
    assert any(line.startswith("![") for line in first)
    assert any(line.startswith("| task |") for line in first)


@pytest.mark.parametrize(
    ("page", "group"), [("callbacks", "callbacks"), ("data", "data"), ("devices", "trainer"), ("loggers", "logger")]
)
def test_the_options_that_a_guide_tells_of_are_there(conf: Path, page: str, group: str) -> None:
    """Those in the first column of its tables. An option of one's own need not be among them."""
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs" / f"{page}.md").read_text(), re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert len(named) >= 3
    assert named <= {file.stem for file in (conf / group).glob("*.yaml")}


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_of_a_kind_that_is_tested(line: str) -> None:
    first, *words = shlex.split(line, comments=True)
    if first == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[:1] == [] or words[0] in targets
    elif first == "python":
        assert (ROOT / words[0]).is_file()
        assert re.fullmatch(r"src/\w+\.py", words[0])
    elif first == "atelier":
        assert f"\n  {words[0]} " in USAGE
    elif first == "rm":  # of files that are there
        names = line.removeprefix("rm ").removeprefix("-r ")
        subprocess.run(["bash", "-O", "failglob", "-c", f"ls -d {names}"], cwd=ROOT, check=True)
    else:
        assert first in SHELL or line.startswith("pip install ./atelier ")


ASKING = {"--help", "--cfg", "--info", "--hydra-help", "-sc"}


def jobs_of(overrides: list[str], compose: Compose) -> list[list[str]]:
    """What the command trains: the overrides of each run."""
    if "-m" not in overrides:
        return [overrides]
    typed = [word for word in overrides if word != "-m"]
    named = [word for word in typed if word.startswith(("study=", "experiment=")) and "," not in word]
    study = study_of(compose(*named))
    budget = "quick" if "budget=quick" in typed else "full"
    if "hydra/sweeper=optuna" in typed:
        from atelier.sweeps.search_space import Space

        return Space(typed, study, budget).ends
    return expand(typed, study, budget)[0].jobs


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("python ")])
def test_every_command_composes_and_asks_for_what_can_be_made(compose: Compose, line: str) -> None:
    _, script, *overrides = map(as_text, shlex.split(line, comments=True))
    verb, asking = Path(script).stem, ASKING & set(overrides)
    own = [word for word in overrides if word.startswith(OF_THE_SWEEP) and not word.startswith("hydra.launcher.")]
    if own and not asking:
        compose(*own, config=verb)
    jobs = [] if asking else jobs_of(overrides, compose) if verb == "train" else [with_plus(verb, overrides)]
    last = [] if "study=" in line else jobs[1:][-1:]  # tests/test_studies.py checks all jobs of each study
    for job in [*jobs[:1], *last]:
        config = compose(*job, config=verb)
        if verb == "train" and config.resume is None:
            config.paths.data = ""
            if config.start.weights in ("latest", "DEFAULT"):  # of the run of the line above it, or to be fetched
                config.start.weights = None
            check_run(config)
            check_networks(config)
        for file in config.get("inputs", ()) if verb == "predict" else ():
            assert (ROOT / file).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_run_that_goes_on_has_not_had_as_many_epochs(compose: Compose, page: Path) -> None:
    """The commands are executed with `debug=fast`, which trains for two epochs only."""
    for block in blocks(page):
        had = math.inf
        for line in block:
            overrides = list(map(as_text, shlex.split(line, comments=True)))
            if overrides[:2] == ["python", "src/train.py"] and not ASKING & set(overrides) and "-m" not in overrides:
                longer = [word for word in overrides if word.startswith("trainer.max_epochs=")]
                if "resume=latest" not in overrides:
                    had = compose(*overrides[2:]).trainer.max_epochs
                elif longer:
                    now = int(longer[-1].partition("=")[2])
                    assert now > had, line
                    had = now


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [name for name, lines in COMMANDS.items() if any("python src/" in one for one in lines)]
)
def test_the_commands_of_a_page_work_one_after_the_other(
    run_verb: Run,
    compose: Compose,
    small: Callable[[Any], list[str]],
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    for line in COMMANDS[page]:
        words = shlex.split(line, comments=True)
        if words[0] != "python":
            continue
        verb, overrides = Path(words[1]).stem, words[2:]
        asking = ASKING & set(overrides)
        resuming = any(word.startswith("resume=") for word in overrides)  # it keeps the data and the limits of its run
        if verb == "train" and not asking and not resuming:
            jobs = jobs_of(overrides, compose)
            if len(jobs) > MANY:
                continue
            quick = ["debug=fast", *small(compose(*jobs[0]))]
            overrides = [*overrides, *(word for word in quick if word not in overrides)]
            if not any(word.startswith("trainer=") for word in overrides):
                overrides.append("trainer=cpu")
        outcome = run_verb(verb, *overrides, logs=tmp_path, environment={"WANDB_MODE": "offline"})
        told = [NEEDS[word][1] for word in overrides if word in NEEDS and not is_here(NEEDS[word][0])]
        if told:
            assert outcome.code == 2, f"{line}: should say what it needs"
            assert told[0] in outcome.err
        else:
            assert outcome.code == 0, f"{line}\n{outcome.err}"


def is_here(needed: str) -> bool:
    from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

    found = {"a GPU": CUDAAccelerator.is_available, "an Apple GPU": MPSAccelerator.is_available}
    return found[needed]() if needed in found else shutil.which("sbatch") is not None
