"""The classifier's losses, names and measurements, against scikit-learn and explicit loops."""

import csv
import math
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, f1_score, log_loss, recall_score, roc_auc_score
from torch import Tensor, nn
from torch.optim import SGD

from atelier.compose.targets import build
from atelier.errors import InputError
from atelier.losses.penalty import none
from atelier.runs.checkpoint import load_weights, open_checkpoint
from atelier.tasks.classifier import Classifier
from atelier.tasks.schedule import Schedule

Run = Callable[..., Any]
NAMES = ["T-shirt/top", "Ankle boot", "Bag"]
LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.0, 0.0, 3.0], [1.0, 4.0, 0.0]])
CLASSES = torch.tensor([0, 2, 0])


def classifier(penalty: Callable[[nn.Module], Tensor | float] = none, **options: Any) -> Classifier:
    made = Classifier(
        network=nn.Identity(),
        optimizer=partial(SGD, lr=0.1),
        scheduler=Schedule(None),
        penalty=penalty,
        metric="val/accuracy",
        mode="max",
        num_classes=3,
        **options,
    )
    return made.eval()


# ---------------------------------------------------------------------- losses


def test_the_loss_is_that_of_scikit_learn() -> None:
    expected = log_loss(CLASSES, LOGITS.double().softmax(1), labels=range(3))
    assert classifier().training_step((LOGITS, CLASSES), 0).item() == pytest.approx(expected)


@pytest.mark.parametrize("sizes", [[49], [1] * 49, [7, 19, 23]])
def test_an_accuracy_is_exact_whatever_the_batches(sizes: list[int]) -> None:
    """19 of 49, which a mean of the batches' accuracies in 32 bits is not."""
    logits, classes = torch.eye(3)[torch.zeros(49, dtype=torch.long)], (torch.arange(49) >= 19).long()
    task = classifier()
    for rows in torch.arange(49).split(sizes):
        task.validation_step((logits[rows], classes[rows]), 0)
        task.test_step((logits[rows], classes[rows]), 0)
    assert task.val_accuracy.compute().item() == task.test_accuracy.compute().item() == 19 / 49


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    """The cross-entropy of targets 0.7 + 0.1, 0.1 and 0.1."""
    targets = 0.7 * torch.eye(3)[CLASSES] + 0.1
    expected = -(targets * LOGITS.log_softmax(1)).sum(1).mean()
    task = classifier(label_smoothing=0.3)
    assert task.training_step((LOGITS, CLASSES), 0).item() == pytest.approx(expected.item())
    assert task.train_loss.compute().item() == pytest.approx(expected.item())


@pytest.fixture(params=[0.0, 0.3], ids=["hard", "smoothed"])
def weighted(request: pytest.FixtureRequest) -> Classifier:
    """A task that does not learn from the first class, and five times as much from the last."""
    task = classifier(class_weights=[0.0, 1.0, 5.0], label_smoothing=request.param)
    task.weights = torch.tensor([0.0, 1.0, 5.0])
    return task


@pytest.mark.parametrize("mixed", [False, True])
def test_the_parts_of_a_batch_have_its_weighted_loss_together(weighted: Classifier, mixed: bool) -> None:
    """As accumulated gradients need it; the first part has no weight, and so the loss 0 but for the smoothing."""
    classes = torch.tensor([0, 0, 1, 2, 2, 1, 0])
    labels = torch.eye(3)[classes].lerp(torch.eye(3)[classes.flip(0)], 0.3) if mixed else classes
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = weighted.training_step((logits, labels.double() if mixed else labels), 0)
    parts = [weighted.training_step((logits[rows], labels[rows]), 0) for rows in torch.arange(7).split([2, 4, 1])]
    assert whole.item() == pytest.approx((2 * parts[0] + 4 * parts[1] + parts[2]).item() / 7)
    assert whole > 0


def test_the_logged_training_loss_is_that_of_the_weighted_samples(weighted: Classifier) -> None:
    losses = [weighted.training_step((LOGITS[rows], CLASSES[rows]), 0) for rows in ([0], [1, 2])]
    assert weighted.train_loss.compute().item() == pytest.approx((losses[0] + 2 * losses[1]).item() / 3)


def test_a_class_and_its_whole_share_have_the_same_weighted_loss(weighted: Classifier) -> None:
    as_class, as_share = (weighted.training_step((LOGITS, labels), 0) for labels in (CLASSES, torch.eye(3)[CLASSES]))
    assert as_class.item() == pytest.approx(as_share.item(), rel=1e-5)
    assert as_class > 0


def test_validation_and_test_losses_are_without_smoothing() -> None:
    task = classifier(label_smoothing=0.3)
    task.validation_step((LOGITS, CLASSES), 0)
    task.test_step((LOGITS, CLASSES), 0)
    expected = log_loss(CLASSES, LOGITS.double().softmax(1), labels=range(3))
    assert task.val_loss.compute().item() == pytest.approx(expected)
    assert task.test_loss.compute().item() == pytest.approx(expected)


