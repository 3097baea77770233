"""A logger of one's own needs `log_metrics` alone."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as lightning
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel

from atelier.runs.folder import RunFolder
from atelier.runs.manifest import Manifest
from atelier.runs.metrics import RunLogger, finish_loggers
from atelier.runs.run import Run
from atelier.runs.terminal import quieten_lightning


class Heard(RunLogger):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, Any]] = []
        self.ended: list[int] = []
        self.summary: dict[str, Any] = {}

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.rows.append((step, dict(metrics)))

    def finish(self, exit_status: int, summary: Any) -> None:
        self.ended.append(exit_status)
        self.summary = dict(summary)


class Broken(Heard):
    def finish(self, exit_status: int, summary: Any) -> None:
        raise OSError("no space left")


class Model(BoringModel):
    def training_step(self, batch: Any, batch_index: int) -> Any:
        self.log("train/loss", 0.5)
        return super().training_step(batch, batch_index)


def test_a_logger_of_ones_own_hears_the_metrics() -> None:
    quieten_lightning()
    logger = Heard()
    quiet = dict.fromkeys(("enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    once = {"max_steps": 1, "limit_val_batches": 0, "log_every_n_steps": 1, "accelerator": "cpu"}
    lightning.Trainer(logger=logger, **quiet, **once).fit(Model())
    logger.finish(0, {"best": 0.5})
    assert (logger.name, logger.version, logger.rows) == ("heard", "", [(0, {"train/loss": 0.5, "epoch": 0})])


def test_a_logger_that_cannot_be_closed_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    first, last = Heard(), Heard()
    manifest = Manifest(tmp_path / "run.json", {"objective": {"best": None, "best_epoch": None}, "test": {}})
    with pytest.raises(OSError, match="no space left"):
        finish_loggers([first, Broken(), last], manifest, 1)
    assert first.ended == last.ended == [1]


@pytest.mark.parametrize("main", [True, False])
def test_only_the_first_of_several_processes_closes_the_loggers(tmp_path: Path, main: bool) -> None:
    """Another one knows what run.json said when it began."""
    logger = Heard()
    manifest = Manifest(tmp_path / "run.json", {"objective": {"best": 0.5}, "test": {}})
    nothing = SimpleNamespace(listen=lambda: None, release=lambda: None)
    own: Any = {"folder": RunFolder(tmp_path), "main": main, "stop": nothing, "manifest": manifest, "lock": None}
    run: Any = SimpleNamespace(**own, trainer=SimpleNamespace(loggers=[logger]), conclude=lambda: None)
    run.exit_status = lambda error: 0
    with Run.recorded(run):
        pass
    assert logger.ended == [0] * main


def test_the_summary_has_what_is_known_of_the_best_and_the_test(tmp_path: Path) -> None:
    logger, known = Heard(), {"best": 0.25, "best_epoch": 0, "best_step": 500}
    manifest = Manifest(tmp_path / "run.json", {"objective": {**known, "validation_gap": None}, "test": {"loss": 0.5}})
    finish_loggers([logger], manifest, 0)
    assert logger.summary == {**known, "test/loss": 0.5}
