"""What a whole training run costs beside a bare PyTorch loop, beside Lightning alone, and beside a usual pipeline.

A run goes through `src/train.py` as a user's does: metrics in training and validation, metrics.csv, checkpoints,
manifest, progress lines. The bare loop indexes float tensors that are normalised already, trains the same network with
the same optimizer, and passes over the validation set after each epoch; it measures nothing. `Empty` is such a loop's
step under a Trainer that does nothing else: what Lightning costs. The usual pipeline is that of most templates: a
picture at a time through torchvision's transforms, a stock DataLoader, `self.log` in every step, a rich bar. All
compute in 32 bits.
"""

import contextlib
import io
import json
import runpy
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import lightning.pytorch as lightning
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger
from row import ROOT, Row, clock, in_turns
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy
from torchvision.transforms import Compose, Normalize, ToPILImage, ToTensor

from atelier.compose.build import build_data, build_task
from atelier.compose.verb import register_resolvers

NOISE = ["data=random_images", "task=classifier"]
ROWS = ["data=mnist_rows", "data.source=fake", "task=classifier", "data.batch_size=100"]
CLOCKS = [
    "data=clocks",
    "task=clock",
    "encoding=angles",
    "network=clock_cnn_small",
    "data.image_size=32",
    "data.augment=false",
]
GAN = ["experiment=mnist_gan", "data.source=fake", "features=pixels"]
MLP = [*NOISE, "network=mlp", "optimizer=adam", "network.hidden=[512,512]"]
CNN = [*NOISE, "network=cnn", "optimizer=sgd"]
# {name: (overrides, training batches in an epoch, aim)}
CASES: dict[str, tuple[list[str], int, str]] = {
    "MLP 784-512-512-10, batch 32": ([*MLP, "data.batch_size=32"], 500, "at most 1.10"),
    "MLP 784-512-512-10, batch 128": ([*MLP, "data.batch_size=128"], 150, "at most 1.05"),
    "MLP 784-512-512-10, batch 512": ([*MLP, "data.batch_size=512"], 50, "at most 1.05"),
    "Leiden's CNN, batch 32": ([*CNN, "data.batch_size=32"], 12, "at most 1.02"),
    "Leiden's CNN, batch 128": ([*CNN, "data.batch_size=128"], 4, "at most 1.02"),
    "clock_cnn_small, batch 64": ([*CLOCKS, "data.num_images=2160"], 27, ""),
    "LSTM of 128, MNIST's rows, batch 100": ([*ROWS, "network=lstm"], 30, ""),
    "GRU of 128, MNIST's rows, batch 100": ([*ROWS, "network=gru"], 30, ""),
    "GAN of MLPs, batch 64": (GAN, 60, ""),
}
QUIET = ["trainer=cpu", "trainer.precision=32-true", "callbacks=none", "test=false", "trainer.max_epochs=2"]
QUIET += ["data.eval_batch_size=256", "trainer.limit_val_batches=2"]
Split = tuple[Tensor, Tensor]  # normalised inputs and labels


def run(overrides: list[str], batches: int, folder: Path) -> float:
    """Seconds of fitting of a whole run, from its own manifest."""
    place = folder / f"run_{time.time_ns()}"
    limits = [*QUIET, f"trainer.limit_train_batches={batches}", f"paths.data={folder}", f"paths.run={place}"]
    sys.argv = [str(ROOT / "src" / "train.py"), *overrides, *limits]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        runpy.run_path(sys.argv[0], run_name="__main__")
    return float(json.loads((place / "run.json").read_text())["seconds"]["fit"])


class Bare:
    """The shortest loop that trains the network of a configuration."""

    def __init__(self, overrides: list[str], batches: int, folder: Path) -> None:
        register_resolvers(ROOT)
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = hydra.compose("train", [*overrides, *QUIET, f"paths.data={folder}", f"paths.run={folder}"])
        self.batches, self.batch_size, self.epochs = batches, config.data.batch_size, 2
        self.eval_batch_size = config.data.eval_batch_size
        self.make = partial(build_task, config)
        data = build_data(config)
        data.prepare_data()
        data.setup("fit")
        self.train, self.val = (prepared(data, split) for split in ("train", "val"))

    def __call__(self) -> float:
        task: Any = self.make()
        step, passes = steps_of(task)
        return clock(lambda: self.loop(task.network, step, passes))

    def loop(self, network: nn.Module, step: Callable[..., object], passes: Callable[..., object]) -> None:
        inputs, labels = self.train
        for _ in range(self.epochs):
            network.train()
            for rows in torch.randperm(len(inputs)).split(self.batch_size)[: self.batches]:
                step(inputs[rows], labels[rows])
            network.eval()
            with torch.no_grad():
                for x, y in list(zip(*(side.split(self.eval_batch_size) for side in self.val), strict=True))[:2]:
                    passes(x, y)


def prepared(data: Any, split: str) -> Split:
    """A split of a data module as a network takes it."""
    rows = data.sets[split].rows
    return data.normalise(data.sets[split].inputs[rows]), data.sets[split].labels[rows]


def steps_of(task: Any) -> tuple[Callable[..., object], Callable[..., object]]:
    """A training step and a validation step of a task, without metrics."""
    if hasattr(task, "discriminator"):
        return gan_steps(task)
    optimizer = task.optimizer_of(task.network)
    loss = getattr(task, "encoding", None)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        outputs = task.network(x)
        return F.cross_entropy(outputs, y) if loss is None else loss.loss(outputs, y)

    def step(x: Tensor, y: Tensor) -> None:
        optimizer.zero_grad()
        cost(x, y).backward()
        optimizer.step()

    return step, cost


