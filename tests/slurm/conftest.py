"""What the tests on the cluster share: Slurm's own commands, and waiting for something to happen."""

import os
import subprocess
import time
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
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    return run


@pytest.fixture(scope="session")
def wait_until(slurm: Callable[..., str]) -> Callable[..., None]:
    """`wait_until(condition)`: fails, showing the queue, if that does not become true in time."""

    def wait(condition: Callable[[], object], seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, slurm("squeue", "--states=all")
            time.sleep(0.2)

    return wait
