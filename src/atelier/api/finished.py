"""A finished run, opened: its settings and numbers, its network with the best weights, its answers and its figures."""

import html
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import DictConfig, OmegaConf

from atelier.api.frame import frame
from atelier.api.project import logs_folder, options_of
from atelier.errors import InputError, faults_of, not_among
from atelier.figures.words import metric_words, number
from atelier.runs.folder import RunFolder, attach, find, last_two, read_yaml
from atelier.runs.rows import read_metrics
from atelier.sweeps.records import Record, read_run

if TYPE_CHECKING:  # what only reads a folder needs no torch
    from torch import Tensor, nn

    from atelier.data.tensors import TensorData
    from atelier.figures.notebook import Figure
    from atelier.tasks.task import Task

BUILDING = threading.RLock()  # objects are built with the random generators of the whole process


def load(where: str | Path, checkpoint: str = "best") -> Any:
    """Open a run, or list the runs of a sweep.

    Args:
        where: a run's folder, or `latest`; or a sweep's folder.
        checkpoint: whose weights the network gets: `best`, `last`, or the path of a checkpoint.

    Returns:
        A `FinishedRun`; for a sweep's folder, the table of its runs, as `atelier.runs` gives it.

    Raises:
        InputError: if the folder is neither, or if there is no run yet.
    """
    place = Path(where).expanduser().absolute()
    if str(where) == "latest":
        place = find("latest", logs_folder()).path
    elif (place / "sweep.json").is_file():
        from atelier.api.table import table
        from atelier.compare.listing import records_in

        return table(records_in(place))
    return FinishedRun(attach(place), checkpoint)


