"""The answers of a trained network for a whole split of its own data set."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from atelier.arguments import check_arguments
from atelier.errors import InputError
from atelier.figures.numbers import write_numbers

if TYPE_CHECKING:
    from atelier.data.tensors import Split, TensorData
    from atelier.tasks.task import Task


def check_asked(options: DictConfig) -> None:
    """
    Raises:
        InputError: unless predict.py's options have either `inputs` or a known `split`.
    """
    from atelier.data.tensors import TensorData

    given = not OmegaConf.is_missing(options, "inputs")
    if given == (options.split is not None):
        told = f"inputs=… and split={options.split}" if given else "inputs is missing"
        raise InputError(f"{told}: give inputs=[FILE, …], or split=test for the run's own data")
    if not given:
        check_arguments("", TensorData.evaluate_on, {"split": options.split})


def predict_split(config: DictConfig, task: "Task", data: "TensorData", split: "Split") -> list[dict[str, Any]]:
    """A row for each sample of a split, in the order of the data set, computed by `Trainer.predict` on one device.

    Args:
        config: the configuration of the finished run, whose trainer is used.

    Returns:
        {"index": from 0 in the split, "label": its true label as text, and the columns of `task.answers`}.

    Raises:
        InputError: if the task gives no answers about inputs.
    """
    import torch

    from atelier.compose.build import build_trainer
    from atelier.compose.open import ALONE

    config = config.copy()
    config.trainer.update(ALONE)
    outputs: Any = build_trainer(config, task.network).predict(task, data.evaluate_on(split))
    answers = task.answers(torch.cat(outputs).cpu())
    batches = zip(outputs, data.test_dataloader(), strict=False)  # limit_predict_batches leaves the last ones out
    labels = task.captions(torch.cat([labels for _, (_, labels) in batches]).cpu())
    told = zip(labels, answers, strict=True)
    return [{"index": index, "label": label, **answer} for index, (label, answer) in enumerate(told)]


def show_rows(rows: Sequence[dict[str, Any]], format: str, output: Path) -> None:
    """Write rows into `predictions.csv` in the folder `output`; print them as JSON, or where they are."""
    output.mkdir(parents=True, exist_ok=True)
    file = output / "predictions.csv"
    write_numbers(file, list(rows[0]), [list(row.values()) for row in rows])
    print(json.dumps(rows, indent=2) if format == "json" else f"{len(rows)} predictions: {file}")
