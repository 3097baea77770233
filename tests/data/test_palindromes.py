"""The generator of palindromes: what it draws, how often, for whom, and what its splits share."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from atelier.compose.targets import build
from atelier.data.palindromes import Palindromes, mixed
from atelier.errors import InputError

Make = Callable[..., Palindromes]


@pytest.fixture
def make(compose: Callable[..., Any]) -> Make:
    """`make("data.length=7")`: the data set of conf/, set up."""

    def made(*overrides: str) -> Palindromes:
        data = build(compose("data=palindromes", *overrides).data)
        data.setup()
        return data

    return made


def digits(data: Palindromes, split: str = "train", epoch: int = 0) -> Tensor:
    """All palindromes (N, length) of an epoch, in order."""
    loader = data.loader(split, train=split == "train")
    loader.batches.set_epoch(epoch)
    return torch.cat([torch.cat([inputs, labels[:, None]], 1) for inputs, labels in loader])


def as_numbers(palindromes: Tensor) -> list[int]:
    places = 10 ** torch.arange(palindromes.shape[1] - 1, -1, -1)
    return (palindromes * places).sum(1).tolist()


@pytest.mark.parametrize("length", [2, 3, 4, 9, 10, 57])
@pytest.mark.parametrize("held_out", ["true", "false"])
def test_every_sample_is_a_palindrome_of_its_length(make: Make, length: int, held_out: str) -> None:
    data = make(f"data.length={length}", f"data.held_out={held_out}", "data.epoch_size=500", "data.eval_size=50")
    for split in ("train", "val", "test"):
        drawn = digits(data, split)
        assert drawn.dtype == torch.int64
        assert drawn.shape == (500 if split == "train" else min(50, data.count(split)), length)
        assert all(row == row[::-1] for row in drawn.tolist())
        assert drawn.min() >= 0
        assert drawn.max() <= 9


def test_the_network_is_not_shown_the_last_digit(make: Make) -> None:
    inputs, labels = next(iter(make("data.length=6").train_dataloader()))
    assert inputs.shape == (128, 5)
    assert torch.equal(labels, inputs[:, 0])


@pytest.mark.parametrize("held_out", ["true", "false"])
def test_all_palindromes_of_a_split_are_equally_likely(make: Make, held_out: str) -> None:
    """Pearson's statistic of n cells has the mean n, about, and the standard deviation √(2n)."""
    data = make("data.length=5", f"data.held_out={held_out}", "data.epoch_size=100000")
    counts = torch.tensor(as_numbers(digits(data))).bincount()
    counts = counts[counts > 0].double()
    cells = 800 if held_out == "true" else 1000
    assert len(counts) == cells
    expected = 100_000 / cells
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert abs(statistic - cells) < 4 * (2 * cells) ** 0.5


def test_neighbours_in_the_stream_share_no_more_digits_than_by_chance(make: Make) -> None:
    drawn = digits(make("data.length=12", "data.held_out=false", "data.epoch_size=3000"))
    for shift in range(6):
        same = (drawn[:-1, shift:6] == drawn[1:, : 6 - shift]).double()
        assert same.mean().item() == pytest.approx(0.1, abs=0.02)


def test_a_fixed_set_has_every_first_digit(make: Make) -> None:
    first = digits(make("data.length=12", "data.eval_size=300"), "val")[:, 0]
    assert first.bincount(minlength=10).min() > 15


def test_streams_of_neighbouring_seeds_are_all_different(make: Make) -> None:
    sizes = ["data.length=20", "data.held_out=false", "data.epoch_size=100", "data.eval_size=100"]
    drawn: list[int] = []
    for seed in range(3):
        data = make(*sizes, f"seed={seed}", f"data.set_seed={seed}")
        drawn += [number for split in ("train", "val", "test") for number in as_numbers(digits(data, split))]
    assert len(set(drawn)) == len(drawn) == 900


