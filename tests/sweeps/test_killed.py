"""Sweeps are killed at any moment, in any of their processes, and resumed: they end as ones that nobody touched.

A case's seed, in the test's name, draws what is killed when. The moment is a state of the sweep and a short delay after
it. KILLED_FROM=30 draws the next thirty cases.
"""

import csv
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import optuna
import pytest
from held import Hold

from atelier.runs.folder import claim
from atelier.runs.judge import open_journal
from atelier.runs.manifest import Manifest

TINY = ["trainer.max_epochs=3", "trainer.limit_train_batches=4", "callbacks=none", "save_every=0"]
SEARCH = ["trainer=cpu", "hydra/sweeper=optuna", "hydra.sweeper.trials=4", "hydra.launcher.retries=1"]
LR = "optimizer.lr=tag(log,interval(0.0001,0.1))"
SWEEPS = {
    "grid": ["trainer=cpu", "optimizer=sgd,adam,rmsprop", "hydra.launcher.jobs=2"],
    "search": [*SEARCH, LR, "hydra.sweeper.sampler.n_startup_trials=1", "hydra.launcher.jobs=1"],
    # Its trials do not depend on each other, so that they are the same in whatever order they end.
    "search2": [*SEARCH, LR, "hydra/sweeper/sampler=random", "hydra.launcher.jobs=2"],
    "ddp": ["trainer=ddp_cpu", "optimizer=sgd,adam", "hydra.launcher.jobs=1"],
}
JOBS = {"grid": 3, "search": 4, "search2": 4, "ddp": 2}
WHILE_A_JOB = ("begins", "start", "train", "test")  # its folder is there; before the fit, a step, the test
VICTIMS = {  # process: (sweeps, moments)
    "main": (tuple(SWEEPS), ("checking", *WHILE_A_JOB, "reporting")),
    "server": (tuple(SWEEPS), ("checking", *WHILE_A_JOB)),
    "tracker": (tuple(SWEEPS), ("checking", *WHILE_A_JOB)),
    # A job that is asked to end is done later; a search whose trials depend on each other then has other ones.
    "job": (("grid", "search2", "ddp"), WHILE_A_JOB),
    "rank": (("ddp",), WHILE_A_JOB[1:]),
    "checker": (("grid", "search", "search2"), ("checking",)),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LASTING = ("main", "server", "tracker")  # the others may end by themselves while a long delay passes
# What gets which signal, for seed 0, 1, …, and so on again; a moment is given only where it is not drawn.
CASES = [*product(VICTIMS, SIGNALS, [""]), *product(LASTING, SIGNALS[:2], ["checking"])]
FIRST = int(os.environ.get("KILLED_FROM", 0))


@dataclass(frozen=True)
class Case:
    """A process of a sweep gets a signal `delay` seconds after job `job` came to `moment`, where it waits if it can."""

    seed: int
    sweep: str
    victim: str
    signal: signal.Signals
    moment: str
    job: int
    delay: float
    place: str | None  # of the job, see tests/hold

    def __str__(self) -> str:
        where = self.place or f"{self.job}-{self.moment}"
        return f"{self.sweep}-{self.victim}-{self.signal.name}-{where}-seed{self.seed}"


def case_of(seed: int) -> Case:
    chance = random.Random(seed)
    victim, number, given = CASES[seed % len(CASES)]
    sweeps, moments = VICTIMS[victim]
    sweep, drawn = chance.choice(sweeps), chance.choice(moments)
    moment = given or drawn
    job = 0 if sweep in ("grid", "ddp") and moment == "checking" else chance.randrange(JOBS[sweep])
    place = {"start": "start", "train": chance.randrange(12), "test": "test"}.get(moment)
    return Case(
        seed,
        sweep,
        victim,
        number,
        moment,
        job,
        chance.uniform(0, 1 if victim in LASTING else 0.2),
        None if place is None else f"{job}@{place}",
    )


# ---------------------------------------------------------------------- the processes of a sweep


def processes(logs: Path, main: int = 0) -> dict[str, list[int]]:
    """The processes that write to `logs`, by what they are: /proc shows the environment that each was begun with."""
    found = defaultdict(list)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            environment, command = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
            if bytes(logs) in environment + command:
                _, parent, _, session = (process / "stat").read_text().rpartition(")")[2].split()[:4]
                number = int(process.name)
                if number == main:
                    role = "main"
                elif b"\0LOCAL_RANK=1\0" in environment:
                    role = "rank"
                elif b"resource_tracker" in command:
                    role = "tracker"
                elif int(parent) == main:
                    role = "server"
                else:
                    role = "job" if int(session) == number else "checker"  # both are forked from the server
                found[role].append(number)
    return found


def sweep_of(logs: Path) -> Path | None:
    return next((file.parent for file in logs.glob("sweeps/*/*/sweep.json")), None)


def content(folder: Path | None, name: str = "sweep.json") -> dict[str, Any]:
    return Manifest.read(folder / name).content if folder else {}


def completed(sweep: Path | None) -> dict[str, str]:
    """The run.json of each job that is completed."""
    texts = {path.parent.name: path.read_text() for path in sweep.glob("*/run.json")} if sweep else {}
    return {job: text for job, text in texts.items() if '"status": "completed"' in text}


# ---------------------------------------------------------------------- killed, resumed, compared


def kill(case: Case, process: Any, logs: Path, hold: Hold, wait_until: Callable[..., None]) -> None:
    """Wait for the case's moment and send its signal; whoever waited there goes on."""

    def has_come() -> object:
        sweep = sweep_of(logs)
        if case.place:
            return hold.reached(case.place)
        if case.moment == "checking":  # a job's first process is like a checker's, until it has its log
            jobs = content(sweep).get("jobs", [])
            return len(jobs) == case.job and all((sweep / str(n) / "run.log").exists() for n in range(case.job))
        if case.moment == "reporting":
            return content(sweep).get("status") == "completed"
        return sweep and (sweep / str(case.job)).exists()

    def find_victims() -> list[int]:
        before = processes(logs, process.pid)[case.victim]
        return has_come() and [one for one in before if one in processes(logs, process.pid)[case.victim]]

    victims: list[int] = []
    wait_until(lambda: victims.extend(find_victims() or []) or victims, process)
    if case.place and case.victim in LASTING:
        hold.let_go(case.place)
    time.sleep(case.delay)
    with suppress(ProcessLookupError):
        os.kill(random.Random(case.seed).choice(sorted(victims)), case.signal)
    if case.place and case.victim not in LASTING:
        hold.let_go(case.place)


def resume(case: Case, logs: Path, run_verb: Callable[..., Any]) -> None:
    """Go on with the sweep; one that was killed before it had a folder is begun anew."""
    sweep = sweep_of(logs)
    what = [f"sweep.resume={sweep}"] if sweep else [*TINY, *SWEEPS[case.sweep]]
    outcome = run_verb("train", "-m", *what, logs=logs)
    assert (outcome.code, outcome.err) == (0, ""), outcome.out


def results(sweep: Path) -> dict[str, Any]:
    """What the jobs of a sweep gave, to the last digit, by their overrides; and its table without times."""
    assert content(sweep)["status"] == "completed"
    found: dict[str, Any] = {}
    for job in content(sweep)["jobs"]:
        folder = sweep / str(job["number"])
        run = content(folder, "run.json")
        told = {key: run[key] for key in ("status", "test", "objective", "epochs", "steps", "config_hash", "processes")}
        found[" ".join(job["overrides"])] = {**told, "metrics": (folder / "metrics.csv").read_text()}
    passing = ("seconds.", "steps_per_second", "peak_memory", "git.", "pid", "overrides")
    with (sweep / "summary.csv").open() as file:
        table = [{k: v for k, v in row.items() if not k.startswith(passing)} for row in csv.DictReader(file)]
    return {**found, "table": table}


def check_trials(sweep: Path) -> None:
    """Each trial of a search was told once, and what its run gave."""
    (trials,) = (study.get_trials() for study in [optuna.load_study(study_name="search", storage=open_journal(sweep))])
    given = {job["number"]: content(sweep / str(job["number"]), "run.json") for job in content(sweep)["jobs"]}
    assert {trial.number: trial.value for trial in trials} == {n: run["objective"]["best"] for n, run in given.items()}
    assert {trial.state.name for trial in trials} == {"COMPLETE"}


@pytest.fixture(scope="module")
def untouched(run_verb: Callable[..., Any]) -> Callable[[str], dict[str, Any]]:
    """`untouched("grid")`: the results of that sweep if nobody kills it."""

    @cache
    def reference(name: str) -> dict[str, Any]:
        outcome = run_verb("train", "-m", *TINY, *SWEEPS[name])
        assert (outcome.code, outcome.err) == (0, "")
        return results(sweep_of(outcome.logs) or outcome.logs)

    return reference


@pytest.fixture
def heard() -> Iterator[None]:
    """No signal is ignored in the processes that are begun, as those of `nohup` and of a shell's `&` ignore some."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.slow
@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("case", [case_of(seed) for seed in range(FIRST, FIRST + len(CASES))], ids=str)
def test_a_killed_sweep_ends_as_one_that_nobody_touched(
    case: Case, start_verb: Any, run_verb: Any, wait_until: Any, ended: Any, hold: Hold, untouched: Any, tmp_path: Path
) -> None:
    expected, logs = untouched(case.sweep), tmp_path / "logs"
    held = hold.at(*[case.place] * bool(case.place))
    process = start_verb("train", "-m", *TINY, *SWEEPS[case.sweep], logs=logs, environment=held, python=())
    kill(case, process, logs, hold, wait_until)
    done = completed(sweep_of(logs))
    process.wait(600)
    if process.returncode:
        resume(case, logs, run_verb)
    sweep = sweep_of(logs)
    assert sweep
    assert completed(sweep).items() >= done.items(), "a job that was completed was done again"
    assert results(sweep) == expected
    if case.sweep.startswith("search"):
        check_trials(sweep)
    wait_until(lambda: not processes(logs))
    assert [path for path in logs.rglob("*") if ".part" in path.name or ".json." in path.name] == []
    for folder in [sweep, *(path.parent for path in sweep.glob("*/run.json"))]:
        claim(folder).close()
    if case.victim not in ("main", "tracker"):  # Python's tracker, begun again, prints one for each name it has lost
        assert "Traceback" not in ended(process)[2], "the sweep says in a line what happened"