def gan_steps(task: Any) -> tuple[Callable[..., object], Callable[..., object]]:
    networks = task.discriminator, task.generator
    first, second = (task.optimizer_of(network) for network in networks)
    score, make = networks

    def step(x: Tensor, y: Tensor) -> None:
        with torch.no_grad():
            made = make(torch.randn(len(x), task.latent_size))
        first.zero_grad()
        task.loss.discriminator(score(x * 2 - 1), score(made)).backward()
        first.step()
        second.zero_grad()
        task.loss.generator(score(make(torch.randn(len(x), task.latent_size)))).backward()
        second.step()

    return step, lambda x, y: score(x)


# ---------------------------------------------------------------------- Lightning alone, and a usual pipeline


class Empty(lightning.LightningModule):
    """The bare loop's step, and nothing else."""

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.network = task.network
        self.optimizer = task.optimizer_of(task.network)

    def training_step(self, batch: Split, index: int) -> Tensor:
        return F.cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return self.optimizer


class Usual(Empty):
    """A task as most templates write it."""

    def __init__(self, task: Any) -> None:
        super().__init__(task)
        self.accuracy = MulticlassAccuracy(num_classes=10, average="micro")
        self.val_accuracy = MulticlassAccuracy(num_classes=10, average="micro")

    def training_step(self, batch: Split, index: int) -> Tensor:
        outputs = self.network(batch[0])
        loss = F.cross_entropy(outputs, batch[1])
        self.accuracy(outputs, batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("train/accuracy", self.accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: Split, index: int) -> None:
        outputs = self.network(batch[0])
        self.val_accuracy(outputs, batch[1])
        self.log("val/loss", F.cross_entropy(outputs, batch[1]), on_epoch=True, prog_bar=True)
        self.log("val/accuracy", self.val_accuracy, on_epoch=True, prog_bar=True)


class Pictures(TensorDataset):
    """Pictures of bytes, each through torchvision's transforms."""

    transform = Compose([ToPILImage(), ToTensor(), Normalize(0.5, 0.29)])

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, label = super().__getitem__(index)
        return self.transform(picture), label


def empty(bare: Bare) -> float:
    """Seconds of the bare loop's steps under a Trainer without anything else."""
    order = torch.randperm(len(bare.train[0]))[: bare.batches * bare.batch_size]
    batches = [(bare.train[0][rows], bare.train[1][rows]) for rows in order.split(bare.batch_size)]
    trainer = lightning.Trainer(**BLANK, max_epochs=bare.epochs)
    return clock(lambda: trainer.fit(Empty(bare.make()), DataLoader(batches, batch_size=None)))


def usual(bare: Bare, workers: int, folder: Path) -> float:
    """Seconds of fitting with the usual pipeline on the same number of pictures, with its validation."""
    images = torch.randint(256, (len(bare.train[0]), 1, 28, 28), dtype=torch.uint8)
    train, val = (
        Pictures(images, bare.train[1]),
        Pictures(*(side[: 2 * bare.eval_batch_size] for side in (images, bare.train[1]))),
    )
    options = {"num_workers": workers, "persistent_workers": workers > 0}
    loaders = [
        DataLoader(train, bare.batch_size, shuffle=True, **options),
        DataLoader(val, bare.eval_batch_size, **options),
    ]
    callbacks = [RichProgressBar(), ModelCheckpoint(folder, "{epoch}", "val/accuracy", mode="max", save_last=True)]
    settings = {"max_epochs": bare.epochs, "limit_train_batches": bare.batches, "num_sanity_val_steps": 0}
    trainer = lightning.Trainer(
        accelerator="cpu", callbacks=callbacks, logger=CSVLogger(folder), enable_model_summary=False, **settings
    )
    with contextlib.redirect_stdout(io.StringIO()):
        return clock(lambda: trainer.fit(Usual(bare.make()), *loaders))


BLANK = {
    "accelerator": "cpu",
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def beside_bare(case: str, rounds: int, folder: Path) -> Row:
    overrides, batches, aim = CASES[case]
    run(overrides, 1, folder)  # warm up: imports, data
    ours = partial(run, overrides, batches, folder)
    return in_turns(case, "a bare loop", ours, Bare(overrides, batches, folder), rounds, aim)


def lightning_alone(name: str, case: str, rounds: int, folder: Path) -> Row:
    bare = Bare(*CASES[case][:2], folder)
    return in_turns(name, "a bare loop", partial(empty, bare), bare, rounds, "")


def averaged(name: str, case: str, rounds: int, folder: Path) -> Row:
    overrides, batches, _ = CASES[case]
    run(overrides, 1, folder)  # warm up: imports, data
    ours = partial(run, [*overrides, "task.average=0.999"], batches, folder)
    return in_turns(name, "our run", ours, partial(run, overrides, batches, folder), rounds, "")


def beside_usual(name: str, case: str, workers: int, rounds: int, folder: Path) -> Row:
    overrides, batches, _ = CASES[case]
    theirs = partial(usual, Bare(overrides, batches, folder), workers, folder)
    return in_turns(name, "our run", theirs, partial(run, overrides, batches, folder), rounds, "at least 2.5")


def rows(rounds: int, folder: Path) -> Iterator[tuple[str, Callable[[], Row]]]:
    warnings.simplefilter("ignore")  # Lightning's advice on loaders
    for case in CASES:
        yield case, partial(beside_bare, case, rounds, folder)
    small = [case for case in CASES if case.startswith("MLP")][:2]
    for case in small:
        name = f"task.average=0.999, {case}"
        yield name, partial(averaged, name, case, rounds, folder)
    for case in small:
        name = f"Lightning alone, {case}"
        yield name, partial(lightning_alone, name, case, rounds, folder)
    for workers in (0, 2):
        name = f"the usual pipeline with {workers} workers, {small[0]}"
        yield name, partial(beside_usual, name, small[0], workers, rounds, folder)
