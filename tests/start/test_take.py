"""Tensors of equal name and shape are taken into a network; the others are named."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from atelier.errors import InputError
from atelier.start.take import some, take

FILE = Path("weights.pth")


def network(classes: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, classes))


def filled(like: nn.Module, value: float = 7) -> dict[str, Tensor]:
    return {name: torch.full_like(tensor, value) for name, tensor in like.state_dict().items()}


def test_all_tensors_of_an_equal_network_are_taken_its_statistics_too() -> None:
    made = network()
    taken = take(made, filled(made), FILE)
    assert all(bool((tensor == 7).all()) for tensor in made.state_dict().values())
    assert taken.taken == list(made.state_dict())
    assert taken.lines(FILE) == ["start.weights: 9 of the network's 9 tensors are taken from weights.pth"]


def test_what_is_not_taken_is_named_and_stays_as_it_was() -> None:
    made, weights = network(classes=2), filled(network(classes=3))
    before = made[2].weight.clone(), made[0].bias.clone()
    del weights["0.bias"]
    weights["head.weight"] = torch.ones(1)
    taken = take(made, weights, FILE)
    assert torch.equal(made[2].weight, before[0])
    assert torch.equal(made[0].bias, before[1])
    assert bool((made[0].weight == 7).all())
    assert taken.lines(FILE) == [
        "start.weights: 6 of the network's 9 tensors are taken from weights.pth",
        "  of another shape: 2.weight [3, 5] → [2, 5], 2.bias [3] → [2]",
        "  not in the file: 0.bias",
        "  left over: head.weight",
    ]
    record = taken.record()
    assert (record["taken"], record["missing"], record["left_over"]) == (6, ["0.bias"], 1)
    assert record["other_shape"]["2.bias"] == {"file": [3], "network": [2]}


def test_of_many_names_a_few_are_told() -> None:
    made = network()
    weights = {"0.weight": torch.ones(5, 4), **{f"more.{number}": torch.ones(1) for number in range(20)}}
    lines = take(made, weights, FILE).lines(FILE)
    assert lines[1] == "  not in the file: 0.bias, 1.weight, 1.bias and 5 more"
    assert lines[2] == "  left over: more.0, more.1, more.2 and 17 more"
    assert some(["a", "b", "c"]) == "a, b, c"


@pytest.mark.parametrize("prefix", ["", "network.", "model.", "module."])
def test_the_names_may_begin_as_training_programs_write_them(prefix: str) -> None:
    made = network()
    weights = {f"{prefix}{name}": tensor for name, tensor in filled(made).items()} | {"val_loss.total": torch.ones(1)}
    assert take(made, weights, FILE).missing == []
    assert bool((made[0].weight == 7).all())


def test_a_network_with_a_part_called_network_takes_its_own_weights() -> None:
    made = nn.ModuleDict({"network": network(), "peer": network()})
    assert take(made, filled(made), FILE).missing == []


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_is_taken_in_the_networks_own(kind: torch.dtype) -> None:
    made = network()
    take(made, {name: tensor.to(kind) for name, tensor in filled(made, 0.5).items()}, FILE)
    assert made[0].weight.dtype == torch.float32
    assert bool((made[0].weight == 0.5).all())


@pytest.mark.parametrize("kind", [torch.int64, torch.complex64, torch.bool])
def test_other_kinds_of_numbers_are_not_taken(kind: torch.dtype) -> None:
    made, weights = network(), filled(network())
    weights["0.weight"] = weights["0.weight"].to(kind)
    assert list(take(made, weights, FILE).other) == ["0.weight"]


def test_a_file_of_which_nothing_fits_is_refused_with_a_name_of_each_side() -> None:
    told = r"(?s)weights\.pth: none of its 1 tensors.*conv\.weight \[8, 3\].* 0\.weight \[5, 4\]"
    with pytest.raises(InputError, match=told):
        take(network(), {"conv.weight": torch.ones(8, 3)}, FILE)


def test_a_counter_alone_does_not_fit() -> None:
    """That of batch norm has no dimension, and would be taken from any network."""
    counted = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))
    other = nn.Sequential(nn.Linear(7, 6), nn.BatchNorm1d(6))
    with pytest.raises(InputError, match="none of its 7 tensors fits"):
        take(counted, other.state_dict(), FILE)


# ---------------------------------------------------------------------- torchvision's earlier names


def vision_transformer() -> nn.Module:
    return models.VisionTransformer(32, 16, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32)


def densenet() -> nn.Module:
    return models.DenseNet(4, (2, 1), 8, num_classes=10)


COUNTS = "num_batches_tracked"  # which files of that time lack
EARLIER = [
    (vision_transformer, r"mlp\.(0|3)\.", lambda found: f"mlp.linear_{1 + int(found[1]) // 3}."),
    (densenet, r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2"),
]


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize(("make", "now", "then"), EARLIER)
def test_files_with_torchvisions_earlier_names_are_taken_as_torchvision_takes_them(make, now, then, prefix) -> None:
    tensors = {name: one for name, one in make().state_dict().items() if not name.endswith(COUNTS)}
    published = {re.sub(now, then, name): tensor for name, tensor in tensors.items()}
    made, reference = make(), make()
    if make is densenet:
        weights = SimpleNamespace(get_state_dict=lambda **_: dict(published))
        models.densenet._load_state_dict(reference, weights, progress=False)
    else:
        reference.load_state_dict(published)
    taken = take(made, {prefix + name: tensor for name, tensor in published.items()}, FILE)
    assert ([name for name in taken.missing if not name.endswith(COUNTS)], taken.left_over) == ([], [])
    own = made.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in reference.state_dict().items())


def test_a_network_whose_own_names_look_like_earlier_ones_takes_its_own() -> None:
    made = nn.ModuleDict({"mlp": nn.ModuleDict({"linear_1": nn.Linear(2, 2), "linear_2": nn.Linear(2, 2)})})
    assert take(made, filled(made), FILE).missing == []
