"""Changes of a run's configuration on resuming: checks them, and applies them to optimizers and schedulers.

Lightning restores learning rates and all other hyperparameters from the checkpoint. `Takeover` applies the new values
from the next step on; the learning rate is that of the new scheduler at that step.
"""

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as lightning
from torch.optim.lr_scheduler import ReduceLROnPlateau

from atelier.errors import InputError
from atelier.runs.setting import LATER, is_aside, leaves, within

# Keys that a run keeps; FREE_DATA lists the keys of `data` that may change.
FIXED = ("seed", "initializer", "encoding", "task._target_", "task.metric", "task.mode", "features", "data")
FREE_DATA = ("batch_size", "augment", "augmentation", "repair", "shuffle", "folder", "file", "images", "labels")
CLOSING = ("trainer.max_steps", "trainer.max_time")  # they close an epoch in its middle, where epochs are counted
COUNTING = "trainer.check_val_every_n_epoch"  # null: the run counts steps
BATCHES = ("data.batch_size", "trainer.devices", "trainer.num_nodes")
# An optimizer keeps its state (moments, sums) if only these arguments change.
RATES = ("lr", "weight_decay", "betas", "eps")
PROGRESS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")  # state of a plateau scheduler

Changes = dict[str, tuple[Any, Any]]  # {dotted key: (old value, new value)}; None: no value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """The keys that count for a setting and differ between two resolved configurations.

    >>> differences({"optimizer": {"lr": 0.1}, "logger": {}}, {"optimizer": {"lr": 0.2}, "logger": {"wandb": 1}})
    {'optimizer.lr': (0.1, 0.2)}
    """
    before, after = ({key: unplaced(key, value, side) for key, value in leaves(side)} for side in (old, new))
    keys = [*before, *(after.keys() - before.keys())]
    found = {key: (before.get(key, LATER.get(key)), after.get(key, LATER.get(key))) for key in keys}
    changed = {key: (a, b) for key, (a, b) in found.items() if repr(a) != repr(b) and not is_aside(key)}  # 1 is not 1.0
    twice = {key for key in changed if key.removeprefix("task.") in changed.keys() - {key}}  # ${optimizer} in the task
    dull = {key for key in changed if key.endswith("_partial_") or within(key, "callbacks")}
    return {key: pair for key, pair in changed.items() if key not in twice | dull}


def unplaced(key: str, value: Any, config: Mapping[str, Any]) -> Any:
    """A value without its place: a path of the configuration's `paths` at its start, or which GPUs a list names."""
    if key == "trainer.devices" and isinstance(value, list):
        return len(value)
    for name, path in config.get("paths", {}).items():
        if path and isinstance(value, str) and value.startswith(path):
            return f"<{name}>{value.removeprefix(path)}"
    return value


def check_changes(changes: Changes, done: Mapping[str, Any], batches: int) -> None:
    """
    Args:
        changes: changes of the run's configuration.
        done: the content of run.json.
        batches: number of finished batches in the epoch in which the run resumes; 0 at the start of an epoch.

    Raises:
        InputError: for a key that cannot change in a run.
    """
    for key, (old, new) in changes.items():
        free = key.startswith("data.") and key.split(".")[1] in FREE_DATA
        counted = (key in CLOSING and done.get("counts") == "epochs") or (key == COUNTING and None in (old, new))
        if counted or (any(within(key, fixed) for fixed in FIXED) and not free):
            raise InputError(f"{key}={new}: the run began with {old} and keeps it; a new run, without resume=, can")
        if key in BATCHES and batches:
            epoch = done["epochs"] + 1
            told = f"it was {old} in the {batches} batches of epoch {epoch} that are done"
            raise InputError(f"{key}={new}: {told}; end the epoch first: resume=… trainer.max_epochs={epoch}")


