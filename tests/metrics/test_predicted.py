"""A network whose outputs are no numbers any more is right about no class, whatever measures it."""

import math

import pytest
import torch
from torch import Tensor, nn

from atelier.callbacks.dropout_schemes import errors
from atelier.metrics.auroc import auroc
from atelier.metrics.confusion import ConfusionMatrix, class_accuracies, macro_f1
from atelier.metrics.features import Classifier
from atelier.metrics.predicted import NO_CLASS, correct, most_probable, predicted
from atelier.metrics.sample_quality import ClassCounts

BROKEN = [[math.nan] * 3, [math.nan, 5, 0], [5, 0, math.nan], [math.inf, 0, 0], [-math.inf] * 3]


@pytest.mark.parametrize("row", BROKEN, ids=str)
def test_a_row_without_a_softmax_is_right_about_no_class(row: list[float]) -> None:
    logits = torch.tensor([row, [5.0, 0.0, 0.0]])
    assert predicted(logits).tolist() == [NO_CLASS, 0]
    assert [correct(logits, torch.tensor([label, 0])).tolist() for label in range(3)] == [[False, True]] * 3
    assert correct(logits, torch.eye(3)[:1].expand(2, 3)).tolist() == [False, True]
    assert most_probable(logits)[0] == (None, None)
    assert most_probable(logits)[1][0] == 0


def test_finite_rows_are_predicted_as_by_argmax() -> None:
    logits = torch.randint(3, (200, 4), generator=torch.Generator().manual_seed(0)).float()  # with many ties
    assert torch.equal(predicted(logits), logits.argmax(1))


def test_a_class_that_is_ruled_out_leaves_the_others() -> None:
    """Its probability is 0, and the softmax is finite."""
    assert predicted(torch.tensor([[0.0, 1.0, -math.inf]])).tolist() == [1]


def test_samples_without_a_predicted_class_are_wrong_ones_of_their_own() -> None:
    metric = ConfusionMatrix(3)
    metric.update(predicted(torch.tensor([*BROKEN, [5.0, 0.0, 0.0]])), torch.tensor([0, 0, 0, 1, 2, 0]))
    assert metric.compute().tolist() == [[1, 0, 0, 3], [0, 0, 0, 1], [0, 0, 0, 1]]
    assert class_accuracies(metric.compute()).tolist() == [0.25, 0, 0]
    assert macro_f1(metric.compute()).item() == pytest.approx(2 * 1 / (1 + 4) / 3)


@pytest.mark.parametrize("broken", [1, 100])
def test_scores_that_are_nan_have_no_area(broken: int) -> None:
    """Sorted as numbers, they would be the highest of all, and differ by the order of the samples."""
    scores = torch.full((100, 10), 0.1)
    scores[:broken] = math.nan
    assert auroc(scores, torch.arange(100) // 10).isnan().all()


def test_means_over_masks_without_a_class_are_wrong() -> None:
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 3)).eval()
    nn.init.constant_(network[1].bias, math.nan)
    assert errors(network, torch.ones(4, 2), torch.zeros(4, dtype=torch.long), [1, 2]).tolist() == [[0, 4, 4]] * 2


def test_generated_pictures_without_a_class_are_of_none() -> None:
    features = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), mean=0.5, std=0.5, identity={})
    pictures: Tensor = torch.rand(4, 1, 2, 2)
    pictures[:3] = math.nan
    shares = ClassCounts(3)
    shares.update(features.classes(features(pictures)))
    assert sorted(shares.compute().tolist()) == [0, 0, 0.25]
