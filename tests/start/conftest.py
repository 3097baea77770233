"""A small classifier with batch norm in its features, trained on the bundled digits, to start from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

Run = Callable[..., Any]
SMALL = [
    *("network=lenet5_bn", "network.hidden=[8]", "network.dropout=0.5", "data.train_size=200"),
    *("trainer=cpu", "trainer.max_epochs=2", "callbacks=none", "save_every=0"),
]


@pytest.fixture(scope="session")
def small() -> list[str]:
    return SMALL


@pytest.fixture(scope="session")
def source(run_verb: Run) -> Any:
    """A finished run whose weights others take. Tests change nothing in it."""
    outcome = run_verb("train", *SMALL)
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.fixture(scope="session")
def weights() -> Callable[..., dict[str, Tensor]]:
    """`weights(folder, "best")`: the tensors of a run's checkpoint."""

    def read(folder: Path, name: str = "best") -> dict[str, Tensor]:
        return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]

    return read
