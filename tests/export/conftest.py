"""Small runs of each kind, and what their tasks say, worked out without the room that is tested."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

Run = Callable[..., Any]
QUICK = ["trainer=cpu", "debug=fast", "callbacks=none"]
DIGITS_GAN = ["experiment=digits_gan", "features=pixels", "generator.hidden=[16]", "discriminator.hidden=[16]"]
RUNS = {
    "classifier": ["network=lenet5", "network.hidden=[16]", "network.dropout=0.5", "data.train_size=200"],
    "rnn": ["data=palindromes", "task=sequence", "network=rnn", "network.hidden=8"],
    "gru": ["data=palindromes", "task=sequence", "network=gru", "network.hidden=8", "network.symbols=embedding"],
    "lstm": ["data=mnist_rows", "data.source=fake", "data.permuted=true", "task=sequence", "network=lstm"],
    "transformer": ["data=mnist_rows", "data.source=fake", "task=sequence", "network=transformer"],
    "vit": ["network=vit", "data.train_size=200"],
    "pairs": ["experiment=pairs", "data.source=fake"],
    "vae": ["experiment=digits_vae", "features=pixels", "encoder.hidden=[16]"],
    "gaussian_vae": ["experiment=digits_vae", "features=pixels", "encoder.hidden=[16]", "task.likelihood=gaussian"],
    "gan": [*DIGITS_GAN, "task.average=null"],
    "averaged_gan": [*DIGITS_GAN, "task.average=0.9"],
    "disk": ["data=disk", "network.hidden=[8]"],
    "scratch": ["experiment=disk_scratch", "network.hidden=[8]"],
    "clock": ["data=clocks", "data.image_size=32", "data.num_images=2160", "task=clock", "network=clock_cnn_small"],
}


@pytest.fixture(scope="session")
def run_of(run_verb: Run) -> Callable[..., Path]:
    """`run_of("gan")`: the folder of a run of that kind; tests add exported files to it and change nothing else."""
    known: dict[tuple[str, ...], Path] = {}

    def folder(kind: str, *overrides: str) -> Path:
        if (kind, *overrides) not in known:
            outcome = run_verb("train", *RUNS[kind], *overrides, *QUICK)
            assert outcome.code == 0, outcome.err
            known[kind, *overrides] = outcome.folder
        return known[kind, *overrides]

    return folder


@pytest.fixture(scope="session")
def task_of(data_dir: Path) -> Callable[[Path], tuple[Any, Any]]:
    """The task of a run with the weights of its best checkpoint, and its data, set up."""

    def opened(folder: Path) -> tuple[Any, Any]:
        from omegaconf import OmegaConf

        from atelier.compose.build import build_data, build_task

        config = OmegaConf.load(folder / "config.yaml")
        if "folder" in config.data:
            config.data.folder = str(data_dir)
        task, data = build_task(config).eval(), build_data(config)
        content = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
        task.load_state_dict(content["state_dict"])
        data.setup()
        return task, data

    return opened


@pytest.fixture(scope="session")
def raw() -> Callable[..., Tensor]:
    """Stored inputs of a data set's test set, as many as asked for."""

    def inputs(data: Any, count: int) -> Tensor:
        return data.sets["test"][torch.arange(count)][0]

    return inputs
