"""Whatever a user's own code draws with, torch, numpy or Python: it follows from the seed, in a resumed run too."""

import functools
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from atelier.runs.folder import RunFolder
from atelier.runs.generators import random_state, seed_generators, set_random_state
from atelier.runs.interrupt import StopRequest
from atelier.runs.keeper import Keeper
from atelier.runs.manifest import Manifest

Run = Callable[..., Any]
CPU = torch.device("cpu")
SHORT = ["network.hidden=[8]", "data.train_size=320", "data.batch_size=32", "data.augment=false", "test=false"]
SETTING = [*SHORT, "trainer=cpu", "trainer.max_epochs=3", "callbacks=none", "save_every=0"]


def draws() -> list[float]:
    return [torch.rand(()).item(), np.random.normal(), random.gauss(), np.random.rand(), random.random()]


@pytest.fixture(autouse=True)
def as_before() -> Any:
    state = random_state(CPU)
    yield
    set_random_state(state, CPU)


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_one_seed_is_that_of_all_three(seed: int) -> None:
    seed_generators(seed)
    first = draws()
    seed_generators(seed)
    assert draws() == first
    seed_generators(seed + 1)
    assert not set(draws()) & set(first)


@pytest.mark.parametrize("drawn", [0, 1, 2])
def test_a_state_goes_on_where_it_was_taken(drawn: int, tmp_path: Any) -> None:
    """As a checkpoint holds it: tensors and plain data. A normal number drawn leaves a second one behind."""
    seed_generators(3)
    for _ in range(drawn):
        draws()
    np.random.normal(), random.gauss()
    torch.save(random_state(CPU), tmp_path / "state")
    expected = [draws(), draws()]
    seed_generators(4)
    set_random_state(torch.load(tmp_path / "state", weights_only=True), CPU)
    assert [draws(), draws()] == expected


class Drawing(Dataset[Tensor]):
    """What a user's own data set may do."""

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Tensor:
        return torch.tensor(draws())


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # where there is one core
def test_workers_draw_what_the_seed_says() -> None:
    found = []
    for seed in (0, 0, 1):
        seed_generators(seed)
        found.append(torch.stack(list(DataLoader(Drawing(), batch_size=None, num_workers=2))))
    assert torch.equal(found[0], found[1])
    assert (found[0] != found[2]).all()
    assert len(found[0].unique()) == found[0].numel(), "no worker repeats another"


def test_each_process_of_a_run_draws_numbers_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.runs.keeper.resume_exactly", lambda trainer: None)
    found = []
    for rank in range(3):
        keeper = Keeper(RunFolder(tmp_path), Manifest(tmp_path / "run.json", {}), {}, StopRequest())
        trainer: Any = SimpleNamespace(global_step=0, is_global_zero=False, global_rank=rank)
        seed_generators(3)
        keeper.on_train_start(trainer, None)
        keeper.stop.release()
        found.append(draws())
    seed_generators(3)
    assert found[0] == draws()
    assert len({number for numbers in found for number in numbers}) == 3 * len(found[0])


@pytest.fixture
def noise_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that draws from numpy's and Python's own generators: when it is made, and when it augments."""
    from atelier.data.images import ImageData

    begin = ImageData.__init__

    @functools.wraps(begin)  # with its signature, which configurations are checked against
    def drawing(data: Any, *given: Any, **options: Any) -> None:
        begin(data, *given, **options)
        data.drawn = random.random() + np.random.rand()

    monkeypatch.setattr(ImageData, "__init__", drawing)

    def augmented(data: Any, images: Tensor) -> Tensor:
        return (
            images * data.drawn
            + random.gauss(0, 0.5)
            + torch.from_numpy(np.random.normal(0, 0.5, images.shape)).float()
        )

    monkeypatch.setattr(ImageData, "augmented", augmented)


@pytest.mark.usefixtures("noise_of_users")
def test_a_run_follows_from_its_seed_and_resumes_to_the_same_numbers(run_verb: Run) -> None:
    from atelier.tasks.classifier import Classifier

    random.seed(), np.random.seed()
    whole = run_verb("train", *SETTING)
    random.seed(), np.random.seed()
    assert run_verb("train", *SETTING).metrics == whole.metrics
    step, left = Classifier.training_step, [14]  # in the second epoch of ten batches

    def stopping(task: Any, *args: Any) -> Tensor:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(task, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Classifier, "training_step", stopping)
        stopped = run_verb("train", *SETTING)
    assert stopped.code == 128 + signal.SIGTERM
    random.seed(), np.random.seed()
    assert run_verb("train", f"resume={stopped.folder}").code == 0
    assert stopped.metrics == whole.metrics