def test_equal_seeds_draw_equal_palindromes_and_others_others(make: Make) -> None:
    first, again, other = (make("data.length=12", f"seed={seed}", "data.epoch_size=300") for seed in (1, 1, 2))
    assert torch.equal(digits(first), digits(again))
    assert not set(as_numbers(digits(first))) & set(as_numbers(digits(other)))


def test_every_epoch_draws_new_palindromes(make: Make) -> None:
    data = make("data.length=16", "data.epoch_size=300")
    drawn = [number for epoch in range(3) for number in as_numbers(digits(data, epoch=epoch))]
    assert len(set(drawn)) == 900


def test_without_a_shuffle_every_epoch_has_the_same_palindromes(make: Make) -> None:
    """As debug=overfit and Lightning's overfit_batches need it."""
    data = make("data.length=16", "data.epoch_size=300", "data.shuffle=false")
    first, second = (as_numbers(digits(data, epoch=epoch)) for epoch in range(2))
    assert first == second
    assert len(set(first)) == 300


def test_processes_share_out_the_stream(make: Make) -> None:
    data = make("data.length=16", "data.epoch_size=300", "data.batch_size=32")
    alone, parts = as_numbers(digits(data)), []
    for rank in range(2):
        data.trainer = SimpleNamespace(world_size=2, global_rank=rank)  # type: ignore[assignment]
        parts.append(as_numbers(digits(data)))
    assert not set(parts[0]) & set(parts[1])
    assert sorted(parts[0] + parts[1]) == sorted(alone)


def test_the_batch_size_does_not_change_the_stream(make: Make) -> None:
    small, large = (make("data.length=8", "data.epoch_size=100", f"data.batch_size={size}") for size in (7, 64))
    assert torch.equal(digits(small), digits(large))


def test_an_interrupted_epoch_goes_on_where_it_stopped(make: Make) -> None:
    data = make("data.length=8", "data.epoch_size=100", "data.batch_size=10")
    whole, resumed = list(data.train_dataloader()), data.train_dataloader()
    resumed.load_state_dict({"given": 7})
    for (inputs, labels), (inputs_again, labels_again) in zip(whole[7:], resumed, strict=True):
        assert torch.equal(inputs, inputs_again)
        assert torch.equal(labels, labels_again)


def test_a_fixed_set_has_so_many_different_palindromes_whatever_the_seed(make: Make) -> None:
    first, other = (make("data.length=5", "data.size=799", f"seed={seed}") for seed in (0, 1))
    numbers = [as_numbers(digits(data)) for data in (first, other)]
    assert len(set(numbers[0])) == 799
    assert set(numbers[0]) == set(numbers[1])
    assert numbers[0] != numbers[1], "but the order is the run's"
    assert len(set(as_numbers(digits(first, epoch=1))) ^ set(numbers[0])) == 0


def test_a_set_that_cannot_be_so_large_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match=r"data\.size=801: there are 800 palindromes of 5 digits to train on"):
        make("data.length=5", "data.size=801")


# ---------------------------------------------------------------------- what the splits share


def overlap(data: Palindromes) -> float:
    """Share of the test set that one epoch of training has drawn."""
    test = as_numbers(digits(data, "test"))
    return len(set(test) & set(as_numbers(digits(data)))) / len(test)


