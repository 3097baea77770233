"""The clipping of gradients needs all of them in each process, and unscaled."""

import lightning.pytorch as lightning

from atelier.errors import InputError
from atelier.tasks.sharded import is_sharded, need_all_weights


def are_true(trainer: lightning.Trainer) -> bool:
    """Whether a task sees the gradients as they are: each process has all of them, and none is scaled."""
    return not is_sharded(trainer) and not are_scaled(trainer)


def are_scaled(trainer: lightning.Trainer) -> bool:
    """Whether a step gets the gradients of the scaled loss: with trainer.precision=16-mixed, fused optimizers do, which
    unscale them while they step."""
    if getattr(trainer.precision_plugin, "scaler", None) is None:
        return False
    return any(getattr(optimizer, "_step_supports_amp_scaling", False) for optimizer in trainer.optimizers)


def check_clipping(task: lightning.LightningModule) -> None:
    """
    Raises:
        InputError: if the gradients of a task, which the trainer or the task itself clips, cannot be clipped.
    """
    trainer = task.trainer
    largest = trainer.gradient_clip_val if task.automatic_optimization else getattr(task, "gradient_clip_val", None)
    if not largest:
        return
    asked = f"trainer.gradient_clip_val={largest}"
    if trainer.gradient_clip_algorithm != "value":  # the norm is of all gradients
        need_all_weights(trainer, asked)
    if are_scaled(trainer):
        told = f"with trainer.precision={trainer.precision}, a fused optimizer unscales only after the clipping"
        raise InputError(f"{asked}: {told}; leave out optimizer.fused or give trainer.precision=bf16-mixed")
