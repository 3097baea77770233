"""The settings of hydra/launcher=slurm, checked before anything is submitted."""

import importlib.util
import shutil
from typing import Any

from omegaconf import OmegaConf

from atelier.compose.targets import check_arguments
from atelier.errors import InputError
from atelier.sweeps.slurm_queue import SAVE_BEFORE, SlurmSettings

SHORTEST = 2 * SAVE_BEFORE // 60  # minutes: what is left of less would not do


def checked_slurm(given: dict[str, Any]) -> SlurmSettings:
    """The launcher's settings, where there is a Slurm to use them.

    Raises:
        InputError: if one does not exist or has no sensible value, or if Slurm or submitit are not here.
    """
    values: Any = OmegaConf.to_container(OmegaConf.create(given), resolve=True)
    check_arguments("hydra.launcher", SlurmSettings, values)
    settings = SlurmSettings(**values)
    least = {"jobs": 1, "cpus_per_task": 1, "gpus_per_node": 0, "retries": 0, "requeues": 0}
    for key, smallest in least.items():
        value = getattr(settings, key)
        if value is not None and value < smallest:
            raise InputError(f"hydra.launcher.{key}={value}: give a number of {smallest} or more")
    if isinstance(settings.time, int) and 0 < settings.time < SHORTEST:
        raise InputError(
            f"hydra.launcher.time={settings.time}: give at least {SHORTEST} minutes, the last of which are for saving"
        )
    if importlib.util.find_spec("submitit") is None:
        raise InputError("hydra/launcher=slurm needs the package submitit: pip install 'atelier[slurm]'")
    for program in ("sbatch", "srun", "squeue", "scancel"):
        if shutil.which(program) is None:
            raise InputError(f"hydra/launcher=slurm: there is no {program} on the PATH; is this a Slurm cluster?")
    return settings
