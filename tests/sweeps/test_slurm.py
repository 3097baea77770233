"""What the launcher for Slurm says to Slurm and makes of its answers; Slurm itself is in tests/slurm/."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.compose.slurm import checked_slurm
from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.sweeps import slurm as slurm_module
from atelier.sweeps import slurm_task
from atelier.sweeps.slurm import Cluster
from atelier.sweeps.slurm_queue import (
    Needs,
    Queue,
    SlurmSettings,
    jobs_in_queue,
    left_in_queue,
    needs_of,
    outside_of_jobs,
    read_squeue,
)
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import Lines, last_words

Make = Callable[..., Sweep]


# ---------------------------------------------------------------------- what a job needs


@pytest.mark.parametrize(
    ("facts", "settings", "needs"),
    [
        ({"accelerator": "cpu", "devices": 1}, {}, Needs(1, 1, 0)),
        ({"accelerator": "cpu", "devices": 2}, {}, Needs(1, 2, 0)),
        ({"accelerator": "cpu", "devices": "auto", "nodes": 2}, {}, Needs(2, 1, 0)),
        ({"accelerator": "cpu", "devices": 1}, {"gpus_per_node": 4}, Needs(1, 1, 0)),
        ({"accelerator": "gpu", "devices": 1}, {}, Needs(1, 1, 1)),
        ({"accelerator": "cuda", "devices": 2, "nodes": 2}, {}, Needs(2, 2, 2)),
        ({"accelerator": "gpu", "devices": "auto", "nodes": 2}, {"gpus_per_node": 4}, Needs(2, 4, 4)),
        ({"accelerator": "gpu", "devices": -1}, {"gpus_per_node": 8}, Needs(1, 8, 8)),
        ({"accelerator": "gpu", "devices": "auto"}, {}, Needs(1, 1, 1)),
        ({"accelerator": "gpu", "devices": 2}, {"gpus_per_node": 4}, Needs(1, 2, 4)),
        ({"accelerator": "auto", "devices": 1}, {}, Needs(1, 1, 0)),
        ({"accelerator": "auto", "devices": 1}, {"gpus_per_node": 1}, Needs(1, 1, 1)),
    ],
)
def test_nodes_processes_and_gpus_follow_from_the_trainer(
    facts: dict[str, Any], settings: dict[str, Any], needs: Needs
) -> None:
    assert needs_of(Job(0, [], {}, facts), SlurmSettings(**settings)) == needs


# ---------------------------------------------------------------------- what Slurm is told


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, str]]:
    """A folder of programs called as Slurm's, that note what they are told; `sbatch` answers with the job 7."""
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {"sbatch": "Submitted batch job 7", "srun": "", "scancel": "", "squeue": "7_0 RUNNING None"}
    for name, answer in answers.items():
        keep = f"cat $1 > {folder}/script\n" if name == "sbatch" else ""
        program = folder / name
        program.write_text(
            f'#!/bin/sh\necho "$@" > {folder}/{name}.told\nenv > {folder}/{name}.env\n{keep}echo {answer}\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: {path.name: path.read_text() for path in folder.iterdir() if path.suffix or path.name == "script"}


def submitted(sweep: Sweep, needs: Needs, at_once: int = 9, **settings: Any) -> list[str]:
    return Queue(sweep, Path("train.py"), SlurmSettings(**settings)).submit(needs, sweep.jobs, at_once)


def flags(script: str) -> set[str]:
    return {line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")}


def test_alike_jobs_are_one_array_with_a_limit(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    sweep = make_sweep(*["do=well"] * 5)
    assert submitted(sweep, Needs(1, 1, 0), at_once=2) == ["7_0", "7_1", "7_2", "7_3", "7_4"]
    script = told()["script"]
    assert "array=0-4%2" in flags(script)
    assert "--kill-on-bad-exit=1" in script
    assert f"{sys.executable} -u -m submitit.core._submit" in script


def test_one_job_is_no_array(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    assert submitted(make_sweep("do=well"), Needs(1, 1, 0)) == ["7"]
    assert not [flag for flag in flags(told()["script"]) if flag.startswith("array")]


def test_what_is_not_set_is_left_to_slurm(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    sweep = make_sweep("do=well")
    submitted(sweep, Needs(1, 1, 0))
    found = {flag.partition("=")[0] for flag in flags(told()["script"])}
    assert found == {"job-name", "nodes", "ntasks-per-node", "open-mode", "output", "requeue", "signal"}


def test_every_setting_reaches_the_script(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    options = {"constraint": "a100", "exclusive": True, "signal": "TERM@300", "comment": None}
    submitted(
        make_sweep("do=well"),
        Needs(2, 4, 4),
        **{"partition": "gpu", "account": "lab", "qos": "low", "time": "1:30:00", "memory": "16G", "cpus_per_task": 3},
        setup=["module load cuda"],
        options=options,
    )
    script = told()["script"]
    assert flags(script) >= {
        *("nodes=2", "ntasks-per-node=4", "gpus-per-node=4", "partition=gpu", "account=lab", "qos=low"),
        *("time=1:30:00", "mem=16G", "cpus-per-task=3", "constraint=a100", "exclusive", "signal=TERM@300", "requeue"),
    }
    assert "comment" not in script
    assert script.index("module load cuda") < script.index("srun ")
    assert "--cpus-per-task=3" in script[script.index("srun ") :], "srun does not ask sbatch for it"


def test_nothing_of_a_job_around_it_reaches_the_new_one(
    make_sweep: Make, told: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_NTASKS", "SBATCH_PARTITION", "SRUN_CPUS_PER_TASK", "SUBMITIT_EXECUTOR", "LOCAL_RANK", "RANK"):
        monkeypatch.setenv(name, "5")
    for name in ("WORLD_SIZE", "NODE_RANK", "MASTER_PORT", "ATELIER_RUN", "SLURMD_NODENAME"):
        monkeypatch.setenv(name, "5")
    for name in ("SLURM_CONF", "MASTER_ADDR", "DATA_DIR", "SLURMISH", "RANKING"):
        monkeypatch.setenv(name, "kept")
    submitted(make_sweep("do=well"), Needs(1, 1, 0))
    seen = dict(line.split("=", 1) for line in told()["sbatch.env"].splitlines() if "=" in line)
    assert "5" not in seen.values()
    assert [seen[name] for name in ("SLURM_CONF", "MASTER_ADDR", "DATA_DIR", "SLURMISH", "RANKING")] == ["kept"] * 5
    assert os.environ["SLURM_NTASKS"] == "5", "this process keeps what it had"


def test_variables_come_back_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "5")
    with contextlib.suppress(KeyError), outside_of_jobs():
        assert "SLURM_NTASKS" not in os.environ
        raise KeyError
    assert os.environ["SLURM_NTASKS"] == "5"


def test_what_sbatch_says_is_told(make_sweep: Make, told: Callable[[], dict[str, str]], tmp_path: Path) -> None:
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: no such partition' >&2\nexit 1\n")
    with pytest.raises(InputError, match=r"^Slurm does not take the jobs: sbatch: error: no such partition$"):
        submitted(make_sweep("do=well"), Needs(1, 1, 0))


def test_jobs_are_cancelled_by_their_arrays(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    Queue(make_sweep("do=well"), Path("train.py"), SlurmSettings()).cancel(["7_0", "7_2", "9"])
    assert told()["scancel.told"] == "7 9\n"


def test_the_queue_is_asked_for_all_arrays_at_once(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    states = Queue(make_sweep("do=well"), Path("train.py"), SlurmSettings()).states(["7_0", "7_1", "9"])
    assert states == {"7_0": ("RUNNING", "None")}
    assert "--jobs=7,9" in told()["squeue.told"].split()


@pytest.mark.parametrize(
    ("error", "states"), [("slurm_load_jobs error: Invalid job id specified", {}), ("Unable to contact", None)]
)
def test_forgotten_jobs_are_told_from_a_silent_slurm(
    make_sweep: Make, told: Callable[[], dict[str, str]], tmp_path: Path, error: str, states: Any
) -> None:
    (tmp_path / "bin" / "squeue").write_text(f"#!/bin/sh\necho '{error}' >&2\nexit 1\n")
    assert Queue(make_sweep("do=well"), Path("train.py"), SlurmSettings()).states(["7"]) == states


# ---------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"partitoin": "gpu"}, "hydra.launcher.partitoin: SlurmSettings has no 'partitoin'; choose from: partition, "),
        ({"jobs": 0}, "hydra.launcher.jobs=0: give a number of 1 or more"),
        ({"requeues": -1}, "hydra.launcher.requeues=-1: give a number of 0 or more"),
        ({"jobs": "many"}, "hydra.launcher.jobs=many: SlurmSettings takes a whole number or null"),
        ({"time": 1}, "hydra.launcher.time=1: give at least 4 minutes"),
        ({"setup": "module load cuda"}, "hydra.launcher.setup=module load cuda: SlurmSettings takes a list"),
        ({"on_failure": "cry"}, "hydra.launcher.on_failure=cry: choose from: continue, stop"),
    ],
)
def test_a_wrong_setting_is_told(told: Callable[[], dict[str, str]], setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        checked_slurm(setting)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("time", [None, 0, 4, "1-12", "2:00:00"])
def test_times_of_every_kind_pass(told: Callable[[], dict[str, str]], time: Any) -> None:
    assert checked_slurm({"time": time}).time == time


def test_the_option_has_every_setting(conf: Path, told: Callable[[], dict[str, str]]) -> None:
    option = yaml.safe_load((conf / "hydra" / "launcher" / "slurm.yaml").read_text())
    given = {key: value for key, value in option.items() if key != "_target_"}
    assert checked_slurm(given) == SlurmSettings()
    assert list(given) == list(SlurmSettings.__dataclass_fields__)


def test_without_slurm_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=r"^hydra/launcher=slurm: there is no sbatch on the PATH"):
        checked_slurm({})


def test_without_submitit_the_extra_is_named(
    told: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'atelier\[slurm\]'$"):
        checked_slurm({})


def test_the_command_line_tells_it_before_anything_is_made(run_verb: Callable[..., Any], tmp_path: Path) -> None:
    outcome = run_verb("train", "-m", "hydra/launcher=slurm", "seed=0,1", environment={"PATH": str(tmp_path)})
    assert (outcome.code, outcome.err) == (
        2,
        "hydra/launcher=slurm: there is no sbatch on the PATH; is this a Slurm cluster?\n",
    )
    assert not list(outcome.logs.rglob("*.json"))


# ---------------------------------------------------------------------- from squeue's answers to ends of jobs


class FakeQueue:
    """A queue that answers what it is given: a text of squeue for each time that it is asked, the last one again.

    Before an answer, `happens` is called with its number.
    """

    def __init__(self, *answers: str | None, happens: Callable[[int], None] = lambda number: None) -> None:
        self.answers, self.happens = answers, happens
        self.asked = 0
        self.arrays: list[tuple[Needs, list[int], int]] = []
        self.cancelled: list[str] = []
        self.said: dict[str, list[str]] = {}

    def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> list[str]:
        self.arrays.append((needs, [job.number for job in jobs], at_once))
        array = len(self.arrays)
        return [f"{array}_{task}" for task in range(len(jobs))] if len(jobs) > 1 else [str(array)]

    def states(self, names: Any) -> dict[str, tuple[str, str]] | None:
        self.happens(self.asked)
        text = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        assert self.asked < 100, "the sweep does not end"
        return None if text is None else read_squeue(text)

    def cancel(self, names: Any) -> None:
        self.cancelled += names

    def output(self, name: str) -> list[str]:
        return self.said.get(name, [])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_module, "ASK_EVERY", 0.0)
    monkeypatch.setattr(slurm_module, "SETTLE", 0.0)


def write(sweep: Sweep, number: int, status: str, **more: Any) -> None:
    """What a job itself would write."""
    folder = sweep.path / str(number)
    folder.mkdir(exist_ok=True)
    objective = {"metric": "val/loss", "mode": "min", "best": 1.0, "best_epoch": 0}
    Manifest(folder / "run.json", {}).update(status=status, objective=objective, **more)


def run(
    sweep: Sweep, queue: FakeQueue, jobs: Any = None, jobs_at_once: int | None = None, **settings: Any
) -> tuple[Cluster, list[tuple[int, str]]]:
    """The sweep done, and the ends of its jobs as `done` hears of them."""
    cluster = Cluster(sweep, SlurmSettings(jobs_at_once, **settings), queue, Lines(sweep))  # type: ignore[arg-type]
    ended: list[tuple[int, str]] = []
    cluster.run(sweep.unfinished() if jobs is None else jobs, lambda job, status: ended.append((job.number, status)))
    return cluster, ended


def states(sweep: Sweep) -> list[str]:
    return [sweep.status(job) for job in sweep.jobs]


def test_a_sweep_goes_from_waiting_to_its_end(make_sweep: Make, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        if number == 1:
            write(sweep, 0, "running")
        if number == 2:
            write(sweep, 0, "completed")
            write(sweep, 1, "failed", error={"type": "ValueError", "message": "it broke"})

    queue = FakeQueue(
        "1_0 PENDING Resources\n1_1 PENDING JobArrayTaskLimit",
        "1_0 RUNNING None\n1_1 PENDING JobArrayTaskLimit",
        "1_0 COMPLETED None\n1_1 FAILED NonZeroExitCode",
        happens=happens,
    )
    cluster, ended = run(sweep, queue, jobs=list(sweep.jobs))
    assert ended == [(0, "completed"), (1, "failed")]
    assert cluster.stopping == 0
    assert queue.arrays == [(Needs(1, 1, 0), [0, 1], 2)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["in Slurm's queue: Resources", "job 0 started: do=a"]
    assert lines[2].startswith("job 0 completed: do=a: val/loss 1, ")
    assert lines[3].startswith("job 1 failed: do=b: ValueError: it broke")


def test_slurms_names_are_kept_in_the_sweep(make_sweep: Make) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        assert Sweep.open(str(sweep.path), Path()).manifest["slurm"] == {"1_0": 0, "1_1": 1}
        write(sweep, 0, "completed")
        write(sweep, 1, "completed")

    run(sweep, FakeQueue("", happens=happens))


@pytest.mark.parametrize(
    ("answer", "status", "kind", "message"),
    [
        ("1 FAILED NonZeroExitCode", None, "Slurm", "FAILED: srun: error: n1: task 0: Killed: the last words"),
        ("1 FAILED NonZeroExitCode", "running", "Slurm", "FAILED: srun: error: n1: task 0: Killed: the last words"),
        (
            "1 OUT_OF_MEMORY OutOfMemory",
            "running",
            "Slurm",
            "OUT_OF_MEMORY: srun: error: n1: task 0: Killed: the last words",
        ),
        ("1 TIMEOUT TimeLimit", "running", "Timeout", "ended by Slurm at its time limit, hydra.launcher.time"),
        ("", "running", "Slurm", "no longer in the queue: srun: error: n1: task 0: Killed: the last words"),
    ],
)
def test_what_a_job_could_not_say_is_recorded(
    make_sweep: Make, answer: str, status: str | None, kind: str, message: str
) -> None:
    sweep = make_sweep("do=a")

    def happens(number: int) -> None:
        folder = sweep.path / "0"
        folder.mkdir(exist_ok=True)
        (folder / "run.log").write_text("epoch 1\nthe last words\n\n")
        if status:
            write(sweep, 0, status)

    queue = FakeQueue(answer, happens=happens)
    queue.said = {"1": ["submitit INFO - Starting", "srun: error: n1: task 0: Killed"]}
    assert run(sweep, queue)[1] == [(0, "failed")]
    assert sweep.record(sweep.jobs[0])["error"] == {"type": kind, "message": message}


def test_what_an_earlier_attempt_said_is_no_cause(make_sweep: Make) -> None:
    sweep = make_sweep("do=a")
    write(sweep, 0, "interrupted")
    (sweep.path / "0" / "run.log").write_text("from yesterday\n")
    queue = FakeQueue("1 FAILED NonZeroExitCode")
    queue.said = {"1": ["No module named submitit", "srun: error: n1: task 0: Exited with exit code 1"]}
    assert run(sweep, queue)[1] == [(0, "failed")]
    assert sweep.record(sweep.jobs[0])["error"]["message"] == (
        "FAILED: srun: error: n1: task 0: Exited with exit code 1: No module named submitit"
    )


def test_a_job_has_time_to_say_how_it_ended(make_sweep: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_module, "SETTLE", 60.0)
    sweep = make_sweep("do=a")
    write(sweep, 0, "running")
    late = FakeQueue("1 COMPLETED None", happens=lambda n: write(sweep, 0, "completed") if n == 5 else None)
    assert run(sweep, late)[1] == [(0, "completed")]
    assert late.asked == 6


def test_a_requeued_job_goes_on(
    make_sweep: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(slurm_module, "SETTLE", 60.0)
    sweep = make_sweep("do=a")

    def happens(number: int) -> None:
        write(sweep, 0, "completed" if number == 5 else "interrupted" if number > 0 else "running")

    answers = ["1 RUNNING None", "1 PREEMPTED None", "1 PENDING BeginTime", "1 PENDING BeginTime", "1 RUNNING None", ""]
    queue = FakeQueue(*answers, happens=happens)
    assert run(sweep, queue)[1] == [(0, "completed")]
    assert len(queue.arrays) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[:4] == [
        "job 0 started: do=a",
        "job 0 is in Slurm's queue again and will go on: do=a",
        "in Slurm's queue: BeginTime",
        "job 0 started: do=a",
    ]


def test_a_job_that_came_back_too_often_stays_interrupted(make_sweep: Make) -> None:
    sweep = make_sweep("do=a")
    queue = FakeQueue("1 FAILED NonZeroExitCode", happens=lambda n: write(sweep, 0, "interrupted"))
    assert run(sweep, queue)[1] == [(0, "interrupted")]


@pytest.mark.parametrize(
    ("status", "end"), [("running", "interrupted"), ("interrupted", "interrupted"), (None, "waiting")]
)
def test_what_a_user_cancels_has_not_failed(make_sweep: Make, status: str | None, end: str) -> None:
    sweep = make_sweep("do=a")
    queue = FakeQueue("1 CANCELLED None", happens=lambda n: write(sweep, 0, status) if status else None)
    assert run(sweep, queue, retries=3)[1] == [(0, end)]
    assert len(queue.arrays) == 1


def test_a_failed_job_is_tried_again_as_often_as_asked(make_sweep: Make) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        write(sweep, 0, "completed")
        write(sweep, 1, "failed", attempt=number)

    queue = FakeQueue("", happens=happens)
    cluster, ended = run(sweep, queue, retries=2)
    assert [numbers for _, numbers, _ in queue.arrays] == [[0, 1], [1], [1]]
    assert ended == [(0, "completed"), (1, "failed")]
    assert cluster.attempts == {0: 1, 1: 3}


def test_a_silent_slurm_ends_nothing(make_sweep: Make, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make_sweep("do=a")
    queue = FakeQueue(None, None, "1 COMPLETED None", happens=lambda n: write(sweep, 0, "completed"))
    assert run(sweep, queue)[1] == [(0, "completed")]
    assert capsys.readouterr().out.splitlines()[0] == "squeue does not answer"


# ---------------------------------------------------------------------- how many at once


def of_two_kinds(sweep: Sweep) -> Sweep:
    for job in sweep.jobs[2:]:
        job.facts["devices"] = 2
    return sweep


def finishing(sweep: Sweep, order: Iterator[int]) -> Callable[[int], None]:
    """One job completes each time that the queue is asked."""
    return lambda number: write(sweep, next(order), "completed")


def test_without_a_limit_there_is_an_array_for_each_kind_at_once(make_sweep: Make) -> None:
    sweep = of_two_kinds(make_sweep(*["do=a"] * 5))
    run(sweep, queue := FakeQueue("", happens=lambda n: [write(sweep, n, "completed") for n in range(5)]))
    assert queue.arrays == [(Needs(1, 1, 0), [0, 1], 2), (Needs(1, 2, 0), [2, 3, 4], 3)]


def test_the_limit_holds_over_jobs_of_two_kinds(make_sweep: Make) -> None:
    sweep = of_two_kinds(make_sweep(*["do=a"] * 5))
    most = 0

    def happens(number: int) -> None:
        nonlocal most
        most = max(most, len(cluster.submitted))
        write(sweep, number, "completed")

    names = ["1_0", "1_1", "2", "3", "4"]
    answers = ["\n".join(f"{name} RUNNING None" for name in names[number + 1 :]) for number in range(5)]
    queue = FakeQueue(*answers, happens=happens)
    cluster = Cluster(sweep, SlurmSettings(jobs=2), queue, Lines(sweep))  # type: ignore[arg-type]
    cluster.run(sweep.jobs)
    assert [numbers for _, numbers, _ in queue.arrays] == [[0, 1], [2], [3], [4]]
    assert most == 2


def test_a_list_is_one_array_with_the_limit(make_sweep: Make) -> None:
    sweep = make_sweep(*["do=a"] * 4)
    queue = FakeQueue("", happens=lambda n: [write(sweep, n, "completed") for n in range(4)])
    run(sweep, queue, jobs=sweep.jobs, jobs_at_once=3)
    assert queue.arrays == [(Needs(1, 1, 0), [0, 1, 2, 3], 3)]


@pytest.mark.parametrize(("limit", "names"), [(None, ["1", "2", "3", "4"]), (2, ["1_0", "1_1", "2", "3"])])
def test_a_search_is_asked_for_its_next_job_when_there_is_a_place(
    make_sweep: Make, limit: int | None, names: list[str]
) -> None:
    sweep = make_sweep(*["do=a"] * 4)
    asked: list[tuple[int, int]] = []  # a job, and how many ends were known when it was asked for
    known: list[int] = []

    def jobs() -> Iterator[Job]:
        for job in sweep.jobs:
            asked.append((job.number, len(known)))
            yield job

    answers = ["\n".join(f"{name} RUNNING None" for name in names[number + 1 :]) for number in range(4)]
    queue = FakeQueue(*answers, happens=lambda n: write(sweep, n, "completed"))
    cluster = Cluster(sweep, SlurmSettings(jobs=limit), queue, Lines(sweep))  # type: ignore[arg-type]
    cluster.run(jobs(), lambda job, status: known.append(job.number))
    assert known == [0, 1, 2, 3]
    assert asked == [(number, max(0, number - (limit or 1) + 1)) for number in range(4)]


# ---------------------------------------------------------------------- ends before time


def test_ctrl_c_cancels_waits_and_starts_no_other(make_sweep: Make) -> None:
    sweep = make_sweep("do=a", "do=b", "do=c")
    before = signal.getsignal(signal.SIGINT)

    def happens(number: int) -> None:
        if number == 0:
            write(sweep, 0, "running")
            os.kill(os.getpid(), signal.SIGINT)
        if number == 2:
            write(sweep, 0, "interrupted")

    waiting = "1_1 PENDING JobArrayTaskLimit\n1_2 PENDING JobArrayTaskLimit"
    gone = "1_1 CANCELLED None\n1_2 CANCELLED None"
    queue = FakeQueue(
        f"1_0 RUNNING None\n{waiting}", f"1_0 COMPLETING None\n{gone}", f"1_0 CANCELLED None\n{gone}", happens=happens
    )
    cluster, _ = run(sweep, queue, jobs=list(sweep.jobs), retries=1)
    assert cluster.stopping == signal.SIGINT
    assert queue.cancelled == ["1_0", "1_1", "1_2"]
    assert states(sweep) == ["interrupted", "waiting", "waiting"]
    assert sweep.conclude() == "interrupted"
    assert len(queue.arrays) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_does_not_wait(make_sweep: Make) -> None:
    sweep = make_sweep("do=a")

    def happens(number: int) -> None:
        write(sweep, 0, "running")
        os.kill(os.getpid(), signal.SIGINT)

    queue = FakeQueue("1 RUNNING None", happens=happens)
    cluster, ended = run(sweep, queue)
    assert (cluster.stopping, queue.asked, queue.cancelled, ended) == (signal.SIGINT, 2, ["1"], [])


def test_the_others_are_stopped_if_so_asked(make_sweep: Make) -> None:
    sweep = make_sweep("do=a", "do=b")

    def happens(number: int) -> None:
        write(sweep, 0, "failed")
        write(sweep, 1, "running" if number == 0 else "interrupted")

    queue = FakeQueue("1_0 FAILED None\n1_1 RUNNING None", "1_1 CANCELLED None", happens=happens)
    cluster, ended = run(sweep, queue, on_failure="stop")
    assert (cluster.stopping, queue.cancelled) == (signal.SIGTERM, ["1_1"])
    assert ended == [(0, "failed"), (1, "interrupted")]


# ---------------------------------------------------------------------- jobs that outlived their sweep


@pytest.fixture
def in_queue(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Makes what squeue says when a sweep is opened again."""

    def make(text: str | None) -> None:
        found = None if text is None else read_squeue(text)
        monkeypatch.setattr("atelier.sweeps.slurm_queue.ask_squeue", lambda names: found)

    return make


def test_a_job_in_the_queue_is_waited_for_and_not_started_twice(make_sweep: Make, in_queue: Any) -> None:
    sweep = make_sweep("do=a", "do=b", "do=c")
    sweep.manifest.update(slurm={"70_0": 0, "70_1": 1, "70_2": 2})
    in_queue("70_0 RUNNING None\n70_1 PENDING Resources\n70_2 FAILED NonZeroExitCode\n")

    def happens(number: int) -> None:
        for job in range(3):
            write(sweep, job, "completed")

    _, ended = run(sweep, queue := FakeQueue("", happens=happens))
    assert queue.arrays == [(Needs(1, 1, 0), [2], 1)]
    assert sorted(ended) == [(0, "completed"), (1, "completed"), (2, "completed")]


@pytest.mark.parametrize(("limit", "asked"), [(None, 0), (1, 2)])
def test_with_a_limit_what_is_missing_waits_for_the_jobs_in_the_queue(
    make_sweep: Make, in_queue: Any, limit: int | None, asked: int
) -> None:
    sweep = make_sweep("do=a", "do=b")
    sweep.manifest.update(slurm={"70_0": 0})
    in_queue("70_0 RUNNING None")
    asked_before: list[int] = []

    class Noting(FakeQueue):
        def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> list[str]:
            asked_before.append(self.asked)
            return super().submit(needs, jobs, at_once)

    def happens(number: int) -> None:
        if number:
            write(sweep, number - 1, "completed")

    queue = Noting("70_0 RUNNING None\n1 RUNNING None", "1 RUNNING None", "", happens=happens)
    run(sweep, queue, jobs=list(sweep.jobs), jobs_at_once=limit)
    assert asked_before == [asked]
    assert states(sweep) == ["completed", "completed"]


def test_a_job_that_was_ending_goes_on_afterwards(make_sweep: Make, in_queue: Any) -> None:
    sweep = make_sweep("do=a")
    write(sweep, 0, "running")
    sweep.manifest.update(slurm={"70": 0})
    in_queue("70 COMPLETING None")

    def happens(number: int) -> None:
        write(sweep, 0, "completed" if number else "interrupted")

    _, ended = run(sweep, queue := FakeQueue("70 CANCELLED None", "1 COMPLETED None", happens=happens))
    assert [numbers for _, numbers, _ in queue.arrays] == [[0]]
    assert ended == [(0, "completed")]


def test_if_slurm_cannot_tell_nothing_is_started(make_sweep: Make, in_queue: Any) -> None:
    sweep = make_sweep("do=a")
    sweep.manifest.update(slurm={"70": 0})
    in_queue(None)
    with pytest.raises(InputError, match="may still be in Slurm's queue, and squeue does not answer"):
        run(sweep, FakeQueue(""))


def test_a_sweep_without_slurm_asks_nothing(make_sweep: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.sweeps.slurm_queue.ask_squeue", lambda names: pytest.fail("squeue was asked"))
    assert left_in_queue(make_sweep("do=a")) == {}


def test_jobs_in_the_queue_are_not_done_here_too(make_sweep: Make, in_queue: Any, program: Path) -> None:
    from atelier.sweeps.local import run_here
    from atelier.sweeps.pool import Limits

    sweep = make_sweep("do=well", "do=well")
    sweep.manifest.update(slurm={"70_0": 0, "70_1": 1})
    in_queue("70_0 COMPLETED None\n70_1 PENDING Priority")
    assert jobs_in_queue(sweep) == {1}
    with pytest.raises(InputError, match="still in Slurm's queue: 1\n"):
        run_here(sweep, program, Limits(), iter(sweep.jobs))
    assert states(sweep) == ["waiting", "waiting"]


def test_jobs_stay_when_slurm_takes_no_more(make_sweep: Make) -> None:
    sweep = of_two_kinds(make_sweep(*["do=a"] * 3))

    class Refusing(FakeQueue):
        def submit(self, needs: Needs, jobs: list[Job], at_once: int) -> list[str]:
            if self.arrays:
                raise InputError("Slurm does not take the jobs: too many")
            return super().submit(needs, jobs, at_once)

    with pytest.raises(InputError) as error:
        run(sweep, queue := Refusing("1_0 RUNNING None\n1_1 RUNNING None"))
    first, second = str(error.value).splitlines()
    assert first == "Slurm does not take the jobs: too many"
    assert second == f"2 jobs stay in Slurm's queue; sweep.resume={sweep.path} hydra/launcher=slurm waits for them"
    assert queue.cancelled == []


def test_the_last_words_name_the_cluster_that_goes_on(make_sweep: Make) -> None:
    sweep = make_sweep("do=a")
    sweep.manifest.update(launcher=["hydra/launcher=slurm", "hydra.launcher.setup=[module load cuda]"])
    assert last_words(sweep, Path("src/train.py")) == [
        "Go on with: python src/train.py -m hydra/launcher=slurm "
        f"'hydra.launcher.setup=[module load cuda]' sweep.resume={sweep.path}"
    ]


# ---------------------------------------------------------------------- inside of a job

RUN = """
import json, os, signal, sys
from pathlib import Path

folder = Path(os.environ["ATELIER_RUN"])
note = {"arguments": sys.argv[1:], "threads": os.environ["OMP_NUM_THREADS"], "found": sorted(os.listdir(folder))}
(folder.parent / "note.json").write_text(json.dumps(note))
"""
ASKED = "sys.exit(143)"


class Inside:
    """A process of job 0 of a sweep, as srun starts it; `scontrol` notes what it is told and says `state`."""

    def __init__(self, sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sweep, self.tmp_path, self.monkeypatch = sweep, tmp_path, monkeypatch
        self.folder = sweep.path / "0"
        (sweep.path / "slurm").mkdir()
        self.environment(SLURM_PROCID=0, SLURM_NTASKS=1, SLURM_JOB_ID=12)

    def environment(self, **variables: object) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(name, str(value))

    def slurm_says(self, state: str) -> None:
        program = self.tmp_path / "scontrol"
        program.write_text(f"#!/bin/sh\necho \"$@\" >> {self.tmp_path}/told\necho '   JobState={state} Reason=None'\n")
        program.chmod(0o755)
        self.environment(PATH=f"{self.tmp_path}:{os.environ['PATH']}")

    def run(self, then: str = "", requeues: int = 3) -> Any:
        """The job's exit status, None if it ended well; `then` is what its program does after it took a note."""
        program = self.tmp_path / "program.py"
        program.write_text(RUN + then)
        try:
            slurm_task.run_task(0, program, self.sweep.path, requeues)
        except SystemExit as end:
            return end.code
        return None

    @property
    def note(self) -> dict[str, Any]:
        return json.loads((self.sweep.path / "note.json").read_text())

    @property
    def requeued(self) -> list[str]:
        """The jobs that scontrol was told to requeue."""
        told = self.tmp_path / "told"
        lines = told.read_text().splitlines() if told.exists() else []
        return [line.removeprefix("requeue ") for line in lines if line.startswith("requeue ")]

    def as_run(self, status: str) -> None:
        """A run as an earlier start left it."""
        write(self.sweep, 0, status)
        (self.folder / "config.yaml").write_text("{}")


@pytest.fixture
def inside(make_sweep: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inside]:
    signals = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in signals}
    monkeypatch.setattr(slurm_task, "redirect", lambda log: None)
    monkeypatch.setattr("faulthandler.enable", lambda: None)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setenv("ATELIER_RUN", "another job's")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield Inside(make_sweep("lr=0.1"), tmp_path, monkeypatch)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_job_begins_with_its_own_arguments(inside: Inside) -> None:
    assert inside.run() is None
    assert inside.note["arguments"] == ["lr=0.1", *inside.sweep.arguments(inside.sweep.jobs[0])[1:]]
    assert f"paths.run='{inside.folder}'" in inside.note["arguments"]
    assert inside.note["found"] == []


def test_a_job_that_slurm_starts_again_goes_on_with_its_run(inside: Inside) -> None:
    inside.environment(SLURM_RESTART_COUNT=1)
    inside.as_run("interrupted")
    inside.run()
    assert inside.note["arguments"] == [f"resume='{inside.folder}'"]


def test_what_never_became_a_run_begins_anew(inside: Inside) -> None:
    inside.environment(SLURM_RESTART_COUNT=1)
    (inside.folder / "checkpoints").mkdir(parents=True)
    inside.run()
    assert inside.note["arguments"][0] == "lr=0.1"
    assert inside.note["found"] == []


@pytest.mark.parametrize(
    ("variables", "threads"),
    [
        ({"SLURM_CPUS_PER_TASK": 3, "SLURM_CPUS_ON_NODE": 8}, "3"),
        ({"SLURM_CPUS_ON_NODE": 8, "SLURM_NTASKS_PER_NODE": 2}, "4"),
        ({"SLURM_CPUS_ON_NODE": 1, "SLURM_NTASKS_PER_NODE": 2}, "1"),
    ],
)
def test_a_process_uses_the_cores_that_it_was_given(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, variables: dict[str, object], threads: str
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    inside.environment(**variables)
    inside.run()
    assert inside.note["threads"] == threads


def test_an_interrupted_job_comes_back(inside: Inside) -> None:
    inside.slurm_says("RUNNING")
    inside.as_run("interrupted")
    assert inside.run(ASKED) == 143
    assert inside.requeued == ["12"]


def test_a_job_of_an_array_comes_back_under_its_own_name(inside: Inside) -> None:
    """The last job of an array has the array's number as its SLURM_JOB_ID."""
    inside.slurm_says("RUNNING")
    inside.environment(SLURM_JOB_ID=7, SLURM_ARRAY_JOB_ID=7, SLURM_ARRAY_TASK_ID=3)
    inside.as_run("interrupted")
    inside.run(ASKED)
    assert inside.requeued == ["7_3"]


def test_a_signal_before_the_run_listens_counts_as_well(inside: Inside) -> None:
    inside.slurm_says("RUNNING")
    assert inside.run("os.kill(os.getpid(), signal.SIGTERM)") == 143
    assert inside.requeued == ["12"]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_other_warnings_count_as_sigterm(inside: Inside, number: int) -> None:
    inside.slurm_says("RUNNING")
    assert inside.run(f"os.kill(os.getpid(), {int(number)})") == 143
    assert inside.requeued == ["12"]


@pytest.mark.parametrize(
    ("state", "status", "then", "restarts"),
    [
        ("COMPLETING", "interrupted", ASKED, 0),  # cancelled
        ("PENDING", "interrupted", ASKED, 0),  # Slurm has requeued it itself
        ("RUNNING", "failed", ASKED, 0),  # ended because another process of the run failed
        ("RUNNING", "interrupted", "sys.exit(1)", 0),  # failed before it could say so
        ("RUNNING", "interrupted", "raise ValueError", 0),
        ("RUNNING", "completed", "", 0),
        ("RUNNING", "interrupted", ASKED, 3),  # as often as it may
    ],
)
def test_any_other_job_does_not_come_back(inside: Inside, state: str, status: str, then: str, restarts: int) -> None:
    inside.slurm_says(state)
    inside.environment(SLURM_RESTART_COUNT=restarts)
    inside.as_run(status)
    with contextlib.suppress(ValueError):
        inside.run(then, requeues=3)
    assert inside.requeued == []


def test_a_job_that_was_started_too_often_does_nothing(inside: Inside) -> None:
    inside.environment(SLURM_RESTART_COUNT=4)
    assert str(inside.run(requeues=3)).startswith("Slurm has started this job again 4 times")
    assert not (inside.sweep.path / "note.json").exists()


def test_further_processes_do_as_the_first_one_does(inside: Inside) -> None:
    """Though run.json is there when they look, the first one has begun anew."""
    inside.environment(SLURM_NTASKS=2)
    inside.run()
    first = inside.note["arguments"]
    inside.as_run("running")
    inside.environment(SLURM_PROCID=1)
    inside.run()
    assert inside.note["arguments"] == first
    assert first[0] == "lr=0.1"


def test_further_processes_do_not_wait_for_ever(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_task, "PATIENCE", 0.0)
    inside.environment(SLURM_NTASKS=2, SLURM_PROCID=1)
    assert str(inside.run()).startswith("the first process of this job has not written ")
