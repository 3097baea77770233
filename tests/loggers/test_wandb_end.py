"""How a W&B run begins and ends: in the mode that was chosen, with a summary of its weights, and in good time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.loggers.wandb import ID_FILE, Wandb

Reader = Callable[[Path], Any]
pytestmark = pytest.mark.slow  # each reads its file back through a process of W&B's


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_what_was_typed_at_wandb_holds_and_no_reason_is_made_up(
    single: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, mode: str
) -> None:
    """`wandb offline` and `wandb disabled` write it into the project's wandb/settings."""
    monkeypatch.delenv("WANDB_MODE")
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text(f"[default]\nmode = {mode}\n")
    monkeypatch.chdir(tmp_path)
    logger = Wandb(str(single), project="atelier-tests")
    logger.log_metrics({"val/loss": 1.0}, 0)
    logger.finish(0, {"best": 1.0})
    said = capsys.readouterr().out
    assert "API key" not in said
    assert ("the run stays offline. To send it: wandb sync" in said) is (mode == "offline")
    assert (single / ID_FILE).exists() is (mode == "offline")


def test_a_test_of_other_weights_leaves_the_summary_of_a_run_that_goes_on(single: Path, recorded_in: Reader) -> None:
    logger = Wandb(str(single), project="atelier-tests")
    logger.experiment.summary.update({"test/loss": 0.5, "test/accuracy": 0.9, "best": 0.25})
    logger.log_metrics({"test/watched": 0.75}, 0)  # as callbacks=watch_test does in a training
    logger.finish(0, {"best": 0.125})
    kept = recorded_in(single).summary
    assert kept["best"] == 0.125
    assert [key for key in kept if key.startswith("test/")] == ["test/watched"]


def test_what_could_not_be_sent_in_time_is_told_with_the_command_that_sends_it(
    single: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = Wandb(str(single), project="atelier-tests")
    finish = logger.experiment.finish

    def late(**given: Any) -> None:
        finish(**given)
        raise TimeoutError("Timed out finishing run.")

    monkeypatch.setattr(logger.experiment, "finish", late)
    logger.finish(0, {"best": 1.0})
    said = capsys.readouterr().out
    assert "not all was sent within 60 seconds" in said
    assert f"To send the rest: wandb sync --include-online {single}/wandb/run-*" in said
