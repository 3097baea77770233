"""The cluster that the Slurm tests run on has what they rely on. Run it with: tests/slurm/cluster.sh with pytest …"""

from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm
Slurm = Callable[..., str]


def test_a_job_of_two_tasks_has_one_on_each_node(slurm: Slurm) -> None:
    shown = slurm(
        "srun", "-N2", "--ntasks-per-node=1", "bash", "-c", "echo $SLURM_PROCID of $SLURM_NTASKS on $SLURMD_NODENAME"
    )
    assert sorted(shown.splitlines()) == ["0 of 2 on n1", "1 of 2 on n2"]


def test_a_preempted_job_is_started_again(slurm: Slurm, wait_until: Callable[..., None], tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo started ${{SLURM_RESTART_COUNT:-0}} >> {log}; [[ -n $SLURM_RESTART_COUNT ]] || sleep infinity"
    number = slurm("sbatch", "--parsable", f"--output={tmp_path}/out", "--wrap", f"bash -c '{script}'").strip()
    wait_until(log.exists)
    slurm("srun", "--partition=high", "-N2", "true")
    wait_until(lambda: not slurm("squeue", "--noheader", f"--jobs={number}"))
    assert log.read_text().split("\n") == ["started 0", "started 1", ""]
