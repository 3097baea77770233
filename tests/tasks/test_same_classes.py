"""The classes of the data are those that the network has learnt, by name and in order."""

import pytest

from atelier.errors import InputError
from atelier.tasks.classifier import same_classes


@pytest.mark.parametrize(
    ("there", "learnt", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["b", "a"], False),
        (["a", "b"], ["a", "c"], False),
        (["caf\u00e9", "b"], ["cafe\u0301", "b"], True),  # written in two ways
        (None, ["a"], True),
        (["a"], None, True),
    ],
)
def test_classes_of_other_names_are_others(there: list[str] | None, learnt: list[str] | None, same: bool) -> None:
    if same:
        assert same_classes(there, learnt) == (there or learnt)
        return
    with pytest.raises(InputError, match=r"^data: its classes are a, b; the network has learnt "):
        same_classes(there, learnt)
