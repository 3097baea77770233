"""Begins a training with other weights and with frozen parts, as the keys `start` of conf/train.yaml say."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from atelier.arguments import check_complete
from atelier.errors import InputError
from atelier.runs.folder import read_yaml
from atelier.runs.provenance import rank
from atelier.runs.run import Run
from atelier.start.freeze import freeze
from atelier.start.split import beware, check_tested
from atelier.start.take import take
from atelier.start.weights import checksum_of, file_of, read_weights

if TYPE_CHECKING:
    from atelier.start.published import Published

WORD = re.compile(r"[A-Z][A-Z0-9_]+")  # names published weights, such as DEFAULT and IMAGENET1K_V1


@dataclass(frozen=True)
class Start:
    """The keys of `start`; conf/train.yaml describes them."""

    weights: str | None
    checksum: str | None
    freeze: Sequence[str] | None


def settle(config: DictConfig) -> None:
    """Check `start` of a run's configuration; for a new run, write the file and the checksum of the weights into it.

    The weights of a resumed run are in its checkpoint, and may be gone.

    Raises:
        InputError: with the key, the value and the reason.
    """
    if not config.train and config.checkpoint is not None:
        data: Any = OmegaConf.to_container(config.data, resolve=True)
        check_tested(str(config.checkpoint), data)
    if config.get("start") is None or config.resume is not None or rank() > 0:
        return
    if isinstance(config.start, str):
        raise InputError(f"start={config.start}: give it as start.weights={config.start}")
    check_complete("start", Start, OmegaConf.to_container(config.start))
    given = [f"start.{key}={config.start[key]}" for key in ("weights", "freeze") if config.start[key]]
    if given and not config.train:
        raise InputError(f"{given[0]}: train=false trains nothing; checkpoint=PATH is what it tests")
    if config.start.weights is None:
        return
    with telling(config.start.weights):
        if config.start.weights == "latest" and (config.sweep.swept or config.sweep.folder):
            raise InputError("the latest run may change while a sweep runs; give the run's folder")
        source = source_of(config)
        if isinstance(source, Path):
            found = checksum_of(source)
            config.start.weights = str(source.absolute())  # `latest` will be the run itself
        else:
            source.check()
            found = source.name
        if config.start.checksum not in (None, found):
            raise InputError(f"their checksum is {found}, not start.checksum={config.start.checksum}")
    config.start.checksum = found


def begin(run: Run, task: Any) -> None:
    """Freeze parts of a task's network; at the start of a new run, take other weights into it first."""
    start = run.config.get("start") or {}
    if start and not run.main:
        start = read_yaml(run.folder.config, only="start")["start"]  # `latest` is this run by now
    lines, record = prepare(task.network, {**run.config, "start": start}, run.resumed_at is None)
    if run.main and record:
        print(*lines, sep="\n")
        run.manifest.update(start=record)


def prepare(network: Any, config: Mapping[str, Any], new: bool = True) -> tuple[list[str], dict[str, Any]]:
    """Do with a network what `start` of a configuration says; `new`: other weights are taken, too.

    Returns:
        The lines for the terminal, and the entries for run.json.
    """
    start = config.get("start") or {}
    record: dict[str, Any] = {}
    lines: list[str] = []
    if start.get("weights") is not None and new:
        with telling(start["weights"]):
            source = source_of(config)
            path = source if isinstance(source, Path) else source.fetch()
            if path == source and (found := checksum_of(path)) != (start["checksum"] or found):
                raise InputError(f"this run began with the weights {start['checksum']}, these are {found}")
        taken = take(network, read_weights(path), path)
        lines += [*taken.lines(path), *beware(path, config["data"])]
        record = {"file": str(path), "checksum": start["checksum"], **taken.record()}
    if start.get("freeze"):
        frozen = freeze(network, start["freeze"])
        total = sum(parameter.numel() for parameter in network.parameters())
        lines.append(f"start.freeze: {total - frozen:,} of {total:,} parameters are trained")
        record["frozen_parameters"] = frozen
    return lines, record


def source_of(config: Mapping[str, Any]) -> "Path | Published":
    """The file that `start.weights` names, or torchvision's published weights."""
    weights, paths = str(config["start"]["weights"]), config["paths"]
    if WORD.fullmatch(weights) and not Path(weights).exists():
        from atelier.start.published import published  # imports torchvision, which most runs do not need

        return published(weights, config, Path(paths["data"]))
    return file_of(weights, Path(paths["logs"]))


@contextmanager
def telling(weights: str) -> Iterator[None]:
    """Inside this context, the message of an InputError begins with the key and its value."""
    try:
        yield
    except InputError as error:
        raise InputError(f"start.weights={weights}: {error}") from error
