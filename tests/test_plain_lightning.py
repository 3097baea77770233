"""The parts without the commands: each task with a plain lightning.Trainer, and with Fabric."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics import Metric

from atelier.compose.build import build_data, build_task
from atelier.errors import InputError
from atelier.metrics import calibration, common_sense, confusion, mean, sample_quality
from atelier.runs.terminal import quieten_lightning

Compose = Callable[..., Any]
TASKS = {
    "classifier": ["network.hidden=[4]"],
    "sequence": ["task=sequence", "network=gru", "network.hidden=4", "data=palindromes", "data.length=5"],
    "pairs": ["experiment=pairs", "data=digit_pairs_digits"],
    "clock": ["experiment=clock_multihead", "data.num_images=2160", "data.image_size=32"],
    "scratch": ["task=scratch", "network=scratch_mlp", "network.hidden=[4]"],
}
MADE = {"gan": ["experiment=digits_gan", "features=pixels"], "vae": ["experiment=digits_vae", "features=pixels"]}


def plain(epochs: int = 1) -> lightning.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(accelerator="cpu", fast_dev_run=epochs, enable_checkpointing=False, **quiet)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_and_its_data_serve_a_plain_trainer(compose: Compose, data_dir: Path, task: str) -> None:
    quieten_lightning()
    config = compose(*TASKS[task], f"paths.data={data_dir}")
    module, data, trainer = build_task(config), build_data(config), plain()
    trainer.fit(module, data)
    (tested,) = trainer.test(module, data, verbose=False)
    assert tested
    assert all(math.isfinite(value) for value in tested.values())
    (predicted,) = trainer.predict(module, data)
    assert predicted.isfinite().all()


@pytest.mark.parametrize("task", MADE)
def test_a_task_that_makes_pictures_serves_a_plain_trainer(compose: Compose, data_dir: Path, task: str) -> None:
    quieten_lightning()
    config = compose(*MADE[task], f"paths.data={data_dir}")
    trainer = plain()
    trainer.fit(build_task(config), build_data(config))
    assert trainer.global_step == 1


@pytest.mark.parametrize("part", ["teacher", "network.layers.1", "val_loss.features"])
def test_a_frozen_part_of_a_task_is_no_warning(compose: Compose, data_dir: Path, part: str) -> None:
    """A teacher beside the network, a part of the network, and one within a metric."""
    quieten_lightning()
    config = compose("network.hidden=[4]", f"paths.data={data_dir}")
    module = build_task(config)
    where, _, name = part.rpartition(".")
    frozen = nn.Sequential(nn.Linear(64, 4), nn.ReLU())
    module.get_submodule(where).add_module(name, frozen.requires_grad_(False).eval())
    before = frozen[0].weight.clone()
    plain().fit(module, build_data(config))
    assert not frozen.training
    assert torch.equal(frozen[0].weight, before)


def test_overfitting_a_few_batches_trains_on_the_same_ones_in_each_epoch(compose: Compose, data_dir: Path) -> None:
    quieten_lightning()
    config = compose("network.hidden=[4]", f"paths.data={data_dir}")
    module, data, seen = build_task(config), build_data(config), []
    module.training_step = lambda batch, index, step=module.training_step: (seen.append(batch), step(batch, index))[1]
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(accelerator="cpu", max_epochs=2, overfit_batches=2, enable_checkpointing=False, **quiet)
    trainer.fit(module, data)
    (first, second, *again) = [batch[0] for batch in seen]
    assert [a.equal(b) for a, b in zip(again, (first, second), strict=True)] == [True, True]


@pytest.mark.parametrize("kind", ["classifier", "vae"])
def test_what_plain_loaders_cannot_serve_is_told(compose: Compose, data_dir: Path, kind: str) -> None:
    quieten_lightning()
    given = {"classifier": ["network.hidden=[4]", "task.clean_train_accuracy=true"], "vae": MADE["vae"]}
    config = compose(*given[kind], f"paths.data={data_dir}")
    batch = (torch.rand(4, *config.data.shape), torch.zeros(4, dtype=torch.long))
    pictures = DataLoader([batch], batch_size=None)
    with pytest.raises(InputError, match=r"task\.\w+.*datamodule="):
        plain().fit(build_task(config), pictures, pictures)


def test_a_classifier_trains_under_fabric(compose: Compose, data_dir: Path) -> None:
    config = compose("network.hidden=[32]", "optimizer.lr=0.01", f"paths.data={data_dir}")
    module, data = build_task(config), build_data(config)
    data.prepare_data()
    data.setup("fit")
    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.launch()
    network, optimizer = fabric.setup(module.network, module.configure_optimizers())
    losses = []
    for inputs, classes in data.train_dataloader():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(data.normalise(inputs)), classes)
        fabric.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


METRICS = {
    calibration.CalibrationError: (),
    common_sense.CommonSenseError: (),
    confusion.ConfusionMatrix: (3,),
    mean.Mean: (),
    sample_quality.ClassCounts: (3,),
}


@pytest.mark.parametrize("kind", METRICS)
def test_a_metric_takes_torchmetrics_arguments(kind: type[Metric]) -> None:
    options = {"sync_on_compute": False, "dist_sync_on_step": True, "compute_on_cpu": True}
    metric = kind(*METRICS[kind], **options)
    assert all(getattr(metric, key) == value for key, value in options.items())
    assert kind.is_differentiable is False
    assert "higher_is_better" in vars(kind)