@pytest.mark.parametrize("length", [3, 4, 5, 6, 7])
def test_training_never_draws_what_validates_or_tests(make: Make, length: int) -> None:
    data = make(f"data.length={length}", "data.epoch_size=20000")
    train, val, test = (set(as_numbers(digits(data, split))) for split in ("train", "val", "test"))
    assert not train & val | train & test | val & test
    assert len(test) == min(2000, 10 ** (-(-length // 2) - 1)), "a tenth of all, or as many as wanted"


def test_a_batch_of_the_stream_may_have_a_length_of_its_own(make: Make) -> None:
    data = make("data.length=101", "data.shortest=4", "data.batch_size=20", "data.epoch_size=2000", "data.eval_size=50")
    loader = data.loader("train", train=True)
    batches = [torch.cat([inputs, labels[:, None]], 1) for inputs, labels in loader]
    assert all(torch.equal(batch, batch.flip(1)) for batch in batches)
    lengths = torch.tensor([batch.shape[1] for batch in batches])
    assert lengths.min() >= 4
    assert lengths.max() <= 101
    assert 0.3 < (lengths < 20).float().mean() < 0.7, "20 is halfway between 4 and 101 on a logarithmic scale"
    assert all(len(set(map(tuple, batch.tolist()))) > 10 for batch in batches)
    assert lengths.tolist() == [1 + inputs.shape[1] for inputs, _ in loader], "the same again"
    assert digits(data, "test").shape == (50, 101)


def test_the_longest_training_palindromes_are_those_of_the_stream_without_shorter_ones(make: Make) -> None:
    few = ("data.length=5", "data.batch_size=4", "data.epoch_size=400", "data.eval_size=50")
    some, all_of_them = make(*few, "data.shortest=4"), make(*few)
    pairs = zip(some.loader("train", train=True), all_of_them.loader("train", train=True), strict=True)
    same = [torch.equal(one[0], other[0]) for one, other in pairs]
    assert 20 < sum(same) < 80


def test_of_two_digits_every_split_has_all(make: Make) -> None:
    """There are ten, and a network that never saw one cannot know it."""
    data = make("data.length=2")
    assert sorted(as_numbers(digits(data, "test"))) == list(range(0, 100, 11))
    assert overlap(data) == 1


@pytest.mark.parametrize(("length", "palindromes"), [(5, 1e3), (10, 1e5), (18, 1e9)])
def test_without_held_out_palindromes_the_overlap_is_that_of_chance(
    make: Make, length: int, palindromes: float
) -> None:
    """After n draws of M a palindrome was drawn with probability 1 - (1 - 1/M)^n."""
    data = make(f"data.length={length}", "data.held_out=false", "data.epoch_size=100000")
    expected = 1 - (1 - 1 / palindromes) ** 100_000
    assert overlap(data) == pytest.approx(expected, abs=0.04)


# ---------------------------------------------------------------------- the rest


def test_the_random_numbers_are_those_of_splitmix64() -> None:
    """The first outputs for the seed 1234567, as published with the xoshiro generators."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    golden = 0x9E3779B97F4A7C15
    # The generator adds its constant and mixes; here the place in the sequence is multiplied with it.
    inverse = pow(golden, -1, 1 << 64)
    places = [(1234567 + step * golden) * inverse % (1 << 64) for step in range(1, 6)]
    words = torch.tensor([place - (place >> 63 << 64) for place in places])
    assert [word % (1 << 64) for word in mixed(words).tolist()] == published


@pytest.mark.parametrize("text", ["123454321", "12345432"])
def test_a_users_palindrome_is_read_with_or_without_its_last_digit(make: Make, text: str) -> None:
    assert make("data.length=9").read_text(text).tolist() == [1, 2, 3, 4, 5, 4, 3, 2]


@pytest.mark.parametrize("text", ["", "1234567", "1234567890", "1234x678", "-1234567", "１２３４５６７８"])
def test_a_text_that_is_none_is_refused(make: Make, text: str) -> None:
    with pytest.raises(InputError, match="is not 8 digits"):
        make("data.length=9").read_text(text)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("data.shape=[10]", "they are [9], 10 and 10"),
        ("data.shortest=11", "data.shortest=11: give 2 to 10, and data.size=null; or null"),
        ("data.num_symbols=2", "they are [9], 10 and 10"),
    ],
)
def test_a_wrong_option_is_told(make: Make, override: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        make(override)
    assert told in str(error.value)


class Counting(TorchDispatchMode):
    """How many of PyTorch's operations are done."""

    count = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return operation(*args, **(kwargs or {}))


def test_a_batch_takes_as_many_operations_whatever_its_size(make: Make) -> None:
    data = make("data.length=20")
    counts = []
    for size in (1, 128, 5000):
        with Counting() as counting:
            data.draw("train", torch.arange(size), seed=0)
        counts.append(counting.count)
    assert 0 < counts[0] == counts[1] == counts[2]
