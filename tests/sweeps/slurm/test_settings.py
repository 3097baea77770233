"""The settings of hydra/launcher=slurm, and what has to be there for it: a wrong or missing one is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.errors import InputError
from atelier.sweeps.slurm_queue import SlurmSettings, checked_slurm


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"partitoin": "gpu"}, "hydra.launcher.partitoin: no 'partitoin'; choose from: partition, "),
        ({"jobs": 0}, "hydra.launcher.jobs=0: give a whole number of 1 or more"),
        ({"requeues": -1}, "hydra.launcher.requeues=-1: give a whole number of 0 or more"),
        ({"jobs": "many"}, "hydra.launcher.jobs=many: give a whole number of 1 or more or null"),
        ({"time": 1}, "hydra.launcher.time=1: give at least 4 minutes"),
        (yaml.safe_load("time: 1:30:00"), "hydra.launcher.time=5400: YAML reads 1:30:00 without quotes"),
        ({"time": 3600}, "hydra.launcher.time=3600: YAML reads 1:30:00 without quotes"),
        ({"setup": "module load cuda"}, "hydra.launcher.setup=module load cuda: give a list"),
        ({"on_failure": "cry"}, "hydra.launcher.on_failure=cry: give one of: continue, stop"),
    ],
)
def test_a_wrong_setting_is_told(told: Callable[[], dict[str, str]], setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        checked_slurm(setting)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("time", [None, 0, 4, 3599, "1-12", "2:00:00", "90:00:00"])
def test_times_of_every_kind_pass(told: Callable[[], dict[str, str]], time: Any) -> None:
    assert checked_slurm({"time": time}).time == time


def test_the_option_has_every_setting(conf: Path, told: Callable[[], dict[str, str]]) -> None:
    option = yaml.safe_load((conf / "hydra" / "launcher" / "slurm.yaml").read_text())
    given = {key: value for key, value in option.items() if key not in ("_target_", "defaults")}
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
