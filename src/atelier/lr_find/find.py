"""Looks for a learning rate: a short training in which it rises at each step, a figure and a suggestion.

Lightning's `Tuner.lr_find` is not used. It takes the slope of the loss over the learning rate itself and not over its
logarithm, so that noise at the smallest rates decides: for experiment=fashion_mlp, with SGD, it suggests 5e-7. It also
validates after each epoch, sees one batch of a step with gradient accumulation, and writes a checkpoint that it reads
without `weights_only`.
"""

import csv
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from atelier.compose.build import build_data, build_task, build_trainer, check_run
from atelier.compose.targets import plain
from atelier.errors import InputError
from atelier.figures.lr_find import draw_losses_by_rate
from atelier.lr_find.ramp import HIGHEST, LOWEST, RATES, STEPS, Ramp, smoothed, suggestion
from atelier.runs.folder import stamp, write_yaml
from atelier.runs.terminal import print_if_fake, quieten_lightning
from atelier.start.begin import prepare

# The Trainer's settings of the short training, which goes round a small data set again and validates nothing.
SHORT = {
    "max_epochs": -1,
    "max_steps": STEPS,
    "check_val_every_n_epoch": 1,
    "val_check_interval": 1.0,
    "limit_val_batches": 0,
    "profiler": None,
}


def find_lr(config: DictConfig) -> float | None:
    """Print a learning rate for a configuration of train.py, and draw the losses in `logs/lr_find/<experiment>/`.

    Returns:
        The suggested learning rate; None if the loss falls at none.

    Raises:
        InputError: for a configuration that train.py refuses, or that trains nothing or with several optimizers.
    """
    hydra = HydraConfig.get()
    experiment = hydra.runtime.choices.get("experiment") or "default"
    check_asked(config, str(hydra.runtime.choices.get("optimizer")))
    check_run(config, experiment, list(hydra.overrides.task))
    quieten_lightning()
    present = config.optimizer.lr
    config.callbacks = {}
    config.trainer.update(SHORT)
    data, task = build_data(config), build_task(config)
    lines, _ = prepare(task.network, plain(config))
    task.scheduler = replace(task.scheduler, scheduler=None)
    trainer = build_trainer(config, task.network)
    ramp = Ramp()
    trainer.callbacks.append(ramp)  # type: ignore[attr-defined]
    if trainer.is_global_zero:
        print(*lines, f"{experiment}: {STEPS} steps at learning rates from {LOWEST:g} to {HIGHEST:g}", sep="\n")
    trainer.fit(task, data)
    found = suggestion(ramp.losses)
    if trainer.is_global_zero:
        folder = Path(config.paths.logs) / "lr_find" / experiment / stamp()
        record(folder, list(hydra.overrides.task), ramp.losses)
        draw_losses_by_rate(folder / "lr_find.png", RATES, ramp.losses, smoothed(ramp.losses), found, present)
        tell(config, found, present, folder)
    return found


def check_asked(config: DictConfig, optimizer: str) -> None:
    """
    Raises:
        InputError: with what cannot stand beside lr_find=true.
    """
    beside = {
        f"resume={config.resume}": config.resume is not None,
        "train=false": config.train is False,
        f"paths.run={config.paths.run}": config.paths.run is not None,
    }
    for given, wrong in beside.items():
        if wrong:
            raise InputError(f"{given}: lr_find=true trains anew for a few steps, and makes no run; leave one out")
    if OmegaConf.select(config, "optimizer.lr") is None:
        raise InputError(f"optimizer={optimizer}: lr_find=true looks for its lr, and it has none")


def record(folder: Path, overrides: list[str], losses: list[float]) -> None:
    """Write what was typed, and the loss at each learning rate."""
    folder.mkdir(parents=True)
    write_yaml(folder / "overrides.yaml", overrides)
    with (folder / "lr_find.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["lr", "loss"])
        writer.writerows(zip(RATES.tolist(), losses, strict=False))


def tell(config: DictConfig, found: float | None, present: float, folder: Path) -> None:
    """Print the suggestion as it is typed, the present rate, and where the curve is."""
    if found is None:
        print(f"no suggestion: the loss falls at no learning rate (optimizer.lr={present:g} now)")
    else:
        print(f"suggestion: optimizer.lr={found:g} (optimizer.lr={present:g} now)")
    print(f"The losses are in {folder / 'lr_find.csv'}, their curve in {folder / 'lr_find.png'}")
    print_if_fake(plain(config))
