"""Which activations are led back: the strongest of each channel over the test set, against a search of all."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from atelier.callbacks import deconvolution
from atelier.callbacks.deconvolution import Deconvolution, Peak, draw
from atelier.errors import InputError

Run = Callable[..., Any]
CHANNELS, COUNT = [0, 5, 40], 2  # as `trained_digits` has them


def test_the_file_lists_the_strongest_activations_of_each_channel(trained_digits: Any) -> None:
    features = trained_digits.task("best").network.features
    with torch.no_grad():
        maps = features[:5](trained_digits.inputs("test"))  # (360, 64, 4, 4), behind the second ReLU
    rows = trained_digits.numbers("deconvolution_features.3")
    expected = []
    for channel in CHANNELS:
        peaks = [(float(one.max()), sample, int(one.argmax())) for sample, one in enumerate(maps[:, channel])]
        for value, sample, place in sorted(peaks, key=lambda peak: -peak[0])[:COUNT]:
            expected.append((channel, sample, place // 4, place % 4, pytest.approx(value, rel=1e-4)))
    found = [(*(int(row[name]) for name in ("channel", "sample", "y", "x")), float(row["activation"])) for row in rows]
    assert found == expected


def test_the_file_names_the_part_of_the_picture_that_is_seen(trained_digits: Any) -> None:
    """Two 5×5 filters with a pool of 2 between them see 14 pixels, which is more than there are."""
    for row in trained_digits.numbers("deconvolution_features.3"):
        y, x = int(row["y"]), int(row["x"])
        assert int(row["top"]) == max(0, 2 * (y - 2) - 2)
        assert int(row["left"]) == max(0, 2 * (x - 2) - 2)
        assert int(row["bottom"]) == min(8, 2 * (y + 2) + 1 + 2 + 1)
        assert int(row["right"]) == min(8, 2 * (x + 2) + 1 + 2 + 1)


@pytest.mark.parametrize("sizes", [(5,), (2, 3), (1, 1, 3)])
def test_the_strongest_do_not_depend_on_the_batches(sizes: tuple[int, ...]) -> None:
    outputs = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    callback = Deconvolution(layer=-1, channels=2, count=4)
    for output, rows in zip(outputs.split(list(sizes)), torch.arange(5).split(list(sizes)), strict=True):
        callback.keep(output, rows)
    assert callback.found is not None
    flat = outputs.flatten(2)
    for channel in range(3):
        order = flat[:, channel].max(1).values.argsort(descending=True)[:4]
        assert callback.found[:, channel, 1].tolist() == order.tolist()
        assert callback.found[:, channel, 2].tolist() == flat[order, channel].argmax(1).tolist()
    strongest = flat.amax((0, 2)).argsort(descending=True)[:2]
    assert callback.chosen(callback.found).tolist() == strongest.tolist()


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["network=mlp"], "callbacks.deconvolution: the network MLP has no convolutions; choose another"),
        (["callbacks.deconvolution.layer=7"], "callbacks.deconvolution.layer=7: the network has 2 convolutions; give"),
        (["callbacks.deconvolution.channels=[64]"], "callbacks.deconvolution.channels=[64]: features.3 has 64"),
        (["network=resnet", "network.width=4"], "callbacks.deconvolution: the layers before features.3.activation"),
        (["callbacks.deconvolution.channels=0"], "callbacks.deconvolution.channels=0: features.3 has 64 channels"),
    ],
)
def test_what_is_not_there_is_told_before_the_training(run_verb: Run, overrides: list[str], told: str) -> None:
    network = [] if overrides[0].startswith("network=") else ["network=lenet5"]
    outcome = run_verb("train", "trainer=cpu", *network, "callbacks=deconvolution", *overrides)
    assert outcome.code == 2
    assert outcome.err.startswith(told)
    assert len(outcome.err.splitlines()) == 1
    assert outcome.manifest["steps"] == 0


def test_inputs_that_are_no_pictures_are_told() -> None:
    callback = Deconvolution(layer=0, channels=1, count=1)
    with pytest.raises(InputError, match="only for pictures of one or three channels"):
        callback.locate(nn.Identity(), torch.rand(1, 2, 4, 4))


def test_a_network_of_16_bits_is_led_back_through(run_verb: Callable[..., Any]) -> None:
    short = ["network=lenet5", "network.hidden=[8]", "trainer=cpu", "debug=fast", "trainer.precision=bf16-true"]
    outcome = run_verb("train", *short, "callbacks=deconvolution", "callbacks.deconvolution.count=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert list((outcome.folder / "figures").glob("deconvolution_*.png"))


def test_the_numbers_of_a_figure_have_as_many_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Any] = []
    monkeypatch.setattr(deconvolution, "write_png", lambda figure, path: figures.append(figure))
    patch = torch.zeros(1, 3, 3)
    peaks = [Peak(0, value, 0, 0, 0, (0, 0, 3, 3), patch, patch) for value in (123.4, 10.9, 2.2, 2.0)]
    draw(peaks, "features.3", Path("none.png"))
    titles = [axes.get_title() for axes in figures[0].axes]
    assert [title for title in titles if title] == ["123", "10.9", "2.20", "2.00"]


def test_a_network_that_diverged_has_no_figure(tmp_path: Path) -> None:
    callback = Deconvolution(layer=0, channels=1, count=1)
    first: Any = SimpleNamespace(name="first")
    callback.site, callback.found = first, torch.full((1, 2, 3), torch.nan)
    trainer: Any = SimpleNamespace(is_global_zero=True, default_root_dir=str(tmp_path))
    callback.on_test_end(trainer, None)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("counts", [[3, 1], [1, 3], [3, 2]])
def test_channels_with_fewer_peaks_have_rows_of_their_own(
    counts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Any] = []
    monkeypatch.setattr(deconvolution, "write_png", lambda figure, path: figures.append(figure))
    patch = torch.zeros(1, 2, 2)
    peaks = [
        Peak(channel, float(rank), 0, 0, 0, (0, 0, 2, 2), patch, patch)
        for channel, count in enumerate(counts)
        for rank in range(count)
    ]
    deconvolution.draw(peaks, "first", tmp_path / "figure.png")
    labels = [axis.get_ylabel() for axis in figures[0].axes if axis.get_ylabel()]
    titles = [axis.get_title() for axis in figures[0].axes if axis.get_title()]
    assert labels == ["channel\n0", "channel\n1"]
    assert len(titles) == sum(counts)
