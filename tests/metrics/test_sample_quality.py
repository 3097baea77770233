"""Scores of made pictures: closed forms of the Fréchet distance, balls counted one by one, features of a classifier."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from atelier.errors import InputError
from atelier.metrics import manifold, sample_quality
from atelier.metrics.features import Classifier, Inception, Pixels
from atelier.metrics.manifold import precision_and_recall
from atelier.metrics.sample_quality import ClassCounts, SampleQuality, drawn


class Plain(nn.Module):
    """Points as their own features; the class is the first number's sign."""

    num_features = 2
    num_classes = 2
    identity: dict[str, object] = {"features": "plain"}  # noqa: RUF012

    def forward(self, points: Tensor) -> Tensor:
        return points

    def classes(self, features: Tensor) -> Tensor:
        return (features[:, 0] > 0).long()


def points(count: int, mean: tuple[float, float], std: tuple[float, float], seed: int) -> Tensor:
    """Points whose mean and covariance are exactly as said."""
    drawn = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    drawn = drawn - drawn.mean(0)
    white = drawn @ torch.linalg.inv(torch.linalg.cholesky(drawn.T.cov())).T
    return (white * torch.tensor(std) + torch.tensor(mean)).float()


def test_the_frechet_distance_of_two_gaussians_is_its_closed_form() -> None:
    """‖Δmean‖² and, for covariances with the same axes, the squared differences of the deviations."""
    quality = SampleQuality(Plain())
    quality.add_reference(points(500, (0, 0), (1, 2), seed=0))
    quality.add(points(400, (3, -1), (2, 0.5), seed=1))
    expected = 3**2 + 1**2 + (2 - 1) ** 2 + (2 - 0.5) ** 2
    assert quality.compute()["frechet_distance"].item() == pytest.approx(expected, rel=1e-4)


def test_the_floor_is_the_distance_of_the_real_ones() -> None:
    quality = SampleQuality(Plain())
    quality.add_reference(points(500, (0, 0), (1, 1), seed=0))
    quality.add(points(300, (5, 0), (1, 1), seed=1), points(300, (0.5, 0), (1, 1), seed=2))
    scores = quality.compute()
    assert scores["frechet_floor"].item() == pytest.approx(0.25, rel=1e-3)
    assert scores["frechet_distance"].item() == pytest.approx(25, rel=1e-3)


def test_added_in_parts_it_is_the_same_and_each_computation_begins_anew() -> None:
    whole, parts = SampleQuality(Plain()), SampleQuality(Plain())
    reference, made = points(500, (0, 0), (1, 2), seed=0), points(400, (1, 1), (1, 1), seed=1)
    whole.add_reference(reference)
    for part in reference.split(77):
        parts.add_reference(part)
    real = points(400, (0, 0), (1, 2), seed=2)
    parts.add(real, made)
    parts.compute()
    whole.add(made, real)
    expected = {name: value.item() for name, value in whole.compute().items()}
    for _ in range(2):
        for part in zip(made.split(50), real.split(50), strict=True):
            parts.add(*part)
        assert {name: value.item() for name, value in parts.compute().items()} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("count", [1, 40])
@pytest.mark.parametrize("number", [torch.nan, torch.inf, -torch.inf])
def test_pictures_of_no_numbers_have_no_distance_and_end_no_process(number: float, count: int) -> None:
    quality = SampleQuality(Plain())
    quality.add_reference(points(50, (0, 0), (1, 1), seed=0))
    made, real = points(40, (0, 0), (1, 1), seed=1), points(40, (0, 0), (1, 1), seed=2)
    quality.add(torch.cat([torch.full((count, 2), number), made[count:]]), real)
    scores = quality.compute()
    assert scores["frechet_distance"].isnan()
    assert scores["frechet_floor"].isfinite()
    assert scores["precision"] <= 1 - count / 40
    quality.add(made, real)
    assert quality.compute()["frechet_distance"].isfinite()


def test_too_few_pictures_have_no_distance() -> None:
    quality = SampleQuality(Plain())
    quality.add_reference(points(50, (0, 0), (1, 1), seed=0))
    quality.add(torch.zeros(1, 2))
    assert quality.compute() == {}
    for count, more in ((3, set()), (4, {"precision", "recall"})):  # which need three neighbours
        quality.add(*torch.randn(2, count, 2))
        scores = {"frechet_distance", "frechet_floor", "classes_found", "smallest_share"}
        assert quality.compute().keys() == scores | more


