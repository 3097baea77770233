"""Clocks of many looks: held-out styles stay out of training, equal seeds draw equal pictures, hands show the time."""

import math
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from omegaconf import DictConfig
from PIL import Image, ImageDraw, ImageFont, ImageOps
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor

from atelier.compose.targets import build
from atelier.data import any_clocks
from atelier.data.any_clocks import AnyClocks
from atelier.data.clock_backgrounds import BACKGROUNDS, draw_backgrounds
from atelier.data.clock_drawing import RADIUS, SIDE, draw_clock, draw_dial, reach
from atelier.data.clock_faces import FONT_FOLDER
from atelier.data.clock_hands import SHAPES
from atelier.data.clock_photos import UPRIGHT, draw_scene, photograph, photograph_clocks
from atelier.data.clock_scene import Scene, draw_scenes, hand_angles, project
from atelier.data.clock_styles import HELD_OUT, NUMERALS, TRAINING, Hand, Look, Styles, draw_look

TIMES = torch.tensor([[0, 30], [1, 50], [3, 0], [4, 47], [7, 13], [10, 8]])


def looks(styles: Styles, count: int = 400, marked: bool = True) -> list[Look]:
    random = Random(0)
    return [draw_look(random, styles, marked) for _ in range(count)]


def used(look: Look) -> Styles:
    return Styles(*((name,) for name in (look.font, look.hour.shape, look.ticks, look.rim, look.background)))


def dial(look: Look) -> Tensor:
    """(SIDE, SIDE) tones from 0 to 1 of what lies on the dial, without hands."""
    tones = Image.new("L", (SIDE, SIDE))
    draw_dial(look, tones)
    return pil_to_tensor(tones)[0].float() / 255


# ---------------------------------------------------------------------- styles


def test_no_style_is_both_trained_and_held_out() -> None:
    for trained, held_out in zip(astuple(TRAINING), astuple(HELD_OUT), strict=True):
        assert trained
        assert held_out
        assert not set(trained) & set(held_out)


@pytest.mark.parametrize("styles", [TRAINING, HELD_OUT], ids=["training", "held out"])
def test_clocks_have_all_styles_of_their_list_and_no_other(styles: Styles) -> None:
    drawn = [astuple(used(look)) for look in looks(styles)]
    for i, names in enumerate(astuple(styles)):
        assert {name for one in drawn for name in one[i]} == set(names)
    assert all(look.minute.shape == look.hour.shape for look in looks(styles, 50))


def test_every_style_is_known_to_who_draws_it() -> None:
    for styles in (TRAINING, HELD_OUT):
        assert all((FONT_FOLDER / f"{font}.ttf").is_file() for font in styles.fonts)
        assert set(styles.hands) <= set(SHAPES)
        assert set(styles.backgrounds) <= set(BACKGROUNDS)
    assert {look.numerals for look in looks(TRAINING)} == set(NUMERALS)


@pytest.mark.parametrize("name", [*TRAINING.ticks, *HELD_OUT.ticks])
def test_every_kind_of_ticks_leaves_its_ink(name: str) -> None:
    plain = replace(looks(TRAINING, 1, marked=False)[0], disc=0.0, paper=1.0, ink=0.0, ticks=name, tick_width=0.04)
    ink = (1 - dial(plain))[circle() < 0.98].sum() / RADIUS**2  # in square dial radii
    assert ink == 0 if name == "none" else 0.005 < ink < 0.3


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_backgrounds_differ_but_plain_walls(name: str) -> None:
    drawn = draw_backgrounds([name] * 2, 40, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 40, 40)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    assert not torch.equal(*drawn)
    assert (drawn.flatten(1).std(1) > 0.01).all() == (name != "plain")


# ---------------------------------------------------------------------- which way is up


def circle() -> Tensor:
    places = (torch.arange(SIDE) + 0.5 - SIDE / 2) / RADIUS
    return torch.hypot(places, places[:, None])


def turned(tones: Tensor) -> Tensor:
    return tones.rot90(1, (0, 1))


@pytest.mark.parametrize("styles", [TRAINING, HELD_OUT], ids=["training", "held out"])
def test_a_dial_shows_up_by_what_it_says_and_by_nothing_else(styles: Styles) -> None:
    """An unmarked dial is the same after a quarter turn; a marked one differs, whichever mark it has."""
    inside = circle() < 0.99
    for look in looks(styles, 40, marked=False):
        assert not look.shows_up
        change = (dial(look) - turned(dial(look))).abs()[inside]
        assert change.mean() < 0.01  # PIL rounds the ticks' corners
    for look in looks(styles, 40):
        assert look.shows_up
        bare = replace(look, maker="", date="")
        change = (dial(bare) - turned(dial(bare))).abs()[inside]
        assert change.sum() > 0.004 * RADIUS**2


