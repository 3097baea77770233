"""What the tests share: composed configurations, and tests over a group's options; tests/fixtures has the rest.

The tests' runs write under pytest's temporary folder, share one data cache there, and use one thread each.
"""

import gc
import itertools
import os
import pickle
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hydra
import hydra_memory
import hypothesis
import omegaconf_copies
import pytest
from omegaconf import DictConfig
from xdist.scheduler import LoadFileScheduling

from atelier.compose.verb import register_resolvers
from atelier.sweeps import process

pytest_plugins = ("commands", "held", "pages", "pictures", "trainings")  # of tests/fixtures

ROOT = Path(__file__).parents[1]
collect_ignore_glob = ["hold/*", "fixtures/*", "bench/*"]  # imported by what needs them

# Files that read the same training.
TOGETHER = (("tests/callbacks/", "tests/tasks/test_classifier.py"), ("tests/generative/",))
LONG = (
    *("test_sweeps", "test_resume", "test_studies", "test_experiments", "test_precision", "test_train", "test_ddp"),
    *(
        "test_search_runs",
        "test_processes",
        "test_adding",
        "test_begin",
        "test_export",
        "test_patience",
        "test_average",
    ),
    *itertools.chain(*TOGETHER),
)
# What an option is composed with, where the first experiment that has it will not do.
GIVEN = {
    ("data", "clocks_npy"): ["experiment=clock_angles", "data.images=images.npy", "data.labels=labels.npy"],
    ("data", "clocks_other"): ["experiment=clock_any"],
    ("features", "classifier"): ["experiment=digits_gan"],
    ("features", "inception"): ["experiment=digits_gan", "features.weights=inception.pth"],
    ("data", "image_folder"): ["data.images=images", "data.classes=[a,b]"],
    # Of several experiments, one that is small.
    ("task", "classifier"): ["experiment=digits_features"],
    ("task", "clock"): ["data=clocks", "encoding=angles", "network=clock_cnn_small"],
    ("task", "gan"): ["experiment=digits_gan"],
    ("task", "vae"): ["experiment=digits_vae"],
}

hypothesis.settings.register_profile(
    "atelier",
    deadline=None,
    max_examples=25,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # it judges the machine
)
hypothesis.settings.load_profile("atelier")

os.environ["ATELIER_LOCAL"] = "of_no_machine"  # what a developer has in conf/local/ is not read
os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: the tests run side by side, and so do their processes
hydra_memory.remember()
omegaconf_copies.copy_fast()
process.PRELOAD = (*process.PRELOAD, "warm_start")  # type: ignore[assignment]


@pytest.fixture(scope="session", autouse=True)
def _without_bf16() -> Iterator[None]:
    """`trainer.precision=auto` takes 32 bits on every processor, so that the tests' numbers are the same."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _asking_once() -> None:
    import asked_once

    asked_once.ask_once()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `<group>_option` runs once for every file of conf/<group>/."""
    for name in metafunc.fixturenames:
        if name.endswith("_option"):
            folder = ROOT / "conf" / name.removesuffix("_option")
            metafunc.parametrize(name, sorted(file.stem for file in folder.glob("*.yaml")))


class Scheduling(LoadFileScheduling):
    """A file's tests run in one process, and so do those of files that read the same training."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return next((files[0] for files in TOGETHER if file.startswith(files)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first, so that no process waits for another's at the end."""
    items.sort(key=lambda item: not any(file in item.nodeid for file in LONG))


def pytest_collection_finish() -> None:
    """Python's garbage collector leaves alone what stays: it took a third of a second to go through all modules."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # libraries tell at the end of what was not given back


def context(group: str, option: str) -> list[str]:
    """Overrides around which `group=option` composes: the first experiment that is made of it, if there is one."""
    if (group, option) in GIVEN:
        return GIVEN[group, option]
    for name, text in experiments().items():
        if re.search(rf"override /{group}: {option}$", text, re.MULTILINE):
            return [f"experiment={name}"]
    return []


@cache
def experiments() -> dict[str, str]:
    return {file.stem: file.read_text() for file in sorted((ROOT / "conf" / "experiment").glob("*.yaml"))}


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
    def once(config: str, *overrides: str) -> bytes:  # which are copied in a sixth of the time
        with hydra.initialize_config_dir(str(conf), version_base="1.3"):
            return pickle.dumps(hydra.compose(config, list(overrides)))

    return lambda *overrides, config="train": pickle.loads(once(config, *overrides))