@pytest.mark.parametrize(("rare", "classes"), [(4, 1), (5, 2)])
def test_classes_are_counted_and_a_rare_one_is_not_found(rare: int, classes: int) -> None:
    """Of 100 made points so many are of the second class: a tenth of the even share would be 5."""
    made = torch.ones(100, 2)
    made[rare:, 0] = -1.0
    quality = SampleQuality(Plain())
    quality.add_reference(points(50, (0, 0), (1, 1), seed=0))
    quality.add(made + 0.01 * torch.randn(100, 2), points(50, (0, 0), (1, 1), seed=1))
    scores = quality.compute()
    assert scores["smallest_share"].item() == pytest.approx(rare / 100)
    assert scores["classes_found"] == classes
    assert quality.class_shares.tolist() == pytest.approx([1 - rare / 100, rare / 100])
    assert quality.class_counts(made).tolist() == [100 - rare, rare]


def test_counts_of_classes_go_on_where_32_bits_stop() -> None:
    counts = ClassCounts(2)
    counts.update(torch.tensor([0, 1]))
    counts.counts[1] = 2**24
    for _ in range(3):
        counts.update(torch.tensor([0]))
    assert counts.counts.tolist() == [0, 2**24 + 3, 1]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float32], ids=["bf16 pictures", "32-bit pictures"])
def test_under_autocast_every_score_is_as_without(kind: torch.dtype) -> None:
    """A network that is all but undecided between two classes: in 16 bits it takes many for the other one."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        network[3].weight[1] = network[3].weight[0] * 1.001
        network[3].bias.zero_()
    reference, made, real = torch.rand(3, 200, 1, 4, 4).to(kind)

    def scores() -> dict[str, Tensor]:
        quality = SampleQuality(Classifier(network, mean=0.5, std=0.5, identity={}))
        quality.add_reference(reference)
        quality.add(made, real)
        return quality.compute()

    expected = scores()
    with torch.autocast("cpu", torch.bfloat16):
        found = scores()
    assert found == expected
    assert expected["smallest_share"] > 0


def test_precision_and_recall_are_the_shares_within_the_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifold, "ROWS", 8)  # in several parts
    generator = torch.Generator().manual_seed(0)
    real, made = torch.randn(25, 3, generator=generator), torch.randn(20, 3, generator=generator) * 1.5 + 0.3

    def share(points: Tensor, manifold: Tensor, k: int) -> float:
        inside = 0
        for point in points:
            for centre in manifold:
                radius = sorted((centre - other).norm().item() for other in manifold)[k]  # its own distance is first
                if (point - centre).norm().item() <= radius:
                    inside += 1
                    break
        return inside / len(points)

    for k in (1, 3):
        precision, recall = precision_and_recall(real, made, k)
        assert precision.item() == pytest.approx(share(made, real, k))
        assert recall.item() == pytest.approx(share(real, made, k))
    assert 0 < precision < 1


@pytest.mark.parametrize("width", [3, 8])
def test_a_point_at_the_radius_of_a_ball_is_in_it(width: int) -> None:
    """Distances of whole numbers are often equal, and the products by which they are computed are rounded."""
    generator = torch.Generator().manual_seed(0)
    real, made = (torch.randint(-2, 3, (60, width), generator=generator) for _ in range(2))

    def share(points: Tensor, manifold: Tensor) -> float:
        apart = [(one[:, None] - manifold).square().sum(2) for one in (manifold, points)]
        return (apart[1] <= apart[0].kthvalue(4, dim=1).values).any(1).double().mean().item()

    found = [value.item() for value in precision_and_recall(real.float(), made.float())]
    assert found == pytest.approx([share(made, real), share(real, made)])


@pytest.mark.parametrize("offset", [0, 100, 300, 3000])
def test_precision_and_recall_are_the_same_far_from_the_origin(offset: int) -> None:
    """Against distances taken one difference at a time; in 32 bits both are 1 at the largest offset."""
    generator = torch.Generator().manual_seed(0)
    real, made = (torch.randn(300, 16, generator=generator) + offset for _ in range(2))
    made[:150] = made[:1]

    def share(points: Tensor, manifold: Tensor) -> float:
        apart = [(one.double()[:, None] - manifold.double()).square().sum(2).sqrt() for one in (manifold, points)]
        return (apart[1] <= apart[0].kthvalue(4, dim=1).values).any(1).double().mean().item()

    found = [value.item() for value in precision_and_recall(real, made)]
    assert found == pytest.approx([share(made, real), share(real, made)])


def test_samples_of_one_mode_are_precise_and_recall_little() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-10.0, 0.0], [10.0, 0.0]])
    real = centres.repeat(100, 1) + torch.randn(200, 2, generator=generator)
    made = centres[:1] + torch.randn(200, 2, generator=generator)
    precision, recall = precision_and_recall(real, made)
    assert precision > 0.9
    assert 0.4 < recall < 0.55


@pytest.mark.parametrize("order", ["one after the other", "taking turns"])
@pytest.mark.parametrize("kind", ["real", "made"])
def test_every_class_of_a_large_set_counts(kind: str, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two far classes in a set, of which the other set has the second alone."""
    monkeypatch.setattr(sample_quality, "MOST", 100)
    classes = torch.arange(200) // 100 if order == "one after the other" else torch.arange(200) % 2
    generator = torch.Generator().manual_seed(0)
    both, second = torch.randn(2, 200, 2, generator=generator)
    both[:, 0] += 10 * classes
    second[:, 0] += 10
    quality = SampleQuality(Plain())
    quality.add_reference(both)
    quality.add(*((second, both) if kind == "real" else (both, second)))
    scores = quality.compute()
    of_second, of_both = [scores[name].item() for name in ("precision", "recall")][:: 1 if kind == "real" else -1]
    assert of_second > 0.85
    assert 0.35 < of_both < 0.65


