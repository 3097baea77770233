"""Every sample arrives as often as it should, in an order that can be repeated and resumed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atelier.data.loader import BatchSampler, ResumableLoader, TensorSet

COUNT = st.integers(1, 60)
SIZE = st.integers(1, 20)
WORLD = st.integers(1, 5)


def loader(sampler: BatchSampler, epoch: int = 0) -> ResumableLoader:
    """Over samples whose image and label are their own number."""
    numbers = torch.arange(sampler.count)
    sampler.set_epoch(epoch)
    return ResumableLoader(TensorSet(numbers.view(-1, 1, 1, 1), numbers, numbers), sampler)


def training(count: int = 10, size: int = 3, **options: int) -> BatchSampler:
    return BatchSampler(count, size, train=True, shuffle=True, **options)


def order(sampler: BatchSampler, epoch: int = 0) -> list[int]:
    sampler.set_epoch(epoch)
    return [number for batch in sampler for number in batch.tolist()]


def batches(source: ResumableLoader) -> list[list[int]]:
    return [labels.tolist() for _, labels in source]


@given(COUNT, SIZE, st.integers(0, 5), st.booleans())
def test_an_epoch_on_one_process_has_every_sample_once(count: int, size: int, epoch: int, train: bool) -> None:
    sampler = BatchSampler(count, size, train=train, shuffle=train)
    assert sorted(order(sampler, epoch)) == list(range(count))


@given(COUNT, SIZE, WORLD, st.booleans())
def test_the_length_is_the_number_of_batches_each_full_but_the_last(
    count: int, size: int, world: int, train: bool
) -> None:
    for rank in range(world):
        sampler = BatchSampler(count, size, train=train, shuffle=train, rank=rank, world=world)
        sizes = [len(batch) for batch in sampler]
        assert len(sampler) == len(sizes)
        assert all(each == size for each in sizes[:-1])
        assert all(0 < each <= size for each in sizes) or (train and sizes[-1] == size + 1)


@given(COUNT, SIZE, WORLD)
def test_no_training_batch_has_one_sample_unless_all_have(count: int, size: int, world: int) -> None:
    share = -(-count // world)
    for rank in range(world):
        sizes = [len(batch) for batch in training(count, size, rank=rank, world=world)]
        assert min(sizes) > 1 or size == 1 or share == 1


@given(COUNT, SIZE, WORLD)
def test_evaluation_counts_each_sample_once_over_all_processes(count: int, size: int, world: int) -> None:
    parts = [order(BatchSampler(count, size, train=False, rank=rank, world=world)) for rank in range(world)]
    assert sorted(number for part in parts for number in part) == list(range(count))


@given(COUNT, SIZE, WORLD, st.integers(0, 3))
def test_training_gives_all_processes_equally_much_and_leaves_nothing_out(
    count: int, size: int, world: int, epoch: int
) -> None:
    samplers = [training(count, size, rank=rank, world=world) for rank in range(world)]
    parts = [order(sampler, epoch) for sampler in samplers]
    assert {len(part) for part in parts} == {-(-count // world)}
    assert len({len(sampler) for sampler in samplers}) == 1
    assert {number for part in parts for number in part} == set(range(count))


def test_the_order_depends_on_the_seed_and_the_epoch_alone() -> None:
    first = order(training(100, seed=1), epoch=2)
    torch.manual_seed(123)
    again = training(100, seed=1)
    order(again, epoch=0)
    assert order(again, epoch=2) == first
    assert order(training(100, seed=1), epoch=3) != first
    assert order(training(100, seed=2), epoch=2) != first


@pytest.mark.parametrize("seed", [20_261_128_120_000, 1_764_331_234_567_890_123, 2**64 - 1])
def test_a_seed_may_be_a_date_a_time_in_nanoseconds_or_of_64_bits(seed: int) -> None:
    orders = [order(training(100, seed=seed + more), epoch) for more in (0, -1) for epoch in (0, 1)]
    assert [sorted(one) for one in orders] == [list(range(100))] * 4
    assert len(set(map(tuple, orders))) == 4


def test_without_shuffling_every_epoch_is_in_the_given_order() -> None:
    sampler = BatchSampler(10, 3, train=True, shuffle=False)
    assert order(sampler, 0) == order(sampler, 7) == list(range(10))


def test_a_set_gives_the_rows_it_was_given() -> None:
    images, labels = torch.arange(20).view(10, 2, 1, 1), torch.arange(10) * 10
    chosen = TensorSet(images, labels, torch.tensor([7, 2, 5]))
    assert len(chosen) == 3
    found_images, found_labels = chosen[torch.tensor([2, 0])]
    assert found_images.flatten().tolist() == [10, 11, 14, 15]
    assert found_labels.tolist() == [50, 70]


def test_a_loader_gives_images_with_their_labels() -> None:
    for images, labels in loader(training()):
        assert images.flatten().tolist() == labels.tolist()


@given(COUNT, SIZE, st.data())
def test_a_resumed_loader_gives_exactly_the_remaining_batches(count: int, size: int, data: st.DataObject) -> None:
    whole = batches(loader(training(count, size), epoch=3))
    done = data.draw(st.integers(0, len(whole)))
    stopped = loader(training(count, size), epoch=3)
    for _, _ in zip(range(done), stopped, strict=False):
        pass
    resumed = loader(training(count, size), epoch=3)
    resumed.load_state_dict(stopped.state_dict())
    assert batches(resumed) == (whole[done:] or whole)  # after the last batch the next epoch begins


def test_an_epoch_that_ended_early_is_not_gone_on_with_in_the_next() -> None:
    """As with trainer.limit_train_batches: the run is saved when the next epoch is about to begin."""
    stopped = loader(training(), epoch=3)
    next(iter(stopped))
    stopped.batches.set_epoch(4)
    resumed = loader(training(), epoch=4)
    resumed.load_state_dict(stopped.state_dict())
    assert batches(resumed) == batches(loader(training(), epoch=4))


def test_a_loader_can_be_resumed_twice_in_one_epoch() -> None:
    whole = batches(loader(training()))
    state = {"given": 0}
    found = []
    for _ in range(2):
        resumed = loader(training())
        resumed.load_state_dict(state)
        found.append(next(iter(resumed))[1].tolist())
        state = resumed.state_dict()
    assert found == whole[:2]


def test_the_epoch_after_a_resumed_one_is_whole() -> None:
    resumed = loader(training())
    resumed.load_state_dict({"given": 2})
    batches(resumed)
    resumed.sampler.set_epoch(1)
    assert batches(resumed) == batches(loader(training(), epoch=1))
