"""Scores of generated images, computed on the features of a fixed network."""

from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import CatMetric, Metric
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.utilities.distributed import gather_all_tensors

from atelier.metrics.features import Features
from atelier.metrics.manifold import precision_and_recall
from atelier.metrics.predicted import NO_CLASS

NEIGHBOUR = 3  # k of precision and recall
MOST = 5000  # samples of each kind for precision and recall, whose cost is quadratic


class Given(nn.Module):
    """A feature network that returns its inputs, for torchmetrics' distance on given features."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


class Distance(FrechetInceptionDistance):
    """The distance of given features; NaN if one of them is not finite, for which MKL's eigenvalues end the process."""

    def __init__(self, num_features: int) -> None:
        super().__init__(Given(num_features), reset_real_features=False, normalize=True)

    def compute(self) -> Tensor:
        sums = torch.stack([self.real_features_cov_sum, self.fake_features_cov_sum])
        return super().compute() if sums.isfinite().all() else sums.new_tensor(torch.nan).float()


class SampleQuality:
    """Compares generated images with real images, over all processes.

    - `frechet_distance`: distance between the features of generated images and of a reference, real training images
      (Heusel et al. 2017, arXiv:1706.08500); `frechet_floor`: the distance of as many real images outside the
      reference, the score of perfect samples.
    - `precision` and `recall` of the generated images (`precision_and_recall`).
    - `classes_found`: number of classes with at least a tenth of their even share of the generated images;
      `smallest_share`: share of the rarest class. Only with features of a classifier.

    It is no nn.Module, so that a task does not register the feature network as its own.

    Args:
        features: the fixed network.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self.made, self.real = (Distance(features.num_features) for _ in range(2))
        self.made_features, self.real_features = (CatMetric(nan_strategy="disable") for _ in range(2))
        self.shares = None if features.num_classes is None else ClassCounts(features.num_classes)
        self.class_shares: Tensor | None = None  # shares of the last `compute` with real images
        self.home = self.device = torch.device("cpu")  # of the feature extractor, and of the scores
        self.has_reference = False

    def metrics(self) -> list[Metric]:
        several = [self.made, self.real, self.made_features, self.real_features, self.shares]
        return [metric for metric in several if metric is not None]

    def to(self, device: torch.device) -> None:
        if isinstance(self.features, nn.Module):
            self.features.to(device).eval()
        self.home = device
        self.device = torch.device("cpu") if device.type == "mps" else device  # MPS has no 64-bit numbers
        for metric in self.metrics():
            metric.to(self.device)

    def of(self, pictures: Tensor) -> Tensor:
        """The features of images, in 32 bits, at any precision of the run."""
        with torch.autocast(pictures.device.type, enabled=False):
            return self.features(pictures.float()).to(self.device)

    def classes(self, features: Tensor) -> Tensor:
        """The classes (N,) of features of a classifier."""
        return self.features.classes(features.to(self.home)).to(self.device)

    @torch.no_grad()
    def class_counts(self, pictures: Tensor) -> Tensor:
        """The numbers (C,) of images (N, …) of each class, with features of a classifier; some may be of no class."""
        assert self.features.num_classes is not None
        counted = ClassCounts(self.features.num_classes).to(self.device)
        counted.update(self.classes(self.of(pictures)))
        return counted.counts[1:]

    @torch.no_grad()
    def add_reference(self, pictures: Tensor) -> None:
        """Add real training images (N, …) to the reference."""
        features = self.of(pictures)
        for metric in (self.made, self.real):
            metric.update(features, real=True)
        self.has_reference = True

    @torch.no_grad()
    def add(self, made: Tensor, real: Tensor | None = None) -> None:
        """Add generated images (N, …); with `real` images outside the reference, `compute` returns all scores.

        Features and classes are computed in at least 32 bits.
        """
        with torch.autocast(made.device.type, enabled=False):
            features = self.of(made)
            self.made.update(features, real=False)
            if real is None:
                return
            self.made_features.update(features)
            if self.shares is not None:
                self.shares.update(self.classes(features))
            features = self.of(real)
            self.real.update(features, real=False)
            self.real_features.update(features)

    def compute(self) -> dict[str, Tensor]:
        """Return the scores of the added images and reset: `frechet_distance`, and with real images the others.

        The result is empty if there are too few images.
        """
        scores: dict[str, Tensor] = {}
        if enough(self.made):
            scores["frechet_distance"] = self.made.compute()
        if enough(self.real):
            scores["frechet_floor"] = self.real.compute()
            made, real = (
                drawn(torch.as_tensor(metric.compute()).view(-1, self.features.num_features), MOST)
                for metric in (self.made_features, self.real_features)
            )
            if min(len(made), len(real)) > NEIGHBOUR:
                scores["precision"], scores["recall"] = precision_and_recall(real, made, NEIGHBOUR)
            if self.shares is not None:
                self.class_shares = self.shares.compute()
                scores["classes_found"] = (self.class_shares >= 0.1 / len(self.class_shares)).sum().float()
                scores["smallest_share"] = self.class_shares.min()
        for metric in self.metrics():
            metric.reset()
        return scores


def enough(distance: Distance) -> bool:
    """Whether there are images to compare, over all processes: one that computed alone would wait for the others."""
    own = distance.fake_features_num_samples
    return int(sum(gather_all_tensors(own) if distance.distributed_available_fn() else [own])) > 1


def drawn(rows: Tensor, most: int) -> Tensor:
    """The rows (N, …), or `most` of more than that, drawn with a fixed seed.

    The first ones of a set in the order of its classes would be of a few classes, and so would every n-th where classes
    take turns.
    """
    if len(rows) <= most:
        return rows
    places = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:most]
    return rows[places.to(rows.device)]


class ClassCounts(Metric):
    """The share of each class among all samples, also those of no class: (num_classes,)."""

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    counts: Tensor  # (1 + num_classes,): the first is that of NO_CLASS, -1

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("counts", default=torch.zeros(1 + num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, classes: Tensor) -> None:
        self.counts += torch.bincount(classes - NO_CLASS, minlength=len(self.counts))

    def compute(self) -> Tensor:
        return self.counts[1:] / self.counts.sum()
