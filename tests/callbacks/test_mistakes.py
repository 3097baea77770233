"""The surest mistakes, against sorting all of them."""

from typing import Any

import pytest

from atelier.callbacks.mistakes import Mistakes


def test_the_file_lists_the_surest_mistakes_of_the_test_set(trained_digits: Any) -> None:
    logits, classes = trained_digits.evaluated("test", "best")
    confidence, predicted = logits.softmax(1).max(1)
    samples = zip(confidence.tolist(), predicted.tolist(), classes.tolist(), strict=True)
    wrong = [(sure, row, said, true) for row, (sure, said, true) in enumerate(samples) if said != true]
    expected = sorted(wrong, key=lambda one: -one[0])[:6]
    assert len(expected) == 6, "the network makes too few mistakes for this test"
    found = trained_digits.numbers("mistakes")
    assert [(int(row["sample"]), int(row["predicted"]), int(row["true"])) for row in found] == [
        (row, said, true) for _, row, said, true in expected
    ]
    assert [float(row["confidence"]) for row in found] == pytest.approx([sure for sure, *_ in expected], rel=1e-4)


@pytest.mark.parametrize("outputs", [None, {"error": [1.0]}])
def test_a_task_that_is_no_classifier_is_left_alone(outputs: Any) -> None:
    callback = Mistakes(count=3)
    callback.on_test_batch_end(None, None, outputs, None, 0)  # type: ignore[arg-type]
    assert callback.found is None
