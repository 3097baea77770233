"""Bounds and choices of arguments of Lightning, torch and torchvision; Atelier's own classes annotate theirs."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval

from atelier.callbacks import instead

Count = Annotated[int, Ge(1)]
NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Interval(ge=0, le=1)]
BelowOne = Annotated[float, Interval(ge=0, lt=1)]
NoLimit = Literal[-1]
Bits = Literal["32-true", "64-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", 16, 32, 64, "bf16"]

# {class or function: {argument: annotation}}; subclasses inherit the annotations
STATED: Mapping[str, Mapping[str, Any]] = {
    "lightning.pytorch.trainer.trainer.Trainer": {
        "devices": Count | NoLimit | Literal["auto", "-1"] | list[Annotated[int, Ge(0)]],
        "num_nodes": Count,
        "precision": Literal["auto", Bits, "16", "32", "64", "transformer-engine", "transformer-engine-float16"] | None,
        "max_epochs": Count | NoLimit,
        "max_steps": Count | NoLimit,
        "limit_train_batches": Count | Annotated[float, Interval(gt=0, le=1)],
        **dict.fromkeys(("limit_val_batches", "limit_test_batches", "overfit_batches"), Annotated[int, Ge(0)] | Share),
        "check_val_every_n_epoch": Count | None,
        "val_check_interval": Count | Annotated[float, Interval(gt=0, le=1)],
        "accumulate_grad_batches": Count,
        "gradient_clip_val": Positive | None,
        "log_every_n_steps": Annotated[int, Ge(0)],
        "profiler": Literal["simple", "advanced", "pytorch", "xla"] | None,
    },
    "torch.optim.optimizer.Optimizer": {
        **dict.fromkeys(("lr", "weight_decay", "eps", "alpha", "lr_decay", "initial_accumulator_value"), NotNegative),
        **{"betas": tuple[BelowOne, BelowOne], "momentum": BelowOne, "dampening": Share},
    },
    "torch.optim.rmsprop.RMSprop": {"alpha": BelowOne},
    "torch.optim.lr_scheduler.LRScheduler": {"gamma": Positive, "eta_min": NotNegative},
    "torch.optim.lr_scheduler.StepLR": {"step_size": Count},
    "torch.optim.lr_scheduler.OneCycleLR": {
        **{"max_lr": NotNegative, "pct_start": Share, "div_factor": Positive, "final_div_factor": Positive}
    },
    "torch.optim.lr_scheduler.ReduceLROnPlateau": {
        **{"factor": Annotated[float, Interval(gt=0, lt=1)], "patience": Annotated[int, Ge(0)]},
        **{"threshold": NotNegative, "min_lr": NotNegative},
    },
    "torchvision.transforms.v2._augment._BaseMixUpCutMix": {"alpha": Positive},
    "torch.nn.modules.dropout._DropoutNd": {"p": Share},
    **{f"torch.nn.init.{name}_": {"std": NotNegative} for name in ("normal", "trunc_normal", "sparse")},
    **{f"torch.nn.init.{name}_": {"gain": NotNegative} for name in ("xavier_normal", "xavier_uniform", "orthogonal")},
}

# {class: {further argument, which `build_trainer` takes out: annotation}}
ADDED: Mapping[str, Mapping[str, Any]] = {"lightning.pytorch.trainer.trainer.Trainer": {"patience": Count | None}}
# {class that a run cannot have: the reason}
REFUSED: Mapping[str, str] = {
    **instead.CLASSES,
    "lightning.pytorch.callbacks.spike.SpikeDetection": "it writes into a file of any name",
    "lightning.pytorch.serve.servable_module_validator.ServableModuleValidator": "it starts a server",
}


def stated_for(target: Callable[..., Any], table: Mapping[str, Mapping[str, Any]] = STATED) -> dict[str, Any]:
    """The annotations in a table for a function, or for a class and its bases: {argument: annotation}."""
    return {key: hint for name in reversed(names_of(target)) for key, hint in table.get(name, {}).items()}


def names_of(target: Callable[..., Any]) -> list[str]:
    """The full names of a class and of its base classes, or of a function."""
    return [f"{one.__module__}.{one.__qualname__}" for one in getattr(target, "__mro__", (target,))]
