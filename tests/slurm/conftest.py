"""What the tests on the cluster share: Slurm's own commands."""

import os
import subprocess
from collections.abc import Callable

import pytest

CLUSTER = "/tmp/atelier-slurm/slurm.conf"


@pytest.fixture(scope="session", autouse=True)
def on_the_cluster() -> None:
    if os.environ.get("SLURM_CONF") != CLUSTER:
        pytest.skip("not started by tests/slurm/cluster.sh")


@pytest.fixture(scope="session")
def slurm() -> Callable[..., str]:
    """`slurm("squeue", "--noheader")`: what one of Slurm's commands prints; an error if it fails."""

    def run(*command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout

    return run
