"""Run folders where `import atelier` looks for them: one that an earlier version left, and ones that are made up."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

EARLIER = Path(__file__).parents[1] / "fixtures" / "earlier"


@pytest.fixture
def logs(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of runs, which is empty."""
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("DATA_DIR", str(data_dir))
    return tmp_path / "logs"


@pytest.fixture
def left(logs: Path) -> Callable[..., Path]:
    """`left("run")`: a copy of a folder that an earlier version left; with a name of its own, several times."""

    def copy(kind: str, name: str | None = None, **changes: Any) -> Path:
        place = logs / ("runs" if kind == "run" else "sweeps") / "default" / (name or kind)
        shutil.copytree(EARLIER / kind, place)
        if changes:
            content = json.loads((place / "run.json").read_text())
            (place / "run.json").write_text(json.dumps(content | changes))
        return place

    return copy


@pytest.fixture
def run(left: Callable[..., Path]) -> Any:
    """A run that an earlier version left, opened."""
    import atelier

    return atelier.load(left("run"))


@pytest.fixture
def untrained(logs: Path, compose: Callable[..., Any]) -> Callable[..., Path]:
    """`untrained("data=palindromes", …)`: the folder of a run of these settings whose network has learnt nothing."""

    def make(*overrides: str) -> Path:
        import torch

        from atelier.compose.build import build_task
        from atelier.compose.targets import plain

        folder = logs / "runs" / "made_up" / "run"
        (folder / "checkpoints").mkdir(parents=True)
        config = plain(compose(*overrides))
        checkpoint = {"state_dict": build_task(OmegaConf.create(config)).state_dict(), "config": config}
        torch.save(checkpoint, folder / "checkpoints" / "best.ckpt")
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "run.json").write_text(json.dumps({"status": "completed", "experiment": "made_up", "test": {}}))
        return folder

    return make