def check_length(trainer: Mapping[str, Any], changes: Changes, done: Mapping[str, Any]) -> None:
    """
    Raises:
        InputError: if the new length is shorter than the finished part, or a run that has finished or stopped early
            has changes but no new steps.
    """
    key, unit = ("max_steps", "steps") if trainer["check_val_every_n_epoch"] is None else ("max_epochs", "epochs")
    asked, count = trainer[key], done[unit]
    if asked not in (None, -1) and asked < count:
        raise InputError(f"trainer.{key}={asked}: the run has {count} {unit} already; give that many or more")
    others = [k for k in changes if k != f"trainer.{key}"] if asked == count else []
    remedy = f"trainer.{key}={count + 1} or more"
    old, new = changes.get("trainer.patience", (0, 0))
    if done.get("stopped_early") and new is not None and new <= (old or 0):
        others, remedy = list(changes), "a larger trainer.patience"
    if others:
        given = f"{others[0]}={changes[others[0]][1]}"
        raise InputError(f"{given}: the run has its {count} {unit}; give {remedy}, too")


def has_ended(trainer: Mapping[str, Any], done: Mapping[str, Any]) -> bool:
    """Whether a run is complete, or has trained to its end and failed in its test."""
    at_its_length = any(trainer[f"max_{unit}"] == done[unit] for unit in ("epochs", "steps"))
    return done["status"] == "completed" or at_its_length or bool(done.get("stopped_early"))


class Takeover:
    """Applies the new configuration to a trainer's optimizers and schedulers, after their states were restored.

    Args:
        old: the configuration in the checkpoint.
        new: the run's new configuration.
    """

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self.changes = differences(old, new)
        keys = [key.split(".") for key in self.changes]
        self.anew = any(key[0] == "optimizer" and key[-1] not in RATES for key in keys)
        self.rescheduled = any(key[0] == "scheduler" and key[-1] == "_target_" for key in keys)
        self.groups: list[dict[str, Any]] = []
        self.schedulers: list[Any] = []

    def drop_what_does_not_fit(self, checkpoint: dict[str, Any]) -> None:
        """Remove the states of replaced optimizers and schedulers from the checkpoint."""
        if self.anew:
            checkpoint["optimizer_states"] = []
        if self.rescheduled or self.anew:
            checkpoint["lr_schedulers"] = []

    def note(self, trainer: lightning.Trainer) -> None:
        """Copy the hyperparameters of the new optimizers and schedulers, before the checkpoint is restored."""
        groups = (group for optimizer in trainer.optimizers for group in optimizer.param_groups)
        self.groups = [{key: value for key, value in group.items() if key != "params"} for group in groups]
        self.schedulers = [copy.deepcopy(config.scheduler.state_dict()) for config in trainer.lr_scheduler_configs]

    def apply(self, trainer: lightning.Trainer, interval: str) -> str:
        """Set the copied hyperparameters, step the schedulers to the run's position, and return a line on the changes.

        Args:
            interval: "step" or "epoch", the unit of the schedulers.
        """
        live = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        before = [float(group["lr"]) for group in live]
        for group, made in zip(live, self.groups, strict=True):
            group.update(made)
        for config, made in zip(trainer.lr_scheduler_configs, self.schedulers, strict=True):
            scheduler = config.scheduler
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.load_state_dict({**made, **{key: getattr(scheduler, key) for key in PROGRESS}})
                typed = [k for k in self.changes if k.endswith("lr") and not within(k, "scheduler")]  # no min_lr
                if not self.rescheduled and not typed:
                    for group, lr in zip(live, before, strict=True):
                        group["lr"] = lr
                continue
            scheduler.load_state_dict(made)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # torch warns: the scheduler steps before the optimizer
                for _ in range(trainer.global_step if interval == "step" else trainer.current_epoch):
                    scheduler.step()
        told = [", ".join(f"{key} {old} → {new}" for key, (old, new) in self.changes.items())]
        rates = [(old, float(group["lr"])) for old, group in zip(before, live, strict=True) if old != group["lr"]]
        told += [f"learning rate {old:.6g} → {new:.6g}" for old, new in rates[:1]]
        told += ["the optimizer's state begins anew"] * self.anew
        return f"From step {trainer.global_step + 1:,} on: {'; '.join(told)}"
