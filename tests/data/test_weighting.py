"""Training: classes drawn equally often, samples mixed, random operations, and weights of classes in the loss."""

import math
import re
import warnings
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from atelier.compose.build import build_data, build_task, build_trainer
from atelier.data.images import GROUP
from atelier.data.loader import BatchSampler
from atelier.errors import InputError
from atelier.metrics.predicted import correct
from atelier.runs.terminal import quieten_lightning

Compose = Callable[..., DictConfig]
CLOCK = ["data=clocks", "data.num_images=720", "data.image_size=32", "task=clock", "encoding=angles"]
CLOCK += ["network=clock_cnn_small"]
PAIRS = ["data=digit_pairs_digits", "data.train_pairs=100", "task=pairs", "network=pair_fnn", "data.augment=false"]
SMALL = ["network.hidden=[4]", "trainer=cpu", "callbacks=none", "debug=fast", "trainer.max_epochs=1"]


@pytest.fixture
def digits(compose: Compose, data_dir: Path) -> Callable[..., Any]:
    """The bundled digits, of whose training set the classes 0 and 1 are kept, and of 1 a tenth."""

    def made(*overrides: str) -> Any:
        config = compose(*overrides)
        config.paths.data = str(data_dir)
        data = build_data(config)
        data.prepare_data()
        data.setup()
        labels, rows = data.sets["train"].labels, data.sets["train"].rows
        ones = rows[labels[rows] == 1]
        data.sets["train"].rows = torch.cat([rows[labels[rows] == 0], ones[: len(ones) // 10]])
        return data

    return made


def fitted(compose: Compose, data_dir: Path, *overrides: str) -> tuple[Any, list[tuple[Tensor, Tensor]]]:
    """A task after its training, and the batches that it was given."""
    config, seen = compose(*SMALL, *overrides), list[tuple[Tensor, Tensor]]()
    config.paths.data = str(data_dir)
    task, data = build_task(config), build_data(config)

    def noted(self: Any, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        seen.append(batch)
        return type(task).training_step(self, batch, batch_index)

    task.training_step = MethodType(noted, task)  # type: ignore[method-assign]
    with warnings.catch_warnings():
        quieten_lightning()
        build_trainer(config, task.network).fit(task, data)
    return task, seen


def test_balanced_batches_hold_each_class_equally_often(digits: Any) -> None:
    counts = []
    for balanced in ("true", "false"):
        data = digits("data.batch_size=16", f"data.balanced={balanced}")
        loader, val = data.loader("train", train=True), data.sets["val"]
        labels = torch.cat([labels for _, labels in loader])
        assert len(labels) == len(loader.dataset)
        counts.append((labels == 1).double().mean().item())
        assert torch.equal(torch.cat([labels for _, labels in data.val_dataloader()]), val.labels[val.rows])
    assert counts[0] == pytest.approx(0.5, abs=0.15)
    assert counts[1] < 0.15


def test_balanced_batches_depend_on_seed_and_epoch_and_go_on_in_the_middle() -> None:
    weights = torch.rand(50)

    def batches(start: int = 0, seed: int = 3, epoch: int = 2, **ranks: int) -> list[list[int]]:
        sampler = BatchSampler(50, batch_size=8, train=True, shuffle=True, seed=seed, weights=weights, **ranks)
        sampler.set_epoch(epoch)
        sampler.start, sampler.start_epoch = start, epoch
        return [batch.tolist() for batch in sampler]

    assert batches() == batches()
    assert batches(start=3) == batches()[3:]
    assert batches(seed=4) != batches() != batches(epoch=3)
    halves = [batches(rank=rank, world=2) for rank in (0, 1)]
    assert sorted(chain(*halves[0], *halves[1])) == sorted(chain(*batches()))


def test_balanced_batches_are_the_same_in_each_epoch_without_a_shuffle(digits: Any) -> None:
    """As debug=overfit and Lightning's overfit_batches need it."""
    loader = digits("data.batch_size=16", "data.balanced=true", "data.shuffle=false").loader("train", train=True)
    epochs = []
    for epoch in (0, 1):
        loader.batches.set_epoch(epoch)
        epochs.append([images for images, _ in loader])
    assert all(map(torch.equal, *epochs))


def test_weights_of_classes_are_inverse_to_their_numbers(digits: Any) -> None:
    data = digits()
    counts = torch.bincount(data.train_classes(), minlength=10)
    weights = data.class_weights()
    assert (weights[0] * counts[0]).item() == pytest.approx((weights[1] * counts[1]).item())
    labels = data.train_classes().numpy()
    assert weights[:2].tolist() == pytest.approx(compute_class_weight("balanced", classes=np.arange(2), y=labels))
    assert weights.isfinite().all(), "0 times infinity would be no loss"
    assert weights[labels].mean().item() == pytest.approx(1), "classes without a sample do not scale the loss"


@pytest.mark.parametrize("given", ["balanced", "[1,1,1,1,1,1,1,1,1,5]"])
def test_the_training_loss_weights_the_classes(compose: Compose, data_dir: Path, given: str) -> None:
    task, seen = fitted(compose, data_dir, f"task.class_weights={given}", "trainer.limit_train_batches=1")
    weights = torch.tensor([1.0] * 9 + [5.0]) if given != "balanced" else task.trainer.datamodule.class_weights()
    assert task.weights.tolist() == weights.tolist()
    ((_, classes),) = seen
    logits = torch.zeros(len(classes), 10)
    logits[:, 9] = 1
    task.network = torch.nn.Identity()
    found = task.__class__.training_step(task, (logits, classes), 0)
    expected = (weights[classes] * F.cross_entropy(logits, classes, reduction="none")).mean()
    torch.testing.assert_close(found, expected)
    assert not torch.isclose(found, F.cross_entropy(logits, classes))


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_a_smoothed_target_has_the_weight_of_its_sample(compose: Compose, smoothing: float, mixed: bool) -> None:
    """With torch's formula, 1,000 samples of one class beside 50 of another teach the rare class to all."""
    task: Any = build_task(compose(f"task.label_smoothing={smoothing}"))
    task.weights = torch.tensor([0.525, 10.5, *[1.0] * 8])
    logits, classes = torch.randn(6, 10, dtype=torch.float64), torch.tensor([0, 0, 0, 1, 1, 7])
    shares = F.one_hot(classes, 10).double()
    if mixed:
        shares = 0.75 * shares + 0.25 * shares.flip(0)
    smooth = (1 - smoothing) * shares + smoothing / 10
    plain = -(smooth * logits.log_softmax(1)).sum(1)
    hard = -(shares * task.weights.double() * logits.log_softmax(1)).sum(1)
    even = -(shares @ task.weights.double()) * logits.log_softmax(1).mean(1)
    found = task.training_loss(logits, shares if mixed else classes)
    torch.testing.assert_close(found, ((1 - smoothing) * hard + smoothing * even).mean())
    if not mixed:
        torch.testing.assert_close(found, (task.weights.double()[classes] * plain).mean())


def test_a_class_that_a_network_rules_out_has_a_finite_loss(compose: Compose) -> None:
    task: Any = build_task(compose())
    task.weights = torch.ones(10)
    logits = torch.zeros(4, 10).index_fill(1, torch.tensor([9]), -torch.inf)
    assert task.training_loss(logits, torch.tensor([0, 1, 2, 3])).item() == pytest.approx(math.log(9))


def test_smoothed_rare_classes_and_absent_ones_take_nothing_from_the_others(compose: Compose) -> None:
    """The best constant output of separable samples is its own class, whatever the others weigh."""
    task: Any = build_task(compose("task.label_smoothing=0.1", "task.num_classes=3"))
    task.weights = torch.tensor([1.0, 20.0, 100.0])  # the last has no sample
    logits = torch.zeros(2, 3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = task.training_loss(logits, torch.tensor([0, 1]))
        loss.backward()
        return loss

    optimizer.step(closure)
    expected = torch.tensor([[0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3], [0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3]])
    torch.testing.assert_close(logits.softmax(1).detach(), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["task.class_weights=[1,2]"], "task.class_weights=[1, 2]: give 10, one for each class"),
        (["task.class_weights=[0,0,0,0,0,0,0,0,0,0]"], "give 10, one for each class, not all of them 0"),
        (
            [*CLOCK, "data.balanced=true"],
            "no classes",
        ),
        (
            ["experiment=palindrome_gru", "task=classifier", "task.class_weights=balanced"],
            "data: the labels of Palindromes are no classes, which could be weighted",
        ),
        (["task=scratch", "network=scratch_mlp", "mixing=mixup"], "mixing: Scratch does not learn from shares of"),
        ([*PAIRS, "mixing=mixup"], "mixing: PairComparer does not learn from shares of"),
        ([*PAIRS, "task=classifier", "network=mlp", "mixing=mixup"], "data: the labels of BundledPairs are (N, 3)"),
        (["experiment=digits_vae", "features=pixels", "mixing=cutmix"], "mixing: VAE does not learn from shares of"),
        (["experiment=digits_gan", "features=pixels", "mixing=mixup"], "mixing: GAN does not learn from shares of"),
    ],
)
def test_what_has_no_classes_is_refused(compose: Compose, data_dir: Path, overrides: list[str], told: str) -> None:
    kept = SMALL if overrides[0].startswith("task") else SMALL[1:]
    config = compose(*kept, *overrides)
    config.paths.data = str(data_dir)
    with warnings.catch_warnings():
        quieten_lightning()
        trainer = build_trainer(config, torch.nn.Identity())
        with pytest.raises(InputError, match=re.escape(told)):
            trainer.fit(build_task(config), build_data(config))


@pytest.mark.parametrize("mixing", ["mixup", "cutmix"])
def test_mixed_samples_carry_shares_of_the_classes(compose: Compose, data_dir: Path, mixing: str) -> None:
    task, seen = fitted(compose, data_dir, f"mixing={mixing}", "mixing.alpha=1.0")
    for _, shares in seen:
        assert shares.shape[1:] == (10,)
        torch.testing.assert_close(shares.sum(1), torch.ones(len(shares)))
    assert any(((shares > 0) & (shares < 1)).any() for _, shares in seen)
    assert task.trainer.callback_metrics["val/accuracy"].isfinite()


def test_the_accuracy_of_mixed_samples_counts_the_largest_share() -> None:
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert correct(logits, torch.tensor([[0.7, 0.3], [0.2, 0.8]])).tolist() == [True, False]


def test_random_operations_change_training_images_only(compose: Compose, data_dir: Path) -> None:
    plain, changed = (
        fitted(compose, data_dir, "data.shuffle=false", f"data.operations={count}")[1][0][0] for count in (0, 2)
    )
    assert plain.shape == changed.shape
    assert plain.dtype == changed.dtype
    assert not torch.equal(plain, changed)
    first = [fitted(compose, data_dir, f"data.operations={count}")[0] for count in (0, 2)]
    batches = [next(iter(task.trainer.datamodule.val_dataloader()))[0] for task in first]
    assert torch.equal(*(task.trainer.datamodule.on_after_batch_transfer((batch, batch[:, 0, 0, 0]), 0)[0]
                         for task, batch in zip(first, batches, strict=True)))  # fmt: skip


def test_a_few_images_of_a_batch_share_their_random_operations(digits: Any) -> None:
    torch.manual_seed(0)
    data = digits("data.operations=2")
    changed = data.augmented_pixels(data.sets["train"].inputs[:1].expand(20 * GROUP, -1, -1, -1))
    assert all(len(part.unique(dim=0)) == 1 for part in changed.split(GROUP))
    assert len(changed.unique(dim=0)) > 5


def test_random_operations_on_other_channels_are_refused(compose: Compose) -> None:
    told = re.escape("data.operations=2: their images have 1 or 3 channels, and not data.shape=[4, 8, 8]; give 0")
    with pytest.raises(InputError, match=told):
        build_data(compose("data=random_images", "data.shape=[4,8,8]", "data.operations=2"))
