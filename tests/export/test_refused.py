"""What is not exported: files that differ from their runs, networks that a format lacks, wrong options."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

Run = Callable[..., Any]


def test_a_file_that_differs_from_its_run_is_not_written(
    run_verb: Run, run_of: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:

    from atelier.export import weights

    write = weights.write

    def spoiled(*arguments: Any) -> bytes:
        tensors = safetensors.torch.load(write(*arguments))
        name = next(name for name in tensors if name.endswith("weight"))
        tensors[name][0] += 0.1
        return safetensors.torch.save(tensors)

    monkeypatch.setattr(weights, "write", spoiled)
    file = tmp_path / "new" / "a.safetensors"
    outcome = run_verb("export", f"run={run_of('classifier')}", "format=safetensors", f"output={file}")
    assert outcome.code == 2
    assert "differ from the run's by" in outcome.err
    assert "no file is written" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_what_cannot_be_traced_is_refused(run_verb: Run, run_of: Run, format: str) -> None:
    outcome = run_verb("export", f"run={run_of('scratch')}", f"format={format}")
    assert outcome.code == 2
    assert outcome.err.startswith("torch.export cannot export ScratchMLP: ")
    assert outcome.err.endswith("\nformat=safetensors writes its weights\n")
    assert len(outcome.err.splitlines()) == 2


def test_what_onnx_lacks_is_told_with_its_first_cause(
    run_verb: Run, run_of: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        try:
            raise RuntimeError("there is no such operator\nin version 1")
        except RuntimeError as error:
            raise ValueError("\x1b[96mStep 2 of 3\x1b[0m failed") from error

    monkeypatch.setattr(torch.onnx, "export", fail)
    outcome = run_verb("export", f"run={run_of('disk')}", "format=onnx")
    assert outcome.code == 2
    told = "torch.onnx.export cannot export MLP: there is no such operator"
    assert outcome.err == f"{told}\nformat=safetensors writes its weights\n"


def test_weights_that_are_no_numbers_are_refused(run_verb: Run, run_of: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from atelier.tasks.classifier import Classifier

    forward = Classifier.forward
    monkeypatch.setattr(Classifier, "forward", lambda task, inputs: forward(task, inputs) * torch.nan)
    outcome = run_verb("export", f"run={run_of('classifier')}", "format=safetensors")
    assert outcome.code == 2
    assert "differ from the run's by nan" in outcome.err


def test_without_the_packages_the_extra_is_named(run_verb: Run, run_of: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = run_verb("export", f"run={run_of('classifier')}", "format=onnx")
    assert outcome.code == 2
    assert outcome.err == "format=onnx needs the package onnxruntime: pip install 'atelier[onnx]'\n"


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["format=keras"], "format=keras: give one of: safetensors, onnx, torch"),
        (["format=torch", "output=model.onnx"], "output=model.onnx: files of this format end in .pt2"),
        (["format=torch", "output={folder}.pt2"], "output={folder}.pt2: a folder; name a file"),
        (["format=torch", "checkpoint=none.ckpt"], "checkpoint=none.ckpt: there is no file none.ckpt"),
    ],
)
def test_a_wrong_option_is_told(run_verb: Run, run_of: Run, tmp_path: Path, overrides: list[str], told: str) -> None:
    folder = tmp_path / "folder"
    (tmp_path / "folder.pt2").mkdir()
    outcome = run_verb("export", f"run={run_of('classifier')}", *(one.format(folder=folder) for one in overrides))
    assert outcome.code == 2
    assert outcome.err.startswith(told.format(folder=folder))
    assert len(outcome.err.splitlines()) <= 2
