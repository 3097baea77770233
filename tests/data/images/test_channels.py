"""`data.mean` and `data.std` may be a number for all channels, or one for each."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from atelier.compose.build import build_data
from atelier.errors import InputError
from atelier.metrics.features import Classifier

Compose = Callable[..., Any]
EACH = ["data.mean=[0.5,0.4,0.3]", "data.std=[0.2,0.25,0.5]"]


@pytest.fixture
def data(compose: Compose, tmp_path: Any) -> Callable[..., Any]:
    def made(*overrides: str) -> Any:
        return build_data(compose("data=random_images", "data.shape=[3,4,4]", f"paths.data={tmp_path}", *overrides))

    return made


def test_each_channel_has_its_own(data: Any) -> None:
    images = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8)
    mean, std = torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1), torch.tensor([0.2, 0.25, 0.5]).view(3, 1, 1)
    made = data(*EACH)
    normalised = made.normalise(images)
    torch.testing.assert_close(normalised, (images / 255 - mean) / std)
    torch.testing.assert_close(made.normalise(images[0]), normalised[0])
    torch.testing.assert_close(made.picture(normalised), images / 255)
    torch.testing.assert_close(made.picture(2 * normalised), (2 * (images / 255) - mean).clamp(0, 1))


def test_equal_numbers_for_each_channel_are_one_for_all(data: Any) -> None:
    images = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8)
    one, each = data("data.mean=0.4", "data.std=0.3"), data("data.mean=[0.4,0.4,0.4]", "data.std=0.3")
    torch.testing.assert_close(one.normalise(images), each.normalise(images))
    torch.testing.assert_close(one.picture(one.normalise(images)), each.picture(each.normalise(images)))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.mean=[0.5,0.5]"], "data.mean=[0.5, 0.5]: give one number, or 3 for the channels of data.shape=[3, 4, "),
        (["data.std=[0.5]"], "data.std=[0.5]: give one number, or 3 for the channels"),
        (["data.shape=[1,4,4]", "data.std=[1,1,1]"], "data.std=[1, 1, 1]: give one number, or 1 for the channels"),
    ],
    ids=str,
)
def test_another_number_of_them_is_refused(data: Any, overrides: list[str], words: str) -> None:
    with pytest.raises(InputError) as told:
        data(*overrides)
    assert str(told.value).startswith(words)


@pytest.mark.parametrize("wrong", [None, 0, 2])
def test_each_channel_is_compared_with_the_data(data: Any, wrong: int | None) -> None:
    made = data("data.mean=[0.25,0.5,0.75]", "data.std=[0.1,0.1,0.1]", "data.num_classes=2")
    images = torch.empty(500, 3, 4, 4)
    for channel, mean in enumerate((0.25, 0.5, 0.75)):
        images[:, channel] = mean + (0.2 if channel == wrong else 0) + 0.1 * torch.randn(500, 4, 4)
    pixels = (images.clamp(0, 1) * 255).byte()
    labels = torch.arange(500) % 2
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        made.check_facts(pixels, labels)
    assert len(told) == (wrong is not None)
    if told:
        assert str(told[0].message).startswith(
            "data.mean=[0.25, 0.5, 0.75] data.std=[0.1, 0.1, 0.1], but the training images have data.mean="
        )


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (["data.mean=[0.25,0.5,0.75]", "data.std=0.1"], None),
        (["data.mean=0.5", "data.std=[0.1,0.1,0.1]"], None),
        (["data.mean=[0.25,0.5,0.25]", "data.std=0.1"], "data.mean=[0.249,0.500,0.751] data.std=0.100"),
        (["data.mean=[0.25,0.5,0.75]", "data.std=0.2"], "data.mean=[0.249,0.500,0.751] data.std=0.100"),
        (["data.mean=0.25", "data.std=[0.1,0.1,0.1]"], "data.mean=0.500 data.std=[0.100,0.100,0.100]"),
        (["data.mean=[0,0,0]", "data.std=[1,1,1]"], None),  # as with 0 and 1, nothing is stated
        (["data.mean=[0,0,0]", "data.std=1"], None),
    ],
    ids=str,
)
def test_numbers_of_channels_stand_beside_one_for_all(data: Any, stated: list[str], told: str | None) -> None:
    """One deviation beside the channels' means is the deviation from these."""
    images = torch.tensor([[0.15, 0.4, 0.65], [0.35, 0.6, 0.85]])[..., None, None].expand(2, 3, 4, 4)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        data(*stated, "data.num_classes=2").check_facts((images * 255).round().byte(), torch.arange(2))
    assert [str(one.message).rpartition(" have ")[2] for one in found] == [told] * (told is not None)


def test_one_deviation_of_unequal_channels_is_that_of_all_values(data: Any) -> None:
    images = torch.full((2, 3, 4, 4), 128, dtype=torch.uint8)
    images[:, 0] = torch.tensor([51, 204], dtype=torch.uint8).view(2, 1, 1)  # 0.5 ± 0.3, beside 0.5 ± 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data("data.mean=[0.5,0.5,0.5]", "data.std=0.173", "data.num_classes=2").check_facts(images, torch.arange(2))


def test_images_of_every_class_are_measured_where_classes_take_turns(data: Any) -> None:
    """Every second one of these would be black."""
    dark_and_bright = (torch.arange(4000) % 2 * 255).byte().view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data("data.mean=0.5", "data.std=0.5", "data.num_classes=2").check_facts(dark_and_bright, torch.arange(4000) % 2)


def test_a_list_with_a_wrong_number_is_refused_on_the_command_line(run_verb: Any) -> None:
    outcome = run_verb("train", "trainer=cpu", "data.std=[0]")
    assert outcome.code == 2
    assert outcome.err.startswith("data.std=[0]: Digits takes a number above 0 or a list, each item a number above 0")


def test_a_classifier_that_scores_normalises_each_channel() -> None:
    seen: list[torch.Tensor] = []
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    pictures = torch.rand(2, 3, 2, 2)
    Classifier(network, [0.1, 0.2, 0.3], [1.0, 2.0, 4.0], {})(pictures)
    expected = (pictures - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    torch.testing.assert_close(seen[0], expected)
