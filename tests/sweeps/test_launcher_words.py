"""What was typed about the launcher is kept in sweep.json, and counts again when the sweep goes on."""

from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.sweeps.start import launcher_words
from atelier.sweeps.sweep import Sweep

JOBS, RETRIES = "hydra.launcher.jobs=1", "hydra.launcher.retries=2"
SLURM = ["hydra/launcher=slurm", "hydra.launcher.setup=['module load cuda']"]


def command(typed: list[str], resume: Path | None = None) -> DictConfig:
    hydra = {"overrides": {"hydra": ["hydra.mode=MULTIRUN", *typed]}}
    return OmegaConf.create({"hydra": hydra, "sweep": {"resume": resume and str(resume)}, "paths": {"logs": "logs"}})


@pytest.mark.parametrize(
    ("before", "now", "counts"),
    [
        ([JOBS, RETRIES], [], [JOBS, RETRIES]),
        ([JOBS, RETRIES], ["hydra.launcher.jobs=3"], ["hydra.launcher.jobs=3", RETRIES]),
        ([JOBS], SLURM, SLURM),
        (SLURM, [JOBS], [JOBS]),  # a stored command for a cluster's nodes is not run unless it is typed
        (["hydra.sweeper.trials=9"], [], []),
    ],
)
def test_a_resumed_sweep_is_run_as_it_was_begun(
    tmp_path: Path, before: list[str], now: list[str], counts: list[str]
) -> None:
    Sweep.create(tmp_path / "sweep", [], launcher=before)
    assert launcher_words(command(now, tmp_path / "sweep")) == counts


def test_a_new_sweep_is_run_as_typed() -> None:
    assert launcher_words(command([JOBS, "hydra.sweep.dir=here"])) == [JOBS]
