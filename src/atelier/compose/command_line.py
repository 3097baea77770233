"""Prepares the command line for Hydra: orders the flags, and refuses arguments without effect."""

import os
import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from hydra._internal.utils import get_args_parser

from atelier.errors import InputError
from atelier.option_files import SEVERAL, groups, is_read, keys_of_train
from atelier.runs.overrides import bare, quoted

SWEEP = ("-m", "--multirun")
OF_A_SWEEP = ("hydra/launcher", "hydra.launcher.", "hydra/sweeper", "hydra.sweeper.", "sweep.settings_from")
SENTENCES = ("where", "note")  # keys whose values are sentences
AT_HOME = re.compile(r"(?<=[=,\[{'\"])~(?=/)")  # a shell expands no ~ behind a =, and Hydra takes none
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
    "trainer.fast_dev_run": "debug=fast, which keeps its metrics and figures",
    "trainer.overfit_batches": "debug=overfit, or trainer.limit_train_batches=N data.shuffle=false",
}


def in_order(arguments: Sequence[str]) -> list[str]:
    """Put -m first, since Hydra's parser accepts no override behind an override and -m; and see `as_text`."""
    flags = [argument for argument in arguments if argument in SWEEP]
    resumed = any(argument.startswith("sweep.resume=") for argument in arguments)
    others = [as_text(argument) for argument in arguments if argument not in SWEEP]
    return [*(flags or ["-m"] * resumed), *others]


def as_text(argument: str) -> str:
    """An argument that takes a sentence, in Hydra's quotes if it has none; any other, with the home of each `~/`.

    >>> as_text("where=seed=1 and status=failed"), as_text("note=null"), as_text("seed=1")
    ("where='seed=1 and status=failed'", 'note=null', 'seed=1')
    """
    key, _, text = argument.partition("=")
    if bare(key) not in SENTENCES:
        return AT_HOME.sub(lambda _: os.path.expanduser("~"), argument)
    plain = text in ("", "null") or text[0] + text[-1] in ("''", '""')
    return argument if plain else f"{key}={quoted(' '.join(text.splitlines()))}"


def check_typed(arguments: Sequence[str], conf: Path, verb: str = "train") -> None:
    """
    Raises:
        InputError: if an argument would be ignored or misunderstood.
    """
    sweep = any(argument in SWEEP for argument in arguments)
    trains = not any(one.startswith(("-", "sweep.folder=")) for one in arguments)  # one run, not a sweep's job
    known, (own, defaults) = groups(conf), keys_of_train(conf)
    if flags := [one for one in get_args_parser().parse_known_args(arguments)[1] if one.startswith("-")]:
        raise InputError(f"{flags[0]}: there is no such flag; a setting is KEY=VALUE, without -; --help lists the keys")
    for place, argument in enumerate(arguments):
        rest = "".join(takewhile(lambda one: "=" not in one[1:], arguments[place + 1 :]))
        if argument.endswith((",", "[", "{", ":")) or (rest and argument[-1] == "=") or rest[:1] == "=":
            whole = f"{argument}{rest}".rstrip(",[{:")
            raise InputError(f"{argument}: a blank ends an override; write {whole}{'VALUE' * (whole[-1] == '=')}")
        key, _, value = argument.partition("=")
        name = bare(key)
        if name in SET_BY_THE_RUN:
            raise InputError(f"{argument}: the run sets {name} itself; use {SET_BY_THE_RUN[name]}")
        if name in known and value.startswith("[") and name not in SEVERAL:
            choices = value.strip("[]")
            raise InputError(f"{argument}: a run has one {name}; for one run of each: -m {name}={choices}")
        without = value == "null" and verb in ("train", "job") and defaults.get(name, "") is None
        if name in known and value in ("null", "") and key == name and "=" in argument and not without:
            raise InputError(f"{argument}: give {name} the name of one of its options; --help lists them")
        if key.startswith("+") and name in defaults and name not in SEVERAL:
            raise InputError(f"{argument}: write {name}={value}, without +")
        outer = re.split("[.@/]", name)[0]
        if key[:1] == "+" and verb == "train" and outer not in (*own, *known) and not is_read(conf, outer, arguments):
            raise InputError(f"{argument}: nothing reads {outer}; a key of a logger, as group, is logger.NAME.{outer}")
        if (name == "study" or name.startswith(OF_A_SWEEP)) and verb == "train" and trains and value != "null":
            instead = ", or experiment=NAME" * (name == "study")
            raise InputError(f"{argument}: it is of a sweep; write -m {argument}{instead}")
        if sweep and name == "resume":
            raise InputError(f"{argument}: it goes on with one run, without -m; for a sweep, give sweep.resume=FOLDER")
        if sweep and argument.startswith("--config-dir"):
            raise InputError(f"{argument}: a sweep's jobs read conf/ alone; copy the files there")
