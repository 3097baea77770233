"""What Slurm is told: what a job needs, the script of an array, the environment around it; and what squeue is asked."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.errors import InputError
from atelier.sweeps.slurm_queue import Needs, Queue, SlurmSettings, ask_squeue, outside_of_jobs
from atelier.sweeps.sweep import Job, Sweep

Make = Callable[..., Sweep]


@pytest.mark.parametrize(
    ("facts", "settings", "needs"),
    [
        ({"accelerator": "cpu", "devices": 1}, {}, Needs(1, 1, 0)),
        ({"accelerator": "cpu", "devices": 2}, {}, Needs(1, 2, 0)),
        ({"accelerator": "cpu", "devices": 1, "nodes": 2}, {}, Needs(2, 1, 0)),
        ({"accelerator": "cpu", "devices": 1}, {"gpus_per_node": 4}, Needs(1, 1, 0)),
        ({"accelerator": "gpu", "devices": 1}, {}, Needs(1, 1, 1)),
        ({"accelerator": "cuda", "devices": 2, "nodes": 2}, {}, Needs(2, 2, 2)),
        ({"accelerator": "gpu", "devices": 4, "nodes": 2}, {"gpus_per_node": 4}, Needs(2, 4, 4)),
        ({"accelerator": "gpu", "devices": 2}, {"gpus_per_node": 4}, Needs(1, 2, 4)),
        ({"accelerator": "auto", "devices": 1}, {}, Needs(1, 1, 0)),
        ({"accelerator": "auto", "devices": 1}, {"gpus_per_node": 1}, Needs(1, 1, 1)),
    ],
)
def test_nodes_processes_and_gpus_follow_from_the_trainer(
    facts: dict[str, Any], settings: dict[str, Any], needs: Needs
) -> None:
    assert SlurmSettings(**settings).needs(Job(0, [], {}, facts)) == needs


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
    with pytest.raises(InputError, match=r"^Slurm refuses the jobs: sbatch: error: no such partition$"):
        submitted(make_sweep("do=well"), Needs(1, 1, 0))


def test_a_ctrl_c_at_the_terminal_does_not_end_sbatch(
    make_sweep: Make, told: Callable[[], dict[str, str]], tmp_path: Path
) -> None:
    """Or jobs would be in the queue of which no sweep knows."""
    (tmp_path / "bin" / "sbatch").write_text("#!/bin/sh\nkill -INT $$\nkill -TERM $$\necho Submitted batch job 7\n")
    assert submitted(make_sweep("do=well"), Needs(1, 1, 0)) == ["7"]


def test_jobs_are_cancelled_by_their_arrays(make_sweep: Make, told: Callable[[], dict[str, str]]) -> None:
    Queue(make_sweep("do=well"), Path("train.py"), SlurmSettings()).cancel(["7_0", "7_2", "9"])
    assert told()["scancel.told"] == "7 9\n"


def test_the_queue_is_asked_for_all_arrays_at_once(told: Callable[[], dict[str, str]]) -> None:
    states = ask_squeue(["7_0", "7_1", "9"])
    assert states == {"7_0": ("RUNNING", "None")}
    assert "--jobs=7,9" in told()["squeue.told"].split()


@pytest.mark.parametrize(
    ("error", "states"), [("slurm_load_jobs error: Invalid job id specified", {}), ("Unable to contact", None)]
)
def test_forgotten_jobs_are_told_from_a_silent_slurm(
    told: Callable[[], dict[str, str]], tmp_path: Path, error: str, states: Any
) -> None:
    (tmp_path / "bin" / "squeue").write_text(f"#!/bin/sh\necho '{error}' >&2\nexit 1\n")
    assert ask_squeue(["7"]) == states
