"""The area under the ROC curve and macro-F1 are those of scikit-learn, with ties and with classes that are absent."""

import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from atelier.metrics.auroc import Auroc, auroc
from atelier.metrics.confusion import ConfusionMatrix, macro_f1


@pytest.mark.parametrize("levels", [3, 10, 10**6])
def test_each_class_is_told_from_the_others_as_scikit_learn_says(levels: int) -> None:
    """Few levels: many equal scores."""
    generator = torch.Generator().manual_seed(levels)
    scores = torch.randint(levels, (200, 4), generator=generator).double()
    classes = torch.randint(4, (200,), generator=generator)
    expected = [roc_auc_score(classes == number, scores[:, number]) for number in range(4)]
    assert auroc(scores, classes).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("many", "few"), [(60_000, 10), (200_000, 7)])
def test_very_uneven_classes_that_are_told_apart_have_an_area_of_1(many: int, few: int) -> None:
    """In 32 bits, the pairs of the larger class would be rounded."""
    scores = torch.cat([torch.linspace(2, 3, many), torch.linspace(0, 1, few)])
    areas = auroc(torch.stack([scores, -scores], dim=1), torch.tensor([0] * many + [1] * few))
    assert areas.tolist() == [1, 1]


def test_a_class_without_samples_does_not_count() -> None:
    logits, classes = torch.tensor([[2.0, 0.0, 1.0], [0.0, 2.0, 1.0], [1.0, 1.5, 1.0]]), torch.tensor([0, 1, 1])
    assert auroc(logits, classes).isnan().tolist() == [False, False, True]
    metric = Auroc()
    metric.update(logits[:2], classes[:2])
    metric.update(logits[2:], classes[2:])
    assert metric.compute() == 1


@pytest.mark.parametrize("scale", [1, 15, 100])
def test_the_scores_of_a_sure_network_have_an_order(scale: int) -> None:
    """Logits 17 apart and more have a probability of 1 in 32 bits, and a network that is sure has many of them."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(2, (400,), generator=generator)
    margin = scale * (torch.randn(400, generator=generator) + 0.5 * classes)
    metric = Auroc()
    metric.update(torch.stack([-margin / 2, margin / 2], 1), classes)
    assert metric.compute().item() == pytest.approx(roc_auc_score(classes, margin), rel=1e-12)


def test_the_scores_of_several_classes_have_the_order_of_their_probabilities() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, classes = torch.randn(300, 5, generator=generator), torch.randint(5, (300,), generator=generator)
    metric = Auroc()
    metric.update(logits, classes)
    expected = roc_auc_score(classes, logits.double().softmax(1), multi_class="ovr")
    assert metric.compute().item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("row", [[torch.nan, 0.0], [torch.inf, 0.0], [-torch.inf, -torch.inf]], ids=str)
def test_logits_without_a_softmax_have_no_area(row: list[float]) -> None:
    metric = Auroc()
    metric.update(torch.tensor([row, [0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 1, 0]))
    assert metric.compute().isnan()


@pytest.mark.parametrize("absent", [0, 2])
def test_macro_f1_is_that_of_scikit_learn(absent: int) -> None:
    generator = torch.Generator().manual_seed(absent)
    predicted, true = torch.randint(5 - absent, (2, 100), generator=generator)
    metric = ConfusionMatrix(5)
    metric.update(predicted, true)
    assert macro_f1(metric.compute()).item() == pytest.approx(f1_score(true, predicted, average="macro"), rel=1e-14)
