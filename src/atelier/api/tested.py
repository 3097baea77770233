"""What a run's test has measured, where a checkpoint of the run is opened: nothing, if it tested other weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from atelier.compose.targets import plain
from atelier.runs.changes import differences
from atelier.runs.checkpoint import open_checkpoint
from atelier.runs.folder import RunFolder, read_yaml
from atelier.runs.manifest import UNTESTED
from atelier.runs.setting import within

OF_TRAINING = "data.batch_size"  # a test has data.eval_batch_size


def recorded_of(content: Mapping[str, Any], folder: RunFolder, config: DictConfig, path: Path) -> dict[str, Any]:
    """The `content` of run.json, without `test` and `sureness` if they are of other weights, or of another computation.

    `folder`, `config`, `path`: as `atelier.compose.open.reopen` gives them, changed by what was typed.
    """
    tested = path.resolve() == folder.named(str(read_yaml(folder.config).get("checkpoint") or "best")).resolve()
    if tested:
        changed = differences(open_checkpoint(path)["config"], plain(config))
        tested = not any(within(key, part) for key in changed if key != OF_TRAINING for part in ("data", "task"))
    return {**content, **({} if tested else UNTESTED)}
