"""The settings of a figure in the order of the study."""

from dataclasses import replace

from atelier.figures.group import Group, Run, as_listed


def test_settings_are_in_the_order_of_their_first_runs() -> None:
    numbers = {"best": [2, 3], "early": [0, 9], "last": [5, 4]}
    groups = [
        replace(Group(label, {}, {}, []), runs=[Run(number, "completed", {}) for number in found])
        for label, found in numbers.items()
    ]
    assert [group.label for group in as_listed(groups)] == ["early", "best", "last"]