def test_the_penalty_is_trained_and_not_reported() -> None:
    task = classifier(penalty=lambda network: 5.0)
    plain = classifier().training_step((LOGITS, CLASSES), 0)
    assert task.training_step((LOGITS, CLASSES), 0).item() == pytest.approx(plain.item() + 5)
    assert task.train_loss.compute().item() == pytest.approx(plain.item())


def test_each_test_counts_its_own_samples() -> None:
    task, logged = classifier(), []
    task.log_dict = logged.append  # type: ignore[method-assign]
    task.log = lambda name, value: logged.append({name: value})  # type: ignore[assignment, misc]
    for rows in ([0, 1, 2], [0, 1]):  # the third is wrong
        logged.clear()
        task.test_step((LOGITS[rows], CLASSES[rows]), 0)
        task.on_test_epoch_end()
    found = {name: value for part in logged for name, value in part.items()}
    assert [found[f"test/{name}"] for name in ("accuracy", "accuracy/0", "accuracy/2")] == [1, 1, 1]


# ---------------------------------------------------------------------- mirror images


def test_an_image_and_its_mirror_image_are_averaged() -> None:
    task, images = classifier(mirrored=True), torch.randn(2, 1, 1, 3)
    assert torch.equal(task(images), (images + images.flip(3)) / 2)
    assert torch.equal(task.train()(images), images)


def test_validation_test_and_prediction_see_the_mirror_image() -> None:
    task = classifier(mirrored=True)
    averaged = (LOGITS + LOGITS.flip(1)).double() / 2
    expected = log_loss(CLASSES, averaged.softmax(1), labels=range(3))
    task.validation_step((LOGITS, CLASSES), 0)
    tested = task.test_step((LOGITS, CLASSES), 0)
    assert [task.val_loss.compute().item(), task.test_loss.compute().item()] == pytest.approx([expected] * 2)
    assert torch.equal(tested["logits"], averaged.float())
    assert torch.equal(task.predict_step((LOGITS, CLASSES), 0), averaged.float())


@pytest.mark.parametrize(("data", "shape"), [("disk", "[2]"), ("mnist_rows", "[28, 28]"), ("mnist_pixels", "[784, 1]")])
def test_what_is_no_image_has_no_mirror_image(compose: Callable[..., DictConfig], data: str, shape: str) -> None:
    task = classifier(mirrored=True)
    task.num_classes = 2 if data == "disk" else 10
    task.trainer = SimpleNamespace(datamodule=build(compose(f"data={data}").data))  # type: ignore[assignment]
    with pytest.raises(InputError, match=rf"^task.mirrored=true: .*{re.escape(shape)}"):
        task.setup("fit")


# ---------------------------------------------------------------------- names


def test_classes_are_called_by_their_names() -> None:
    task = classifier()
    task.classes = NAMES
    assert task.captions(torch.tensor([2, 0])) == ["Bag", "T-shirt/top"]
    assert task.answers(LOGITS)[1] == {"class": "Bag", "probability": 0.9094}  # e³ / (e³ + 2)


def test_classes_without_names_are_numbers() -> None:
    assert classifier().captions(torch.tensor([2, 0])) == ["2", "0"]
    assert [answer["class"] for answer in classifier().answers(LOGITS)] == [0, 2, 1]


def test_names_come_from_the_data_set() -> None:
    task = classifier()
    task.trainer = SimpleNamespace(datamodule=SimpleNamespace(classes=NAMES))  # type: ignore[assignment]
    task.setup("fit")
    assert task.classes == NAMES


@pytest.mark.parametrize("data", [None, SimpleNamespace(classes=None)], ids=["loaders", "data without names"])
def test_names_stay_where_the_data_have_none(data: Any) -> None:
    task = classifier()
    task.classes = NAMES
    task.trainer = SimpleNamespace(datamodule=data)  # type: ignore[assignment]
    task.setup("test")
    assert task.classes == NAMES


def test_a_checkpoint_brings_the_names_back(trained_digits: Any) -> None:
    """Without a data set, as when somebody has the checkpoint alone."""
    path = trained_digits.folder / "checkpoints" / "best.ckpt"
    assert open_checkpoint(path)["classes"] == [str(digit) for digit in range(10)]
    task = trained_digits.task()
    assert task.classes is None
    load_weights(task, path)
    assert task.captions(torch.tensor([7])) == ["7"]
    assert task.answers(torch.eye(10)[:1])[0]["class"] == "0"


# ---------------------------------------------------------------------- outputs that are no numbers any more


