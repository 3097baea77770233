"""Strategies such as FSDP, with which each process has only a part of the weights and of their gradients."""

import lightning.pytorch as lightning

from atelier.errors import InputError


def is_sharded(trainer: lightning.Trainer) -> bool:
    return trainer.strategy.restore_checkpoint_after_setup


def need_all_weights(trainer: lightning.Trainer, asked: str) -> None:
    """
    Raises:
        InputError: if a process has only a part of the weights; the message begins with what was `asked`.
    """
    if is_sharded(trainer):
        raise InputError(f"{asked}: needs all weights in each process; choose trainer=ddp")
