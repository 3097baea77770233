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


def test_a_class_without_samples_does_not_count() -> None:
    logits, classes = torch.tensor([[2.0, 0.0, 1.0], [0.0, 2.0, 1.0], [1.0, 1.5, 1.0]]), torch.tensor([0, 1, 1])
    assert auroc(logits, classes).isnan().tolist() == [False, False, True]
    metric = Auroc()
    metric.update(logits[:2], classes[:2])
    metric.update(logits[2:], classes[2:])
    assert metric.compute() == 1


@pytest.mark.parametrize("absent", [0, 2])
def test_macro_f1_is_that_of_scikit_learn(absent: int) -> None:
    generator = torch.Generator().manual_seed(absent)
    predicted, true = torch.randint(5 - absent, (2, 100), generator=generator)
    metric = ConfusionMatrix(5)
    metric.update(predicted, true)
    assert macro_f1(metric.compute()).item() == pytest.approx(f1_score(true, predicted, average="macro"), rel=1e-6)