def test_the_name_and_the_date_stand_at_several_places() -> None:
    drawn = looks(TRAINING)
    below = [look.maker_place > 0 for look in drawn if look.maker]
    assert 0.2 < sum(below) / len(below) < 0.5
    assert len({look.date_turn for look in drawn if look.date}) == 3
    assert any(not look.maker for look in drawn)


def in_a_box(ink: Image.Image) -> Tensor:
    """What an image (L) shows, stretched to 24 × 24, less its mean."""
    box = ink.point([255 * (level > 64) for level in range(256)]).getbbox()
    shown = pil_to_tensor(ink.resize((24, 24), Image.Resampling.BILINEAR, box))[0].float()
    return shown - shown.mean()


@pytest.mark.parametrize("numerals", ["arabic", "radial", "roman", "quarters", "roman_quarters", "twelve"])
def test_every_numeral_stands_at_its_hour(numerals: str) -> None:
    """Cut out where its hour is and set upright, each is most like its own text as PIL writes it."""
    roman = ["I", "II", "III", "IIII", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
    texts = {hour: roman[hour - 1] if "roman" in numerals else str(hour) for hour in range(1, 13)}
    font, references = ImageFont.truetype(str(FONT_FOLDER / "DejaVuSans.ttf"), 20), []
    for text in texts.values():
        written = Image.new("L", (80, 40))
        ImageDraw.Draw(written).text((40, 20), text, 255, font, "mm")
        references.append(in_a_box(written))
    tones, size = Image.new("L", (SIDE, SIDE)), 20
    given = {"numerals": numerals, "numeral_height": 0.1, "numeral_radius": 0.7, "font": "DejaVuSans", "ink": 0.0}
    draw_dial(replace(white("baton", 1.0, 1.0), **given), tones)
    for hour in texts:
        x = SIDE / 2 + 0.7 * RADIUS * math.sin(math.pi * hour / 6)
        y = SIDE / 2 - 0.7 * RADIUS * math.cos(math.pi * hour / 6)
        ink = ImageOps.invert(tones).crop((round(x) - size, round(y) - size, round(x) + size, round(y) + size))
        upright = ink.rotate(30 * hour, Image.Resampling.BILINEAR) if numerals in ("radial", "roman") else ink
        if hour % {"twelve": 12, "quarters": 3, "roman_quarters": 3}.get(numerals, 1):
            assert ink.getbbox() is None
            continue
        alike = torch.stack([(in_a_box(upright) * one).sum() / one.norm() for one in references])
        assert alike.argmax() == hour - 1, texts[hour]


# ---------------------------------------------------------------------- hands


def white(shape: str, hour: float, minute: float) -> Look:
    """A white clock with nothing on it but hands of these tones."""
    hands = {"hour": Hand(shape, 0.5, 0.1, 0.0, 0.5, hour), "minute": Hand(shape, 0.85, 0.08, 0.0, 0.5, minute)}
    plain = {"paper": 1.0, "disc": 0.0, "ticks": "none", "hub": 0.0, "shadow": 0.0, "second": None, "rim_tone": 1.0}
    return replace(looks(TRAINING, 1, marked=False)[0], **plain, **hands)


def hand_alone(shape: str, minutes: int, which: str) -> Tensor:
    """(SIDE, SIDE) share of each pixel that a hand covers."""
    tones, _ = draw_clock(white(shape, float(which != "hour"), float(which != "minute")), minutes)
    return 1 - pil_to_tensor(tones)[0].float() / 255


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "needle"])
def test_every_shape_of_hand_points_at_the_time(shape: str) -> None:
    places = (torch.arange(SIDE) + 0.5 - SIDE / 2) / RADIUS
    for hour, minute in TIMES[:4].tolist():
        time = hour * 60 + minute
        for which, turn, length in (("hour", time / 720, 0.5), ("minute", time / 60, 0.85)):
            ink = hand_alone(shape, time, which)
            x, y = (ink * places).sum() / ink.sum(), (ink * places[:, None]).sum() / ink.sum()
            away = math.atan2(x, -y) - 2 * math.pi * turn
            assert abs((away + math.pi) % (2 * math.pi) - math.pi) < math.radians(3)
            farthest = circle()[ink > 0.5].max()
            assert length - 0.06 < farthest < length + 0.03


# ---------------------------------------------------------------------- pictures


def test_equal_seeds_give_equal_pictures_and_others_others() -> None:
    one, same, other = (photograph_clocks(TIMES, TRAINING, 32, seed) for seed in (3, 3, 4))
    assert one.shape == (len(TIMES), 1, 32, 32)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len(one.flatten(1).unique(dim=0)) == len(TIMES)


