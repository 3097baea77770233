"""Statistics of activations, against loops over every one of them."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from atelier.callbacks import activation_statistics
from atelier.callbacks.activation_statistics import Statistics, draw, summary, sums
from atelier.callbacks.layers import Site


def site(layer: nn.Module) -> Site:
    return Site("first", nn.Conv2d(1, 1, 1), layer)


def looped(activations: Tensor) -> dict[str, float]:
    """Mean, standard deviation, share of zeros and dead channels, one value after the other."""
    values = activations.flatten().tolist()
    mean = math.fsum(values) / len(values)
    return {
        "mean": mean,
        "std": math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)),
        "sparsity": values.count(0.0) / len(values),
        "dead": sum(all(v == 0 for v in channel.flatten().tolist()) for channel in activations.transpose(0, 1)),
    }


def test_batches_of_different_sizes_give_the_statistics_of_all() -> None:
    activations = torch.randn(11, 4, 3, 5, generator=torch.Generator().manual_seed(0)).relu()
    activations[:, 2] = 0
    activations[:3, 0] = 0  # zero in one batch alone: not dead
    found = summary(site(nn.ReLU()), sums(activations[:3]) + sums(activations[3:]))
    expected = looped(activations)
    assert expected["dead"] == 1
    assert {name: getattr(found, name) for name in expected} == pytest.approx(expected, rel=1e-6)
    assert (found.layer, found.after, found.channels) == ("first", "ReLU", 4)


def test_large_means_do_not_swallow_small_deviations() -> None:
    activations = 1000 + torch.tensor([-0.5, 0.5]).repeat(50).view(2, 1, 5, 10)
    assert summary(site(nn.Identity()), sums(activations)).std == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("value", [0.1, 0.3, 1.3])  # rounded, their variances are above 0, 0, and below it
def test_a_layer_that_never_moves_has_no_deviation(value: float) -> None:
    assert summary(site(nn.Identity()), sums(torch.full((3, 2, 4, 4), value))).std == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_has_no_deviation(value: float) -> None:
    assert math.isnan(summary(site(nn.Identity()), sums(torch.full((3, 2, 4, 4), value))).std)


def test_the_file_is_what_the_layers_do_on_the_test_set(trained_digits: Any) -> None:
    """LeNet-5 rebuilt from its weights: convolution and ReLU, pool, convolution and ReLU."""
    features = trained_digits.task("best").network.features
    with torch.no_grad():
        first = nn.functional.conv2d(trained_digits.inputs("test"), features[0].weight, features[0].bias, padding=2)
        first = first.clamp(min=0)
        pooled = nn.functional.max_pool2d(first, 2)
        second = nn.functional.conv2d(pooled, features[3].weight, features[3].bias, padding=2).clamp(min=0)
    rows = trained_digits.numbers("activation_statistics")
    assert [row["layer"] for row in rows] == ["features.0", "features.3"]
    for row, activations in zip(rows, (first, second), strict=True):
        found = {name: float(row[name]) for name in ("mean", "std", "sparsity", "dead")}
        assert found == pytest.approx(looped(activations), rel=1e-3)
        assert row["measured after"] == "ReLU"


def test_the_table_is_printed(trained_digits: Any) -> None:
    rows = trained_digits.numbers("activation_statistics")
    printed = [line.split() for line in trained_digits.out.splitlines() if line.strip().startswith("features.")]
    assert [line[:5] for line in printed] == [
        [row["layer"], "ReLU", row["channels"], f"{float(row['mean']):.4g}", f"{float(row['std']):.4g}"] for row in rows
    ]


def test_summing_up_waits_for_no_value() -> None:
    """On the meta device there are none."""
    assert sums(torch.randn(2, 3, 4, 4, device="meta")).shape == (3, 4)


def test_the_words_of_the_figure_stand_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 100 of a panel and the 0 of the next; a number of dead channels and the end of its bar."""
    figures: list[Any] = []
    monkeypatch.setattr(activation_statistics, "write_png", lambda figure, path: figures.append(figure))
    draw([Statistics(f"features.{n}", "ReLU", 64, 0.18, 0.24, 0.24, n) for n in (0, 1, 50, 64)], Path("none.png"))
    figures[0].draw_without_rendering()
    _, middle, right = figures[0].axes
    hundred, zero = middle.get_xticklabels()[-1].get_window_extent(), right.get_xticklabels()[0].get_window_extent()
    assert zero.x0 - hundred.x1 > hundred.width / 2
    for bar, text in zip(right.patches, right.texts, strict=True):
        end, box = bar.get_window_extent().x1, text.get_window_extent()
        assert end < box.x0 - 1 or box.x1 + 1 < end
        assert right.bbox.x0 < box.x0 < box.x1 < right.bbox.x1
