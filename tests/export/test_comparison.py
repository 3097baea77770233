"""How a file is compared with its run, on outputs that are known."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from atelier.errors import InputError
from atelier.export import program
from atelier.export.exported import Exported, exported_of
from atelier.export.formats import compared, target
from atelier.tasks.exportable import Exportable


class Echo(Exportable):
    """Its output is its input."""

    network = nn.Identity()

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs


DATA: Any = SimpleNamespace(normalise=lambda inputs: inputs)


@pytest.mark.parametrize(
    ("run", "found", "share"),
    [
        ([100.0, 1.0], [99.0, 1.0], 0.01),  # of the largest
        ([1.0, -400.0], [1.0, -396.0], 0.01),
        ([3.0, 2.0], [4.0, 2.0], 0.25),
        ([0.001, 0.0], [0.0005, 0.0], 0.0005),  # of 1, where all outputs are small
        ([0.001, 0.0], [0.0015, 0.0], 0.0005),
    ],
)
def test_a_difference_is_a_share_of_the_largest_output(run: list[float], found: list[float], share: float) -> None:
    exported = Exported(Echo(), DATA)
    assert exported.difference((torch.tensor([found]),), (torch.tensor([run]),)) == pytest.approx(share, rel=1e-5)


@pytest.mark.parametrize("wrong", [None, 1, 3])
@pytest.mark.parametrize("by", [-0.01, 0.01, torch.nan])
def test_a_file_is_compared_on_all_inputs_at_once_and_on_one_alone(wrong: int | None, by: float) -> None:
    """As of a graph that was made for one number of inputs."""

    def run(inputs: Tensor) -> tuple[Tensor, ...]:
        return (inputs + by * (len(inputs) == wrong) if wrong else inputs,)

    kind: Any = SimpleNamespace(opened=lambda content, exported: run)
    exported, inputs = Exported(Echo(), DATA), torch.rand(3, 2)
    if wrong is None:
        assert compared(b"", kind, exported, inputs) == 0
        return
    with pytest.raises(InputError, match=r"^its outputs differ from the run's by .*; no file is written$"):
        compared(b"", kind, exported, inputs)


@pytest.mark.parametrize(("by", "fits"), [(0.5e-4, True), (2e-4, False), (-2e-4, False)])
def test_a_file_may_differ_by_a_ten_thousandth(by: float, fits: bool) -> None:
    kind: Any = SimpleNamespace(opened=lambda content, exported: lambda inputs: (inputs + by,))
    exported, inputs = Exported(Echo(), DATA), torch.full((3, 2), 0.5)
    with nullcontext() if fits else pytest.raises(InputError, match="differ from the run's by"):
        assert compared(b"", kind, exported, inputs) == pytest.approx(abs(by), rel=1e-2)


def test_a_program_made_of_one_example_takes_any_number_of_inputs() -> None:
    task = Echo()
    task.network = nn.Linear(2, 3)
    task.forward = task.network.forward  # type: ignore[method-assign]
    exported, inputs = Exported(task, DATA), torch.rand(5, 2)
    opened = program.opened(program.write(exported, inputs[:1], {}), exported)
    for count in (1, 2, 5):
        (found,) = opened(inputs[:count])
        torch.testing.assert_close(found, task.network(inputs[:count]))


def test_a_task_is_exported_as_it_evaluates() -> None:
    """Both the network and the task, which may average over mirror images then."""
    task: Any = Echo()
    task.network = nn.Dropout()
    assert not exported_of(task.train(), DATA).training
    assert [task.training, task.network.training] == [False, False]


@pytest.mark.parametrize("quick", [True, False])
def test_transformers_are_as_quick_afterwards_as_before(quick: bool) -> None:
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(quick)
    try:
        with program.plain_layers():
            assert not torch.backends.mha.get_fastpath_enabled()
        assert torch.backends.mha.get_fastpath_enabled() == quick
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@pytest.mark.parametrize(("count", "given"), [(5, 5), (70, 64)])
def test_a_small_validation_set_is_compared_as_a_whole(count: int, given: int) -> None:
    """If the data are here, which is checked first."""
    called: list[str] = []
    data: Any = SimpleNamespace(
        normalise=lambda inputs: inputs,
        check_source=lambda: called.append("check_source"),
        setup=lambda: called.append("setup"),
        sets={"val": TensorDataset(torch.rand(count, 2), torch.zeros(count))},
    )
    inputs, told = Exported(Echo(), data).examples()
    assert (len(inputs), told) == (given, f"{given} inputs of the validation set")
    assert called == ["check_source", "setup"]


def test_a_dot_in_a_files_name_is_no_ending() -> None:
    assert target(None, Path("export/mlp_0.5"), ".onnx") == Path("export/mlp_0.5.onnx")
