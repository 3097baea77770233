"""The file of a generative task's scores: the scores alone, with null for what is no number."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atelier.callbacks.quality import Quality


@pytest.mark.parametrize(("classes", "names"), [(["cat", "dog"], ["cat", "dog"]), (None, ["0", "1"])], ids=str)
def test_the_file_has_the_scores_and_the_share_of_each_class(
    classes: list[str] | None, names: list[str], tmp_path: Path
) -> None:
    (tmp_path / "figures").mkdir()
    found = {"frechet_distance": math.nan, "frechet_floor": 0.5, "smallest_share": 0.25, "loss": 3.0}
    trainer: Any = SimpleNamespace(
        callback_metrics={f"test/{name}": torch.tensor(value) for name, value in found.items()},
        datamodule=SimpleNamespace(classes=classes),
        **{"is_global_zero": True, "default_root_dir": str(tmp_path)},
    )
    quality = SimpleNamespace(
        class_shares=torch.tensor([0.75, 0.25]), features=SimpleNamespace(identity={"features": "pixels"})
    )
    Quality().on_test_end(trainer, SimpleNamespace(quality=quality))
    assert json.loads((tmp_path / "figures" / "quality.json").read_text()) == {
        **{"frechet_distance": None, "frechet_floor": 0.5, "smallest_share": 0.25},
        **{"class_shares": dict(zip(names, (0.75, 0.25), strict=True)), "features": {"features": "pixels"}},
    }
