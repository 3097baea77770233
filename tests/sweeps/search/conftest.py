"""Searches whose trials end as they are told, without trainings."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from atelier.sweeps.local import Limits, Local
from atelier.sweeps.run import Loop
from atelier.sweeps.search import Search
from atelier.sweeps.search_space import Space
from atelier.sweeps.sweep import Job, Sweep

CONF = Path(__file__).parents[3] / "conf" / "hydra" / "sweeper"
SPACE = ("do=well", "best=interval(0,1)", "kind=a,b")


def facts(overrides: list[str]) -> dict[str, Any]:
    """What the preflight finds: all is well, but for kind=bad."""
    if "kind=bad" in overrides:
        return {"problem": "kind=bad: it cannot be"}
    known: dict[str, Any] = {
        "seed": 0,
        "config_hash": " ".join(overrides),
        "experiment": "x",
        "accelerator": "cpu",
        "devices": 1,
    }
    known["values"] = {"kind": "usual"}  # what a job composes to that does not set it
    return {**known, "gpus": 0, "epochs": 1, "objective": {"metric": "val/loss", "mode": "min"}}


def node(part: str, name: str | None, options: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The sampler or pruner of that name in conf/, with these options."""
    file = CONF / part / f"{name}.yaml"
    return {**yaml.safe_load(file.read_text()), **(options or {})} if name else None


def search_in(
    folder: Path,
    *arguments: str,
    mode: str = "min",
    sampler: str = "tpe",
    sampler_options: Mapping[str, Any] | None = None,
    pruner: str | None = None,
    pruner_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Search:
    """A search in `folder`, a new one or the one that is there already; sampler and pruner by their names in conf/."""
    nodes = {"sampler": node("sampler", sampler, sampler_options), "pruner": node("pruner", pruner, pruner_options)}
    search = {"trials": 20, "seed": 0, **nodes, **options}
    if folder.exists():
        sweep = Sweep.open(str(folder), Path())
        sweep.manifest.update(search=search)
        return Search(sweep, facts)
    command = list(arguments or SPACE)
    about = {"study": None, "experiment": "x", "budget": "full", "command": command, "presentation": {}, "quick": {}}
    about |= {"swept": Space(command, {}, "full").swept, "objective": {"metric": "val/loss", "mode": mode}}
    return Search(Sweep.create(folder, [], **about, search=search), facts)


@pytest.fixture(scope="session", name="search_in")
def search_in_fixture() -> Callable[..., Search]:
    return search_in


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Search]:
    """`search("a=interval(0,1)", trials=3)`: a search in a folder of its own; again, the one that it was."""

    def make(*arguments: str, **options: Any) -> Search:
        return search_in(tmp_path / "search", *arguments, **options)

    return make


def end(search: Search, job: Job, best: float | None = None, status: str = "completed", **more: Any) -> None:
    """Let a job end: its run.json, and the word to the search."""
    folder = search.sweep.folder(job).path
    folder.mkdir(exist_ok=True)
    mode = search.sweep.manifest["objective"]["mode"]
    objective = {"metric": "val/loss", "mode": mode, "best": best, "best_epoch": 2}
    record = {"status": status, "objective": objective, "overrides": job.overrides, "error": None, **more}
    (folder / "run.json").write_text(json.dumps(record))
    search.done(job, status)


@pytest.fixture(scope="session", name="end")
def end_fixture() -> Callable[..., None]:
    return end


def run_all(search: Search, give_up: int = 99) -> list[list[str]]:
    """Do the jobs one after the other, each with the objective that it was drawn for; their overrides."""
    done = []
    for job in search.jobs():
        if len(done) == give_up:
            break
        end(search, job, float(job.values["best"]))
        done.append(job.overrides)
    return done


@pytest.fixture(scope="session", name="run_all")
def run_all_fixture() -> Callable[..., list[list[str]]]:
    return run_all


def states(search: Search) -> list[tuple[str, float | None]]:
    return [(trial.state.name, trial.value) for trial in search.study.get_trials()]


@pytest.fixture(scope="session", name="states")
def states_fixture() -> Callable[[Search], list[tuple[str, float | None]]]:
    return states


def loop(search: Search, program: Path, jobs: int, context: Any = None) -> Loop:
    local = Local(search.sweep, program, Limits(jobs=jobs))
    local.cores, local.context = 2, context or local.context
    return Loop(local)


@pytest.fixture(scope="session", name="loop")
def loop_fixture() -> Callable[..., Loop]:
    return loop


@pytest.fixture(autouse=True)
def no_noise() -> Iterator[None]:
    """Optuna's own messages are for who calls it; here nobody reads them."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(verbosity)