class FinishedRun:
    """A run's folder in Python. What is read or built is read or built when it is first asked for.

    `manifest` and `metrics` are read anew each time, so that they follow a run that is still training. The network
    stays on the processor until it is moved (`run.task.to("cuda")`); answers are computed where it is.

    Calls of one run from several threads are not safe; several runs in several threads are.

    Args:
        folder: the run's folder.
        checkpoint: see `load`.
    """

    def __init__(self, folder: RunFolder, checkpoint: str = "best") -> None:
        place = Path(checkpoint)
        self.folder, self.checkpoint = folder.path, str(place.absolute() if place.is_file() else checkpoint)

    # ------------------------------------------------------------------ what the folder says

    @property
    def record(self) -> Record:
        return read_run(self.folder)

    @property
    def manifest(self) -> dict[str, Any]:
        """The content of run.json; the status of a run whose process was killed is `interrupted`."""
        return self.record.manifest

    @property
    def status(self) -> str:
        """running, completed, pruned, failed or interrupted."""
        return self.record.status

    @cached_property
    def config(self) -> DictConfig:
        """The resolved configuration, to read: `run.config.optimizer.lr`.

        Raises:
            InputError: if the run failed before it was written, or if it could read what is not its own.
        """
        file = RunFolder(self.folder).config
        content = read_yaml(file)
        if not isinstance(content, dict) or "${" in str(content):  # it could read an environment variable
            raise InputError(f"{file} is no resolved configuration, as that of a run is, so it is not read")
        return OmegaConf.create(content, flags={"readonly": True})

    @property
    def metrics(self) -> Any:
        """metrics.csv, a row for each epoch and step in which something was logged; both are counted from 0.

        Returns:
            A pandas frame; without pandas, a list of dictionaries.
        """
        rows: dict[tuple[Any, Any], dict[str, Any]] = {}
        for logged in read_metrics(RunFolder(self.folder).metrics):
            place = {name: int(logged[name]) for name in ("epoch", "step") if name in logged}
            rows.setdefault((place.get("epoch"), place.get("step")), {}).update(logged | place)
        return frame([*rows.values()], ("epoch", "step"))

    # ------------------------------------------------------------------ what can be built of it

    @cached_property
    def opened(self) -> tuple[DictConfig, Path]:
        """The checked configuration of the checkpoint, and its path."""
        from atelier.compose.open import reopen

        options = options_of("predict")
        options.run, options.checkpoint = str(self.folder), self.checkpoint
        return reopen(options, typed=())[1:]

    @cached_property
    def task(self) -> "Task":
        """The task with the weights of the checkpoint, in evaluation mode.

        Raises:
            InputError: if the run has no checkpoint yet, or if it is not safe to open or is of another network.
        """
        from atelier.api.tested import recorded_of
        from atelier.compose.build import build_task
        from atelier.runs.checkpoint import load_weights

        config, path = self.opened
        with undisturbed():
            task = build_task(config)
            load_weights(task, path)
        task.recorded = recorded_of(self.manifest, RunFolder(self.folder), config, path)
        return task.eval()

    @property
    def network(self) -> "nn.Module":
        """The network with the weights of the checkpoint, in evaluation mode; of a GAN or VAE, its parts by name."""
        return self.task.network

    @cached_property
    def stated(self) -> "TensorData":
        """The data set as the configuration states it; nothing is read yet."""
        from atelier.compose.build import build_data

        with undisturbed():
            return build_data(self.opened[0])

    @cached_property
    def data(self) -> "TensorData":
        """The data set, set up: `run.data.sets["test"]`, `run.data.classes`, `run.data.test_dataloader()`.

        Raises:
            InputError: if the data are not here, or if the user's files have changed since the training.
        """
        data = self.stated
        data.check_same(self.manifest.get("data"))
        data.check_source()
        with undisturbed():
            data.prepare_data()
            data.setup()
        return data

    def __call__(
        self,
        inputs: Any,
        fit: Literal["crop", "pad", "squeeze", "auto"] = "auto",
        invert: Literal["auto"] | bool = "auto",
    ) -> list[dict[str, Any]]:
        """The network's answers for a user's inputs, as `python src/predict.py format=json` prints them.

        Args:
            inputs: a file or folder of images, or a list of them; texts, for a network that reads texts; or a tensor or
                NumPy array (N, …) as the data set stores its inputs (`run.data.sets["test"].inputs`): images are uint8
                (N, C, H, W). A single input (…) is one of N = 1.
            fit, invert: how image files are adapted to the training images, see docs/runs.md.

        Returns:
            A dictionary for each input. Where files cannot be read, but others can, they have an `error`.

        Raises:
            InputError: if no input can be read, or if the task gives no answers.
        """
        from atelier.data.brought import known_of
        from atelier.data.inputs import as_stored, is_array, named, read_inputs

        task, data = self.task, self.stated
        if is_array(inputs):
            return answers_of(task, data, as_stored(inputs, data))
        found = read_inputs(
            named(inputs), {"fit": fit, "invert": invert}, data, known_of(data, self.manifest.get("data"))
        )
        return found.rows(answers_of(task, data, found.tensor))

    def figure(self, name: str = "curves") -> "Figure":
        """Draw a Matplotlib figure: `curves` of all metrics, or the `losses` of a GAN's two networks.

        Raises:
            InputError: for another name, or if the run has logged nothing of it.
        """
        from atelier.figures.curves import curves_figure
        from atelier.figures.losses import losses_figure

        unit = "step" if self.manifest.get("counts") == "steps" else "epoch"
        drawings: dict[str, Callable[[Path, str], Figure | None]] = {"curves": curves_figure, "losses": losses_figure}
        if name not in drawings:
            drawn = f"the pictures that the run drew are in {RunFolder(self.folder).figures}"
            raise InputError(f"figure={name}: {not_among(name, drawings)}; {drawn}")
        if (figure := drawings[name](self.folder, unit)) is None:
            raise InputError(f"figure={name}: {self.folder / 'metrics.csv'} has no values for it")
        return figure

    # ------------------------------------------------------------------ how it is shown

    def told(self) -> dict[str, str]:
        """What is shown of a run: {word: text}."""
        record = self.record
        best, tested = record.get("objective", "best"), record.get("test") or {}
        facts = {"experiment": record.get("experiment"), "status": record.status, "seed": record.get("seed")}
        measured = {f"best {metric_words(str(record.get('objective', 'metric')))}": best} if best is not None else {}
        measured |= {metric_words(f"test/{name}"): value for name, value in tested.items() if "/" not in name}
        told = {word: str(value) for word, value in facts.items() if value is not None}
        told |= {word: number(value) for word, value in measured.items()}
        error: Mapping[str, Any] = record.get("error") or {}
        return told | ({"error": f"{error.get('type')}: {error.get('message')}"} if error else {})

    def __repr__(self) -> str:
        told = ", ".join(f"{word} {text}" for word, text in self.told().items() if word != "experiment")
        return f"<run {last_two(self.folder)}: {told}>"

    def _repr_html_(self) -> str:
        """IPython's method."""
        cells = {"folder": str(self.folder), **self.told()}
        lines = (f"<tr><th>{html.escape(word)}</th><td>{html.escape(text)}</td></tr>" for word, text in cells.items())
        return f"<table>{''.join(lines)}</table>"


def answers_of(task: "Task", data: "TensorData", inputs: "Tensor") -> list[dict[str, Any]]:
    """The answers for stored inputs (N, …), computed in batches where the task is."""
    import torch

    with torch.inference_mode():
        parts = inputs.split(data.eval_batch_size)
        outputs = []
        for part in parts:
            with faults_of(data.normalise):
                normalised = data.normalise(part.to(task.device))
            outputs.append(task.predict_step((normalised,), 0).cpu())
        prediction = torch.cat(outputs)
    return task.answers(prediction)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, one thread at a time; the random generators of the process are left as they were."""
    import torch

    from atelier.runs.generators import random_state, set_random_state

    begun = torch.cuda.is_initialized()
    device = torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    with BUILDING:
        state, seed, gpus = random_state(device), torch.initial_seed(), torch.cuda.get_rng_state_all() if begun else []
        try:
            yield
        finally:
            set_random_state(state, device)
            if begun:
                torch.cuda.set_rng_state_all(gpus)
            else:  # the seed of the run's network would wait for the GPU, in the place of the user's
                torch.cuda.manual_seed_all(seed)
