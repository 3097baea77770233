"""What the tests share: composed configurations, the verbs run here or as processes, tests over a group's options.

The tests' runs write under pytest's temporary folder, share one data cache there, and use one thread each.
"""

import contextlib
import csv
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import hypothesis
import pytest
from hydra._internal.hydra import Hydra
from hydra.core.singleton import Singleton
from omegaconf import DictConfig, OmegaConf

from atelier.compose.verb import register_resolvers

ROOT = Path(__file__).parents[1]
PATIENCE = 600  # seconds: whatever the machine, only what hangs takes so long
collect_ignore_glob = ["hold/*"]  # imported by the processes that are held, which have it on their path
CLOCKS = ["data=clocks", "task=clock", "encoding=angles", "network=clock_cnn_small"]
# A clock run of two seconds: 2,160 pictures are the fewest that put every time into every split.
TINY = [
    *CLOCKS,
    "optimizer=adamw",
    "scheduler=one_cycle",
    "data.image_size=32",
    "data.num_images=2160",
    "network.channels=[4,8]",
    "network.hidden=[16]",
    "trainer=cpu",
    "trainer.max_epochs=2",
]

# What an option needs that is given on the command line alone.
GIVEN = {
    ("data", "clocks_npy"): ["experiment=clock_angles", "data.images=images.npy", "data.labels=labels.npy"],
    ("features", "classifier"): ["experiment=digits_gan"],
    ("features", "inception"): ["experiment=digits_gan", "features.weights=inception.pth"],
    ("data", "image_folder"): ["data.images=images", "data.classes=[a,b]"],
}

