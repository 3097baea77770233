"""Rows of images, and a GAN's two losses: what is drawn, and where."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from atelier.figures.gallery import GAP, animate, frame, interleave
from atelier.figures.losses import losses_figure
from atelier.figures.tiles import GAP as BETWEEN

SIDE = 56  # pixels, for which nothing is enlarged


def flat(*levels: float) -> Tensor:
    """Grey images (N, 1, SIDE, SIDE) of one level each."""
    return torch.tensor(levels)[:, None, None, None].expand(-1, 1, SIDE, SIDE)


def test_an_animation_repeats_and_rests_at_its_end(tmp_path: Path) -> None:
    animate([frame(flat(level), 1) for level in (0.0, 0.5, 1.0)], tmp_path / "a.gif", seconds=0.2)
    with Image.open(tmp_path / "a.gif") as image:
        shown = [(one.info["duration"], one.convert("L").getpixel((9, 9))) for one in ImageSequence.Iterator(image)]
        assert (shown, image.info["loop"]) == ([(200, 0), (200, 128), (1500, 255)], 0)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_each_image_stands_above_its_partner(count: int) -> None:
    upper = [40 * (n + 1) / 255 for n in range(count)]
    lower = [level / 2 for level in upper]
    picture = np.asarray(frame(interleave(flat(*upper), flat(*lower), columns=2), 2))
    step = SIDE + GAP + BETWEEN
    assert picture.shape == (2 * -(-count // 2) * step - GAP - BETWEEN, 2 * step - GAP - BETWEEN, 3)
    for index, pair in enumerate(zip(upper, lower, strict=True)):
        row, column = divmod(index, 2)
        for below, level in enumerate(pair):
            y, x = (2 * row + below) * step, column * step
            assert (picture[y : y + SIDE, x : x + SIDE] == round(255 * level)).all()
    if count % 2:
        assert (picture[-step:, -SIDE:] == 255).all(), "an empty place is white"


def test_small_images_are_enlarged_without_smoothing_and_values_beyond_are_cut() -> None:
    picture = np.asarray(frame(torch.tensor([[[[-1.0, 0.0], [1.0, 2.0]]]]), 1))
    assert picture.shape == (SIDE, SIDE, 3)
    assert (picture[: SIDE // 2] == 0).all()
    assert (picture[SIDE // 2 :] == 255).all()


@pytest.mark.parametrize(("unit", "places"), [("epoch", [1, 2]), ("step", [5, 10])])
def test_both_training_losses_are_drawn_over_the_epochs_or_steps(tmp_path: Path, unit: str, places: list[int]) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,train/generator_loss,train/discriminator_loss,val/discriminator_loss\n"
        "4,0,2.0,1.0,9.0\n9,1,3.0,0.5,9.0\n"
    )
    figure = losses_figure(tmp_path, unit)
    assert figure is not None
    (axes,) = figure.axes
    drawn = {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn == {"generator": (places, [2.0, 3.0]), "discriminator": (places, [1.0, 0.5])}
    assert (axes.get_xlabel(), axes.get_ylabel()) == (unit, "training loss")
    assert len({line.get_linestyle() for line in axes.lines}) == 2, "also told apart in grey"


def test_a_run_without_both_losses_has_no_such_figure(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,epoch,train/generator_loss\n4,0,2.0\n")
    assert losses_figure(tmp_path) is None
