"""Turns a function into a command: reads `.env`, composes with Hydra, reports wrong input in one or two lines."""

import functools
import inspect
import io
import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.hydra import Hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from atelier.compose.command_line import check_typed, in_order
from atelier.compose.explain import KNOWN, OF_A_RUN, UNUSABLE, explain
from atelier.data.class_folders import class_count
from atelier.errors import InputError
from atelier.local_settings import check_local
from atelier.option_files import is_unreadable
from atelier.project import VARIABLE, command, conf_of, read_environment
from atelier.runs.folder import RunFolder, stamp
from atelier.runs.lasting import Lasting

composed_mode = Hydra.get_mode


def typed_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """The mode of a command that sets `hydra.mode`; None for any other.

    Hydra composes everything once for this key alone, which no file of conf/ sets. Gain: 0.2 s of a start.
    """
    return composed_mode(self, config_name, overrides) if "hydra.mode" in " ".join(overrides) else None


def verb(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """Turn `main(config)` of `src/<verb>.py` into a program configured by `conf/<config_name>.yaml`.

    Wrong input (`InputError`, or a configuration that Hydra cannot compose), and a file or disk that cannot be used,
    is printed without a traceback and ends the program with status 2. `HYDRA_FULL_ERROR=1` shows the traceback.
    """

    def decorate(main: Callable[[DictConfig], Any]) -> Callable[[], None]:
        root = Path(os.environ.get(VARIABLE) or Path(inspect.getfile(main)).resolve().parent.parent)
        conf = conf_of(root)
        traceback_wanted = os.environ.get("HYDRA_FULL_ERROR") == "1" and "LOCAL_RANK" not in os.environ

        @contextmanager
        def mistakes_told() -> Iterator[None]:
            try:
                yield
            except KeyboardInterrupt:  # a run or a sweep that has begun handles the signal itself
                if traceback_wanted:
                    raise
                print("Interrupted.", file=sys.stderr)
                sys.exit(130)
            except Exception as error:
                if traceback_wanted or not about_settings(error):
                    raise
                print(explain(error, conf, config_name), file=sys.stderr)
                sys.exit(2)

        @functools.wraps(main)
        def job(config: DictConfig) -> Any:
            with mistakes_told():
                return main(config)

        @functools.wraps(main)
        def program() -> None:
            read_environment(root)
            sys.stdout, sys.stderr = Lasting(sys.stdout), Lasting(sys.stderr)
            sys.argv[1:] = with_plus(config_name, in_order(sys.argv[1:]))
            register_resolvers(root)
            with mistakes_told():
                check_local(conf)
                if "LOCAL_RANK" not in os.environ:  # Lightning adds hydra.run.dir to the command of the other ranks
                    check_typed(sys.argv[1:], conf, config_name)
                if any(argument.startswith("resume=") for argument in sys.argv[1:]):
                    from atelier.compose.open import after_what_was_typed  # imports torch

                    sys.argv[1:] = after_what_was_typed(sys.argv[1:], conf)
            if "--help" in sys.argv or "-h" in sys.argv:
                sys.stdout = Wrapping(sys.stdout)
            Hydra.get_mode = typed_mode  # type: ignore[method-assign]
            os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises its errors instead of printing them
            with mistakes_told():
                hydra.main(version_base="1.3", config_path=str(conf), config_name=config_name)(job)()

        return program

    return decorate


def with_plus(verb: str, arguments: Iterable[str]) -> list[str]:
    """Prefix `data.` and `task.` keys with Hydra's `+` where the verb's own configuration lacks these groups."""
    added = ("data.", "task.") if verb in OF_A_RUN else ()
    return [f"+{argument}" if argument.startswith(added) else argument for argument in arguments]


class Wrapping(io.TextIOBase):
    """A text stream that breaks long lists, such as a group's options in `--help`, at WIDTH characters."""

    WIDTH = 120

    def __init__(self, out: Any) -> None:
        self.out = out

    def write(self, text: str) -> int:
        text = re.sub(r"python src/(\w+)\.py", lambda found: command(found[1]), text)
        for line in text.splitlines(keepends=True):
            start, _, listed = line.partition(": ")
            if start.endswith("/base"):  # holds the defaults of several options, and is no option itself
                continue
            if len(line) <= self.WIDTH or ", " not in listed:
                self.out.write(line)
            else:
                self.out.write(textwrap.fill(line, self.WIDTH, subsequent_indent=" " * (len(start) + 2)) + "\n")
        return len(text)


def about_settings(error: BaseException) -> bool:
    """Whether `error` is shown without a traceback: wrong input, an unusable file, a refusal of Hydra or Lightning."""
    told = isinstance(error, (InputError, HydraException, OmegaConfBaseException)) or is_unreadable(error)
    if told or any(words in str(error) for words in KNOWN):
        return True
    if isinstance(error, OSError):
        vanished = isinstance(error, FileNotFoundError) and not Path(os.fsdecode(error.filename or "/")).parent.exists()
        return vanished or error.errno in UNUSABLE
    module = list(traceback.walk_tb(error.__traceback__))[-1][0].f_globals.get("__name__", "")
    refused = isinstance(error, ValueError) or type(error).__name__ == "MisconfigurationException"
    return refused and module.startswith(("hydra.", "lightning."))


def register_resolvers(root: Path) -> None:
    """Register the resolvers of conf/: `${project_root:}`, `${stamp:}`, `${divide:a,b}`, `${or:a,b}`,
    `${minus:a,b}`, `${up_to:value,table}`, `${class_count:classes,folder}`, `${weights_crc32:run}`."""
    OmegaConf.register_new_resolver("stamp", stamp, replace=True, use_cache=True)
    short = {"or": lambda a, b: b if a in (None, "None", "null") else a, "minus": lambda a, b: a - b}
    named = {one.__name__: one for one in (divide, class_count, up_to, weights_crc32)}
    for name, function in {**short, **named, "project_root": lambda: str(root)}.items():
        OmegaConf.register_new_resolver(name, function, replace=True)


def divide(a: int, b: int) -> int:
    """The integer a / b.

    Raises:
        InputError: if b is not a positive integer that divides a.
    """
    if not isinstance(b, int) or b <= 0 or a % b:
        raise InputError(f"{b} does not divide {a}; give one of its divisors, such as 1, 15 or 30")
    return a // b


def up_to(value: float, table: Mapping[float, Any]) -> Any:
    """The entry of `table` {limit: entry} with the lowest limit of at least `value`.

    >>> up_to(20, {15: "low", 20: "middle", 40: "high"})
    'middle'

    Raises:
        InputError: if `value` exceeds every limit.
    """
    limits = [limit for limit in table if value <= limit]
    if not limits:
        raise InputError(f"{value} is above every limit of the table; give at most {max(table)}, or the setting itself")
    return table[min(limits)]


def weights_crc32(run: str | None) -> str | None:
    """The checksum of a run's best weights; None if they cannot be read."""
    if run is None:
        return None
    from atelier.compose.features import weights_of  # imports torch, which most commands compose without
    from atelier.runs.checkpoint import open_checkpoint
    from atelier.start.weights import checksum

    try:
        return checksum(weights_of(open_checkpoint(RunFolder(Path(run)).checkpoint("best"))))
    except InputError:  # `trained_classifier` raises it again, with the key
        return None
