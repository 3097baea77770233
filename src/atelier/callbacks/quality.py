"""A callback that writes the scores of generated images, and the network whose features gave them."""

import json
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning

from atelier.callbacks.watcher import Watcher
from atelier.figures.made import finite

NAMES = ("frechet_distance", "frechet_floor", "precision", "recall", "classes_found", "smallest_share")


class Quality(Watcher):
    """Writes `figures/quality.json` after testing a generative task that scores its images: the scores, the share of
    each class among the images, and the identity of the features."""

    def on_test_end(self, trainer: lightning.Trainer, task: Any) -> None:
        quality = getattr(task, "quality", None)
        if quality is None or not trainer.is_global_zero:
            return
        found = trainer.callback_metrics
        scores: dict[str, Any] = {name: float(found[f"test/{name}"]) for name in NAMES if f"test/{name}" in found}
        if quality.class_shares is not None:
            names = trainer.datamodule.classes or range(len(quality.class_shares))  # type: ignore[attr-defined]
            shares = quality.class_shares.tolist()
            scores["class_shares"] = {str(name): share for name, share in zip(names, shares, strict=False)}
        scores["features"] = quality.features.identity
        path = Path(trainer.default_root_dir) / "figures" / "quality.json"
        path.write_text(json.dumps(finite(scores), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