hypothesis.settings.register_profile(
    "atelier",
    deadline=None,
    max_examples=50,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # it judges the machine
)
hypothesis.settings.load_profile("atelier")

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the tests run side by side, and so do their processes
os.environ["WANDB_X_SERVICE_WAIT"] = str(PATIENCE)  # W&B's own process starts, however long that takes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `<group>_option` runs once for every file of conf/<group>/."""
    for name in metafunc.fixturenames:
        if name.endswith("_option"):
            folder = ROOT / "conf" / name.removesuffix("_option")
            metafunc.parametrize(name, sorted(file.stem for file in folder.glob("*.yaml")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests come first, so that no process waits for another's at the end."""
    items.sort(key=lambda item: "test_readme" not in item.nodeid and "test_ddp" not in item.nodeid)


def context(group: str, option: str) -> list[str]:
    """Overrides around which `group=option` composes: the first experiment that is made of it, if there is one."""
    if (group, option) in GIVEN:
        return GIVEN[group, option]
    for file in sorted((ROOT / "conf" / "experiment").glob("*.yaml")):
        if re.search(rf"override /{group}: {option}$", file.read_text(), re.MULTILINE):
            return [f"experiment={file.stem}"]
    return []


@pytest.fixture(scope="session", name="context")
def context_fixture() -> Callable[[str, str], list[str]]:
    return context


@pytest.fixture(scope="session")
def conf() -> Path:
    return ROOT / "conf"


@pytest.fixture(scope="session")
def compose(conf: Path) -> Callable[..., DictConfig]:
    """`compose("optimizer=sgd", config="train")`: what the command line would give, for a test to change."""
    register_resolvers(ROOT)

    @cache
    def once(config: str, *overrides: str) -> DictConfig:
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            return hydra.compose(config, list(overrides))

    return lambda *overrides, config="train": deepcopy(once(config, *overrides))


# ---------------------------------------------------------------------- the verbs

Process = subprocess.Popen[str]


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status, what it printed, what its `main` returned, and where its runs lie."""

    code: int
    out: str
    err: str
    returned: Any
    logs: Path

    @property
    def folder(self) -> Path:
        """The one run folder that the command made."""
        (found,) = self.logs.glob("runs/*/*/")
        return found

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def metrics(self) -> str:
        return (self.folder / "metrics.csv").read_text()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data caches of this test session lie; its worker processes share them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared_data"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny() -> list[str]:
    """Overrides that make a training of two seconds."""
    return TINY


OFFLINE = ("Digits", "Clocks", "RandomImages", "BundledPairs")  # data sets that are made here


@pytest.fixture(scope="session")
def small() -> Callable[[DictConfig], list[str]]:
    """Overrides that make the data and batches of a configuration small, and data up that would have to be fetched."""

    def overrides(config: DictConfig) -> list[str]:
        data = config.data
        made_up = "source" in data and data["_target_"].rpartition(".")[2] not in OFFLINE
        parts = [kind for kind in ("generator", "discriminator", "encoder", "decoder") if kind in config]
        narrow = [f"{kind}.channels=4" for kind in parts if "channels" in config[kind]]
        scored = ["features=pixels"] * ("features" in config)
        batches = ["data.batch_size=16", "data.eval_batch_size=64"]
        few = ["data.num_images=2160"] * ("num_images" in data)
        return few + ["data.source=fake"] * made_up + batches + narrow + scored

    return overrides


@pytest.fixture(scope="session")
def clocks() -> list[str]:
    """Overrides that choose the clocks, with a network and a task for them."""
    return CLOCKS


@pytest.fixture(scope="session")
def run_verb(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcome]:
    """`run_verb("train", "seed=1")`: what `python src/train.py seed=1` does, in this process, leaving no trace in it.

    Its runs go to `logs`, a new folder if none is given. `environment` adds variables.
    """

    def run(name: str, *overrides: str, logs: Path | None = None, environment: dict[str, str] | None = None) -> Outcome:
        logs = logs or tmp_path_factory.mktemp("logs")
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with isolated() as returned, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            os.environ.update({"DATA_DIR": str(data_dir), "LOG_DIR": str(logs), **(environment or {})})
            sys.argv = [str(ROOT / "src" / f"{name}.py"), *overrides]
            try:
                runpy.run_path(sys.argv[0], run_name="__main__")
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Outcome(code, out.getvalue(), err.getvalue(), returned[-1] if returned else None, logs)

    return run


@contextlib.contextmanager
def isolated() -> Iterator[list[Any]]:
    """A verb changes what belongs to its whole process; afterwards all of that is as it was.

    Yields a list that receives what the verb's `main` returns to Hydra.
    """
    import torch

    from atelier.runs.generators import random_state, set_random_state

    generators = random_state(torch.device("cpu"))
    before = dict(os.environ), sys.argv, deepcopy(Singleton.get_state()), generators, Hydra.run, Path.cwd()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    returned: list[Any] = []

    def noting(*args: Any, **kwargs: Any) -> Any:
        ended = before[4](*args, **kwargs)
        returned.append(ended.return_value)
        return ended

    for name in ("HYDRA_FULL_ERROR", "ATELIER_RUN", "LOCAL_RANK"):
        os.environ.pop(name, None)
    Hydra.run = noting  # type: ignore[method-assign]
    try:
        with warnings.catch_warnings():
            yield returned
    finally:
        environment, sys.argv, singletons, generators, Hydra.run, folder = before  # type: ignore[method-assign]
        os.environ.clear()
        os.environ.update(environment)
        Singleton.set_state(singletons)
        set_random_state(generators, torch.device("cpu"))
        os.chdir(folder)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture(scope="session")
def start_verb(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Process]]:
    """`start_verb("train", "seed=1")`: the command as a process of its own, killed in the end if it still runs.

    A script elsewhere is named by its path. `python` are flags of the interpreter, `environment` adds variables.
    """
    started: list[Process] = []

    def start(
        name: str,
        *overrides: str,
        logs: Path | None = None,
        environment: dict[str, str] | None = None,
        python: tuple[str, ...] = (),
    ) -> Process:
        given = {"DATA_DIR": str(data_dir), "LOG_DIR": str(logs or tmp_path_factory.mktemp("logs")), "COLUMNS": "200"}
        variables = {**os.environ, **given, **(environment or {})}
        for variable in ("HYDRA_FULL_ERROR", "ATELIER_RUN"):
            variables.pop(variable, None)
        script = name if name.endswith(".py") else str(ROOT / "src" / f"{name}.py")
        command = [sys.executable, *python, script, *overrides]
        started.append(
            subprocess.Popen(command, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def run_process(start_verb: Callable[..., Process], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Outcome]:
    """`run_process("train", "seed=1")`: the command as a process of its own, waited for."""

    def run(name: str, *overrides: str, logs: Path | None = None, **options: Any) -> Outcome:
        logs = logs or tmp_path_factory.mktemp("logs")
        return Outcome(*end(start_verb(name, *overrides, logs=logs, **options)), None, logs)

    return run


def end(process: Process) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.fixture(scope="session")
def ended() -> Callable[[Process], tuple[int, str, str]]:
    """`ended(process)`: its exit status, what it printed and its errors, when it has come to its end."""
    return end


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """`wait_until(condition, process)`: fails if the process, where one is given, ends before that becomes true."""

    def wait(condition: Callable[[], object], process: Process | None = None) -> None:
        patience_ends = time.monotonic() + PATIENCE
        while not condition():
            assert process is None or process.poll() is None, f"it ended by itself: {end(process)}"
            assert time.monotonic() < patience_ends, "it does not come to that"
            time.sleep(0.02)

    return wait


@dataclass(frozen=True)
class Hold:
    """Places where a process waits for the test, so that it is caught there however fast either is: see tests/hold."""

    folder: Path

    def at(self, *places: str) -> dict[str, str]:
        """Have whoever comes to one of `places` wait there; the variables that a process needs to come to places."""
        for place in places:
            (self.folder / place).touch()
        path = [str(ROOT / "tests" / "hold"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"HELD_IN": str(self.folder), "PYTHONPATH": os.pathsep.join(path)}

    def reached(self, place: str) -> int:
        """The number of the process that waits there; 0 if none does yet."""
        return int((self.folder / place).read_text() or 0)

    def let_go(self, place: str) -> None:
        (self.folder / place).unlink()


@pytest.fixture(scope="session")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], contextlib.AbstractContextManager[Hold]]:
    """`with holding() as hold`: places of its own, where nothing is held any longer afterwards."""

    @contextlib.contextmanager
    def places() -> Iterator[Hold]:
        folder = tmp_path_factory.mktemp("hold")
        try:
            yield Hold(folder)
        finally:
            for place in folder.iterdir():
                place.unlink()

    return places


@pytest.fixture
def hold(holding: Callable[[], contextlib.AbstractContextManager[Hold]]) -> Iterator[Hold]:
    """The places of one test."""
    with holding() as places:
        yield places


@pytest.fixture(scope="session")
def trained(run_verb: Callable[..., Outcome], tiny: list[str]) -> Outcome:
    """A finished run with the default callbacks. Tests read it and change nothing in it."""
    return run_verb("train", *tiny)


# ---------------------------------------------------------------------- a classifier, looked at by hand

DIGITS = [
    *("network=lenet5", "network.hidden=[32]", "network.dropout=0.5", "trainer=cpu", "trainer.max_epochs=3"),
    *("data.eval_batch_size=150", "task.clean_train_accuracy=true"),
]
LOOKING = [
    "+callbacks=[activation_statistics,deconvolution,dropout_schemes,filters,weight_norms]",
    "callbacks.deconvolution.channels=[0,5,40]",
    "callbacks.deconvolution.count=2",
    "callbacks.dropout_schemes.masks=[1,2,5]",
    "callbacks.mistakes.count=6",
]


@dataclass(frozen=True)
class DigitsRun(Outcome):
    """A training on the bundled digits, and what its network says, worked out without Lightning."""

    data_dir: Path

    def task(self, checkpoint: str | None = None) -> Any:
        """The task as its configuration builds it, in evaluation mode, with the weights of a checkpoint."""
        import torch

        from atelier.compose.build import build_task

        task = build_task(OmegaConf.load(self.folder / "config.yaml")).eval()
        if checkpoint:
            content = torch.load(self.folder / "checkpoints" / f"{checkpoint}.ckpt", weights_only=True)
            task.load_state_dict(content["state_dict"])
        return task

    def stored(self, split: str) -> Any:
        """Images (N, 1, 8, 8) and classes (N,) of a split, as they are stored."""
        from atelier.compose.build import build_data

        config = OmegaConf.load(self.folder / "config.yaml")
        config.data.folder = str(self.data_dir)
        data = build_data(config)
        data.setup()
        rows = data.sets[split].rows
        return data.sets[split].inputs[rows], data.sets[split].labels[rows]

    def inputs(self, split: str) -> Any:
        """The images of a split as its network is given them."""
        data = OmegaConf.load(self.folder / "config.yaml").data
        return (self.stored(split)[0] / 255 - data.mean) / data.std

    def evaluated(self, split: str, checkpoint: str) -> Any:
        """Logits (N, 10) and classes (N,) of a split."""
        import torch

        with torch.no_grad():
            return self.task(checkpoint).network(self.inputs(split)), self.stored(split)[1]

    def numbers(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file beside a figure."""
        return list(csv.DictReader((self.folder / "figures" / f"{name}.csv").read_text().splitlines()))


@pytest.fixture(scope="session")
def trained_digits(run_verb: Callable[..., Outcome], data_dir: Path) -> DigitsRun:
    """A finished classifier of digits with dropout and every callback that looks inside. Tests change nothing in it."""
    outcome = run_verb("train", *DIGITS, *LOOKING)
    assert outcome.code == 0, outcome.err
    return DigitsRun(**vars(outcome), data_dir=data_dir)