def test_a_photograph_shows_the_hands_where_the_camera_sees_them() -> None:
    look, off = white("baton", 0.0, 0.0), dict.fromkeys(("gradient", "shadow", "highlight", "blur", "noise"), 0.0)
    scene = draw_scenes(TIMES, torch.Generator().manual_seed(0), rim_width=reach(look) - 1, tilt=0.6, **off)
    pictures = photograph([look] * len(TIMES), scene, 150, torch.Generator())[:, 0] / 255
    for number, angles in enumerate(hand_angles(TIMES)):
        for angle, length in zip(angles, (0.5, 0.85), strict=True):
            places = torch.tensor([[0.6], [1.1]]) * length * torch.stack((angle.sin(), -angle.cos()))
            column, row = ((project(scene[number : number + 1], places)[0] + 1) * 75).long().unbind(1)
            on, beyond = pictures[number, row, column]
            assert on < 0.4 < 0.9 < beyond


def test_only_a_dial_that_shows_which_way_is_up_is_turned() -> None:
    for marked, share in ((False, 1), (True, 0.53)):
        drawn = looks(TRAINING, 400, marked)
        scene = draw_scene(TIMES[:1].expand(400, -1), drawn, torch.Generator().manual_seed(0))
        assert (scene.rotation.abs() <= UPRIGHT).float().mean().item() == pytest.approx(share, abs=0.1 * marked)


def test_as_many_dials_as_asked_are_unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Look] = []

    def taken(some: list[Look], scene: Scene, size: int, generator: torch.Generator) -> Tensor:
        drawn.extend(some)
        return torch.zeros(len(some), 1, size, size, dtype=torch.uint8)

    monkeypatch.setattr("atelier.data.clock_photos.photograph", taken)
    photograph_clocks(TIMES.repeat(100, 1), TRAINING, 32, 0, unmarked=0.2)
    assert sum(not look.shows_up for look in drawn) / 600 == pytest.approx(0.2, abs=0.05)


def test_a_clock_s_picture_does_not_depend_on_the_batches_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier.data.clock_photos.BATCH", 3)
    assert torch.equal(photograph_clocks(TIMES[:3], TRAINING, 32, 0), photograph_clocks(TIMES, TRAINING, 32, 0)[:3])


# ---------------------------------------------------------------------- data sets


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Styles, float, int]]:
    """Replaces the photographs by gray; lists what was asked for."""
    calls: list[tuple[int, Styles, float, int]] = []

    def photographs(times: Tensor, styles: Styles, size: int, seed: int, unmarked: float, progress: Any) -> Tensor:
        calls.append((len(times), styles, unmarked, seed))
        return torch.full((len(times), 1, size, size), 148, dtype=torch.uint8)

    monkeypatch.setattr(any_clocks, "photograph_clocks", photographs)
    return calls


@pytest.mark.parametrize(
    ("option", "train", "unmarked", "seeds"),
    [
        ("clocks_any", TRAINING, (0.12, 0.0), (0, 1)),
        ("clocks_other", HELD_OUT, (0.0, 0.0), (0, 1)),
        ("clocks_any data.test_unmarked=1 data.render_seed=3", TRAINING, (0.12, 1.0), (6, 7)),  # none of seed 4's
    ],
)
def test_every_test_set_is_held_out(
    compose: Callable[..., DictConfig],
    drawn: list[tuple[int, Styles, float, int]],
    tmp_path: Path,
    option: str,
    train: Styles,
    unmarked: tuple[float, float],
    seeds: tuple[int, int],
) -> None:
    config = compose("experiment=clock_any", *f"data={option}".split(), f"paths.data={tmp_path}", "data.image_size=32")
    data: AnyClocks = build(config.data)
    tensors, _ = data.make()
    counts = [
        (config.data.num_images, train, unmarked[0], seeds[0]),
        (config.data.test_images, HELD_OUT, unmarked[1], seeds[1]),
    ]
    assert drawn == counts
    for part in ("train", "test"):
        times = tensors[f"{part}_labels"]
        assert set((times[:, 0] * 60 + times[:, 1]).tolist()) == set(range(720))


def test_every_data_set_has_its_own_file(compose: Callable[..., DictConfig], tmp_path: Path) -> None:
    names = [
        build(compose("experiment=clock_any", *f"data={option}".split(), f"paths.data={tmp_path}").data).cache_name
        for option in ("clocks", "clocks_any", "clocks_any data.test_unmarked=1", "clocks_other")
    ]
    assert len(set(names)) == 4
