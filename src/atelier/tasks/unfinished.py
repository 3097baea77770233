"""The metrics of an unfinished epoch in a checkpoint, so that a run can resume in its middle."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric


def save_metrics(task: Any, checkpoint: dict[str, Any]) -> None:
    """Save each process's metrics."""
    own = {
        name: {key: on_cpu(getattr(metric, key)) for key in metric.metric_state}
        for name, metric in metrics_by_name(task).items()
        if metric.update_called
    }
    checkpoint["metrics"] = [own]
    if (several := task.trainer.world_size) > 1:
        checkpoint["metrics"] = [None] * several
        torch.distributed.all_gather_object(checkpoint["metrics"], own)


def load_metrics(task: Any, checkpoint: dict[str, Any]) -> None:
    """Load the metrics of this process."""
    saved = checkpoint.get("metrics") or []
    processes = [saved] if isinstance(saved, dict) else saved  # earlier versions saved the sums of all processes
    rank = task.trainer.global_rank
    for name, metric in metrics_by_name(task).items():
        if processes and name in processes[0]:
            metric._update_count = 1  # on every process, since computing the metric is collective
        for key, value in (processes[rank].get(name, {}) if rank < len(processes) else {}).items():
            joined = isinstance(getattr(metric, key), list) and isinstance(value, Tensor)
            setattr(metric, key, [value] if joined else value)


def metrics_by_name(task: nn.Module) -> dict[str, Metric]:
    """All metrics of the task by name; the metrics of a validation are empty when a checkpoint is saved."""
    return {name: module for name, module in task.named_modules() if isinstance(module, Metric)}


def on_cpu(state: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    """A copy of a metric's state in main memory."""
    return [on_cpu(part) for part in state] if isinstance(state, list) else state.to("cpu", copy=True)  # type: ignore[misc]
