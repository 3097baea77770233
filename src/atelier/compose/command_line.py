"""Prepares the command line for Hydra: orders the flags, and refuses arguments without effect."""

import re
from collections.abc import Sequence
from pathlib import Path

from atelier.compose.explain import groups
from atelier.errors import InputError
from atelier.project import layers
from atelier.runs.overrides import bare

SWEEP = ("-m", "--multirun")
SEVERAL = ("callbacks", "logger")  # groups that take any number of options
# {key of Hydra or Lightning that a run sets itself: the key to use instead}
SET_BY_THE_RUN = {
    "hydra.run.dir": "paths.run=FOLDER",
    "hydra.sweep.subdir": "paths.logs=FOLDER",
    "trainer.logger": "logger=NAME",
    "trainer.callbacks": "+callbacks=NAME",
    "trainer.enable_checkpointing": "save_every=SECONDS; best.ckpt and last.ckpt are always written",
    "trainer.enable_progress_bar": "no key: the progress is always shown",
    "trainer.enable_model_summary": "no key: on a terminal, the layers are always shown",
    "trainer.num_sanity_val_steps": "debug=fast, which tries everything on a few batches",
    "trainer.use_distributed_sampler": "no key: the data share themselves out",
    "trainer.default_root_dir": "paths.run=FOLDER",
    "trainer.overfit_batches": "debug=overfit, or trainer.limit_train_batches=N data.shuffle=false",
}


def in_order(arguments: Sequence[str]) -> list[str]:
    """Put -m first: after an override, Hydra's parser accepts no further override behind -m."""
    flags = [argument for argument in arguments if argument in SWEEP]
    resumed = any(argument.startswith("sweep.resume=") for argument in arguments)
    return [*(flags[:1] or ["-m"] * resumed), *(argument for argument in arguments if argument not in SWEEP)]


def check_typed(arguments: Sequence[str], conf: Path, verb: str = "train") -> None:
    """
    Raises:
        InputError: if an argument would be ignored or misunderstood.
    """
    sweep = any(argument in SWEEP for argument in arguments)
    known = groups(conf)
    for argument in arguments:
        key, _, value = argument.partition("=")
        name = bare(key)
        if name in SET_BY_THE_RUN:
            raise InputError(f"{argument}: the run sets {name} itself; use {SET_BY_THE_RUN[name]}")
        if name in known and value.startswith("[") and name not in SEVERAL:
            choices = value.strip("[]")
            raise InputError(f"{argument}: a run has one {name}; for one run of each: -m {name}={choices}")
        if name in known and value in ("null", "") and key == name and "=" in argument:
            raise InputError(f"{argument}: give {name} the name of one of its options; --help lists them")
        if key.startswith("+") and name in known and name not in SEVERAL:
            raise InputError(f"{argument}: write {name}={value}, without +")
        unknown = verb == "train" and key == f"+{name}" and name.isidentifier()
        if unknown and name not in known and not read_by(conf, name, arguments):
            raise InputError(f"{argument}: nothing reads {name}; a logger's key, such as tags, is logger.NAME.{name}")
        if sweep and argument.startswith("--config-dir"):
            raise InputError(f"{argument}: a sweep's jobs read conf/ alone; copy the files there")


def read_by(conf: Path, key: str, arguments: Sequence[str]) -> bool:
    """Whether a file of conf/ or another argument refers to `${key}`."""
    reference = re.compile(rf"\$\{{{re.escape(key)}\b")
    texts = (file.read_text(encoding="utf-8") for layer in layers(conf) for file in layer.rglob("*.yaml"))
    return any(reference.search(text) for text in (*arguments, *texts))
