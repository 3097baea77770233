"""A small GAN and a small VAE, trained on the bundled digits from the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]
DIGITS = ["trainer=cpu", "data.train_size=160", "trainer.check_val_every_n_epoch=1", "task.reference_size=200"]
SMALL = {
    "gan": ["experiment=digits_gan", "generator.hidden=[16,16]", "discriminator.hidden=[16]", *DIGITS],
    "vae": [
        "experiment=digits_vae",
        "encoder.hidden=[16]",
        "decoder.hidden=[16]",
        "task.importance_samples=2",
        *DIGITS,
    ],
}


@pytest.fixture(scope="session")
def small_models() -> dict[str, list[str]]:
    """Overrides that make a small GAN and a small VAE; an epoch has five steps, 160 pictures in batches of 32."""
    return SMALL


@pytest.fixture(scope="session")
def short() -> list[str]:
    """Overrides for a training that only has to end."""
    return ["trainer.max_epochs=3", "callbacks=none", "save_every=0"]


@pytest.fixture(scope="session")
def small_classifier() -> list[str]:
    """Overrides that make a small classifier of an experiment such as digits_features."""
    return ["network.blocks=[4]", "network.hidden=[8]", "trainer.max_epochs=1", "trainer=cpu", "callbacks=none"]


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generative")


@pytest.fixture(scope="session")
def classifier(run_verb: Run, logs: Path, small_classifier: list[str]) -> Path:
    """The run folder of a small classifier of digits. Tests change nothing in it."""
    folder = logs / "classifier"
    outcome = run_verb("train", "experiment=digits_features", *small_classifier, f"paths.run={folder}", logs=logs)
    assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="session")
def scored(classifier: Path) -> list[str]:
    """Overrides that score made digits on the classifier."""
    return ["features=digits", f"features.run={classifier}"]


@pytest.fixture(scope="session")
def gan(run_verb: Run, logs: Path, scored: list[str]) -> Any:
    return run_verb("train", *SMALL["gan"], *scored, "trainer.max_epochs=4", f"paths.run={logs / 'gan'}", logs=logs)


@pytest.fixture(scope="session")
def vae(run_verb: Run, logs: Path, scored: list[str]) -> Any:
    return run_verb("train", *SMALL["vae"], *scored, "trainer.max_epochs=4", f"paths.run={logs / 'vae'}", logs=logs)


@pytest.fixture(scope="session")
def picture() -> Callable[[Path], np.ndarray]:
    """A picture's pixels (height, width, 3)."""

    def read(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    return read


@pytest.fixture(scope="session")
def frames_of() -> Callable[[Path], int]:
    """How many frames an animation has."""

    def count(path: Path) -> int:
        with Image.open(path) as image:
            return image.n_frames

    return count