def test_a_set_that_is_not_too_large_counts_row_by_row() -> None:
    rows = torch.randn(50, 3)
    assert torch.equal(drawn(rows, most=50), rows)
    assert len({tuple(row) for row in drawn(rows, most=49).tolist()}) == 49
    assert torch.equal(drawn(rows, most=49), drawn(rows, most=49)), "a test again gives the same numbers"


# ---------------------------------------------------------------------- features


def test_a_classifiers_features_are_what_its_last_linear_layer_is_given() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3))
    features = Classifier(network, mean=0.2, std=0.5, identity={})
    pictures = torch.rand(5, 1, 2, 2)
    normalised = ((pictures - 0.2) / 0.5).flatten(1)
    expected = (normalised @ network[1].weight.T + network[1].bias).relu()
    torch.testing.assert_close(features(pictures), expected)
    assert (features.num_features, features.num_classes) == (6, 3)
    logits = expected @ network[4].weight.T + network[4].bias
    assert torch.equal(features.classes(features(pictures)), logits.argmax(1))


def test_classes_are_told_where_the_network_is_and_counted_where_the_scores_are() -> None:
    """On MPS, which has no 64-bit numbers, these are two devices; `meta` stands for it here."""

    class Far:
        num_features, num_classes = 2, 3

        def classes(self, features: Tensor) -> Tensor:
            assert features.device.type == "meta"
            return torch.tensor([0, 2, 2])

    quality = SampleQuality(Far())  # type: ignore[arg-type]
    quality.home = torch.device("meta")
    assert quality.classes(torch.zeros(3, 2)).tolist() == [0, 2, 2]


def test_inception_resizes_as_published_distances_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Torchmetrics' default is another, with which no published distance was measured."""
    given: list[Any] = []

    def made(*arguments: Any, **options: Any) -> nn.Module:
        given.append((arguments, options))
        return nn.Identity()

    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", made)
    (weights := tmp_path / "weights.pth").write_bytes(b"weights")
    features = Inception(str(weights))
    assert given == [(("inception-v3-compat", ["2048"], str(weights)), {"antialias": False})]
    assert features.identity["resize"] == "bilinear, as TensorFlow 1"


def test_pixels_are_means_of_areas() -> None:
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    features = Pixels((1, 4, 4), side=2)
    assert features(picture).tolist() == [[2.5, 4.5, 10.5, 12.5]]
    assert features.num_features == 4
    assert Pixels((2,), side=8).num_features == 2


def test_a_classifier_without_a_linear_layer_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(1, 3, 2), nn.Flatten())
    with pytest.raises(InputError, match=r"features\.run=logs/x: its network has no linear layer"):
        Classifier(network, mean=0.5, std=0.5, identity={"run": "logs/x"})
