"""Predictions for sequences: digits typed for palindromes, a picture for rows."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atelier.data.palindromes import Palindromes

Run = Callable[..., Any]
SHORT = [
    *["trainer=cpu", "trainer.max_epochs=-1", "trainer.max_steps=150", "trainer.check_val_every_n_epoch=null"],
    *["trainer.val_check_interval=50", "task=sequence", "callbacks=none", "optimizer.lr=0.01", "network.hidden=32"],
]


@pytest.fixture(scope="module")
def palindromes(run_verb: Run) -> Any:
    return run_verb("train", "data=palindromes", "data.length=3", "network=rnn", *SHORT)


def test_the_last_digit_of_a_palindrome_is_told(run_verb: Run, palindromes: Any) -> None:
    found = run_verb("predict", f"run={palindromes.folder}", "inputs=[727,05,90]", "format=json")
    assert found.code == 0, found.err
    answers = json.loads(found.out)
    assert [(answer["input"], answer["class"]) for answer in answers] == [("727", 7), ("05", 0), ("90", 9)]
    assert all(0 < answer["probability"] <= 1 for answer in answers)


def test_the_digits_of_a_split_come_with_the_true_ones(run_verb: Run, palindromes: Any, tmp_path: Path) -> None:
    found = run_verb("predict", f"run={palindromes.folder}", "split=test", "format=json", f"output={tmp_path}")
    rows = json.loads(found.out)
    right = sum(row["label"] == str(row["class"]) for row in rows) / len(rows)
    assert right == pytest.approx(palindromes.manifest["test"]["accuracy"], abs=1e-6)
    assert all(0 < row["probability"] <= 1 for row in rows)


def test_the_digits_of_an_endless_training_set_are_those_of_an_epoch(
    run_verb: Run, palindromes: Any, tmp_path: Path
) -> None:
    few = ["data.epoch_size=30", "data.eval_batch_size=20", "format=json", f"output={tmp_path}"]
    found = run_verb("predict", f"run={palindromes.folder}", "split=train", *few)
    assert found.code == 0, found.err
    rows = json.loads(found.out)
    assert [row["index"] for row in rows] == list(range(30))
    assert {row["label"] for row in rows} > {"1", "2"}
    assert sum(row["label"] == str(row["class"]) for row in rows) > 10


def test_it_is_told_in_a_table_and_nothing_is_drawn(run_verb: Run, palindromes: Any) -> None:
    found = run_verb("predict", f"run={palindromes.folder}", "inputs=72")
    assert found.code == 0, found.err
    assert "72" in found.out
    assert "Pictures" not in found.out
    assert not (palindromes.folder / "predictions").exists()


@pytest.mark.parametrize("inputs", ["1234", "[72,x2]", "clock.png"])
def test_what_is_no_palindrome_is_refused(run_verb: Run, palindromes: Any, inputs: str) -> None:
    found = run_verb("predict", f"run={palindromes.folder}", f"inputs={inputs}")
    assert found.code == 2
    assert "is not 2 digits; the network tells the one that follows" in found.err


def test_without_an_input_it_asks_for_one(run_verb: Run, palindromes: Any) -> None:
    found = run_verb("predict", f"run={palindromes.folder}", "inputs=[]")
    assert found.code == 2
    assert found.err.startswith("inputs=[]: give text or a whole number or a number or a list that is not empty")


def test_a_picture_is_read_row_by_row_and_drawn(run_verb: Run, tmp_path: Path) -> None:
    few = [*SHORT, "trainer.max_steps=2", "trainer.val_check_interval=1"]
    few = [one for one in few if one not in ("trainer.max_steps=150", "trainer.val_check_interval=50")]
    run = run_verb("train", "data=mnist_rows", "data.source=fake", "network=lstm", *few)
    assert run.code == 0, run.err
    Image.fromarray(np.arange(28 * 28, dtype=np.uint16).reshape(28, 28).astype(np.uint8)).save(tmp_path / "digit.png")
    found = run_verb("predict", f"run={run.folder}", f"inputs={tmp_path / 'digit.png'}", f"output={tmp_path / 'out'}")
    assert found.code == 0, found.err
    assert (tmp_path / "out" / "digit_answer.png").is_file()


@pytest.mark.parametrize("function", ["normalise", "read_text"])
def test_a_fault_of_a_data_set_is_told_with_its_place(
    run_verb: Run, palindromes: Any, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def broken(self: Any, given: Any) -> Any:
        return given.nothing

    monkeypatch.setattr(Palindromes, function, broken)
    told = run_verb("predict", f"run={palindromes.folder}", "inputs=[727]")
    assert told.code == 2
    fault, advice = told.err.splitlines()
    assert re.match(rf"{__file__}, line \d+, in .*broken: AttributeError: .* no attribute 'nothing'", fault)
    assert "HYDRA_FULL_ERROR=1" in advice
