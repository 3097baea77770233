"""A checkpoint that is damaged, of another program or network, or harmful."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


class Trap:
    """An object whose unpickling makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("verb", ["eval", "predict", "train"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
def test_a_truncated_checkpoint_is_refused(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str, kept: float, using: Any
) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} is damaged or no checkpoint")


@pytest.mark.parametrize("verb", ["eval", "predict", "train"])
def test_a_foreign_checkpoint_is_refused(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str, using: Any
) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    torch.save({"model": torch.ones(3), "epoch": 2}, path)
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} is a checkpoint of another program")


@pytest.mark.parametrize("verb", ["eval", "export", "predict", "train"])
def test_a_checkpoint_with_a_pickled_object_is_refused_and_does_not_run(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str, edit_checkpoint: Any, using: Any
) -> None:
    path, harm = run_copy / "checkpoints" / "best.ckpt", run_copy / "harm"
    edit_checkpoint(path, lambda content: content.update(extra=Trap(harm)))
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} holds more than tensors and plain data, so it is not opened")
    assert not harm.exists()


def test_a_checkpoint_of_another_network_is_told(told: Callable[..., str], trained: Any, tiny: list[str]) -> None:
    path = trained.folder / "checkpoints" / "best.ckpt"
    message = told("train", *tiny, "network.hidden=[17]", "train=false", f"checkpoint={path}", "callbacks=none")
    assert message.startswith(f"{path} is of another network (atelier.networks.clock_cnn_small.SmallClockCNN)")
    assert "in the checkpoint" in message


def test_a_run_cannot_go_on_with_another_network(told: Callable[..., str], run_copy: Path) -> None:
    message = told("train", f"resume={run_copy}", "network.hidden=[17]", "trainer.max_epochs=3")
    assert message.startswith(f"{run_copy / 'checkpoints' / 'last.ckpt'} is of another network")


def test_a_run_without_a_checkpoint_cannot_be_evaluated(told: Callable[..., str], run_copy: Path) -> None:
    shutil.rmtree(run_copy / "checkpoints")
    message = told("eval", f"run={run_copy}").strip()
    assert message.startswith(
        f"checkpoint=best: there is no file {run_copy / 'checkpoints' / 'best.ckpt'}, nor last.ckpt"
    )
    assert message.endswith("give a folder that python src/report.py lists, or latest")