def test_a_diverged_network_is_right_about_no_class() -> None:
    """Of ten samples, nine are of the class that argmax would say."""
    task, classes = classifier(), torch.tensor([0] * 9 + [1])
    batch = torch.full((10, 3), torch.nan), classes
    task.training_step(batch, 0)
    task.validation_step(batch, 0)
    task.test_step(batch, 0)
    assert [metric.compute() for metric in (task.train_accuracy, task.val_accuracy, task.test_accuracy)] == [0, 0, 0]
    logged: dict[str, Any] = {}
    task.log_dict = logged.update  # type: ignore[method-assign]
    task.log = logged.__setitem__  # type: ignore[assignment]
    task.on_test_epoch_end()
    assert logged.pop("test/accuracy/0") == logged.pop("test/accuracy/1") == logged.pop("test/accuracy") == 0
    assert logged.pop("test/macro_f1") == 0
    assert all(math.isnan(value) for value in logged.values()), logged


def test_it_answers_with_no_class() -> None:
    task = classifier()
    task.classes = NAMES
    answers = task.answers(torch.tensor([[torch.nan] * 3, [0.0, torch.inf, 0.0], [0.0, 50.0, 0.0]]))
    assert answers == [{"class": None, "probability": None}] * 2 + [{"class": "Ankle boot", "probability": 1.0}]


# ---------------------------------------------------------------------- measurements of a run


def test_the_tested_values_are_those_of_scikit_learn(trained_digits: Any) -> None:
    logits, classes = trained_digits.evaluated("test", "best")
    probability, predicted = logits.double().softmax(1).max(1)
    found = dict(trained_digits.manifest["test"])
    assert found.pop("loss") == pytest.approx(log_loss(classes, logits.double().softmax(1)), rel=1e-5)
    assert found.pop("accuracy") == pytest.approx(accuracy_score(classes, predicted))
    recalls = recall_score(classes, predicted, average=None)
    assert [found.pop(f"accuracy/{digit}") for digit in range(10)] == pytest.approx(recalls.tolist(), rel=1e-15)
    accuracies, confidences = calibration_curve(predicted == classes, probability, n_bins=15, strategy="uniform")
    counts = torch.histc(probability, 15, 0, 1)
    distances = abs(torch.from_numpy(accuracies - confidences))
    expected = (distances * counts[counts > 0]).sum() / len(classes)
    assert found.pop("expected_calibration_error") == pytest.approx(expected.item(), abs=1e-6)
    assert found.pop("macro_f1") == pytest.approx(f1_score(classes, predicted, average="macro"), rel=1e-14)
    one_vs_rest = roc_auc_score(classes, logits.double().softmax(1), multi_class="ovr")
    assert found.pop("auroc") == pytest.approx(one_vs_rest, abs=1e-6)
    averages = {f"{kind}_softmax/{masks}" for kind in ("before", "after") for masks in (1, 2, 5)}
    assert found.keys() == averages, "what callbacks.dropout_schemes adds to the task's own"


def test_the_clean_training_accuracy_is_that_of_the_whole_set_in_evaluation(trained_digits: Any) -> None:
    logits, classes = trained_digits.evaluated("train", "last")
    rows = list(csv.DictReader(trained_digits.metrics.splitlines()))
    (*_, clean) = (float(row["train/clean_accuracy"]) for row in rows if row["train/clean_accuracy"])
    (*_, running) = (float(row["train/accuracy"]) for row in rows if row["train/accuracy"])
    assert clean == pytest.approx(accuracy_score(classes, logits.argmax(1)), abs=1e-6)
    assert running < clean, "half of the hidden layer was dropped"


def test_the_gaps_are_to_the_clean_accuracy_at_the_best_epoch(trained_digits: Any) -> None:
    objective = trained_digits.manifest["objective"]
    (trained,) = (
        float(row["train/clean_accuracy"])
        for row in csv.DictReader(trained_digits.metrics.splitlines())
        if row["train/clean_accuracy"] and int(row["epoch"]) == objective["best_epoch"]
    )
    tested = trained_digits.manifest["test"]["accuracy"]
    unseen = {"validation_gap": objective["best"], "generalisation_gap": tested}
    for gap, value in unseen.items():
        assert objective[gap] == pytest.approx(trained - value, abs=1e-9)
        assert f"{gap.replace('_', ' ')} {objective[gap]:.4g}" in " ".join(trained_digits.out.split())


def test_an_answer_about_a_file_has_the_classs_name(trained_digits: Any, run_verb: Run, tmp_path: Path) -> None:
    from torchvision.utils import save_image

    images, _ = trained_digits.stored("test")
    save_image(images[0] / 255, tmp_path / "digit.png")
    options = [f"inputs=[{tmp_path / 'digit.png'}]", f"output={tmp_path}", "format=json"]
    outcome = run_verb("predict", f"run={trained_digits.folder}", *options)
    logits, _ = trained_digits.evaluated("test", "best")
    assert f'"class": "{logits[0].argmax()}"' in outcome.out
