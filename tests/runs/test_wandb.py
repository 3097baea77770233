"""The W&B logger, offline: what it wrote is read back from W&B's own file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from atelier.runs.wandb import ID_FILE, Wandb


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "clock_angles" / "stamp"
    (folder / "figures").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 3, "optimizer": {"lr": 0.25}}))
    Image.new("L", (8, 8), 128).save(folder / "figures" / "curves.png")
    return folder


def records(folder: Path) -> list[dict]:
    """Every record of every W&B file in the folder, by W&B's own reader."""
    program = Path(sys.executable).with_name("wandb")
    found: list[dict] = []
    for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        command = [program, "leet", "inspect", "--json", file]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [json.loads(line) for line in lines if line.strip()]
    return found


def texts(folder: Path) -> str:
    return json.dumps(records(folder))


def log_something(folder: Path, failed: bool = False) -> Wandb:
    logger = Wandb(str(folder), project="atelier-tests", group="a group", tags=["one"])
    for step in range(3):
        logger.log_metrics({"val/loss": 1.0 / (step + 1), "epoch": step}, step)
    logger.finish(failed=failed, summary={"best": 0.125})
    return logger


def test_an_offline_run_holds_configuration_history_figures_and_summary(run_folder: Path) -> None:
    log_something(run_folder)
    found = records(run_folder)
    history = [record for record in found if record.get("type") == "history"]
    text = json.dumps(found)
    assert len(history) == 4  # three logging events and the figures
    assert "clock_angles/stamp" in text
    assert "a group" in text
    assert "atelier-tests" in text
    assert "0.125" in text
    assert "0.25" in text
    assert "figures/curves" in text


def test_a_resumed_run_goes_on_under_the_same_id(run_folder: Path) -> None:
    log_something(run_folder)
    first = (run_folder / ID_FILE).read_text()
    log_something(run_folder)
    assert (run_folder / ID_FILE).read_text() == first


def test_an_error_of_wandb_warns_once_and_does_not_end_the_training(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def fail(*args: object, **kwargs: object) -> None:
        raise wandb.errors.CommError("the server is on fire")

    monkeypatch.setattr(wandb, "init", fail)
    logger = Wandb(str(run_folder), project="atelier-tests")
    with pytest.warns(UserWarning, match="the server is on fire"):
        logger.log_metrics({"val/loss": 1.0}, 0)
    logger.log_metrics({"val/loss": 0.5}, 1)
    logger.finish(failed=False)
