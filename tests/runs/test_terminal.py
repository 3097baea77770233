"""What the terminal shows, and that run.log has it."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from atelier.project import PACKAGE
from atelier.runs.terminal import Tee, plain_console, print_outcome, print_plan, recording, told_in_a_line


def test_what_is_printed_is_shown_and_kept_without_colours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recording(tmp_path / "run.log"):
        print("\x1b[31mred\x1b[0m\r")
        print("an error", file=sys.stderr)
        sys.stdout.writelines(["one ", "two\n"])
    print("afterwards")
    assert capsys.readouterr() == ("\x1b[31mred\x1b[0m\r\none two\nafterwards\n", "an error\n")
    assert (tmp_path / "run.log").read_text() == "red\nan error\none two\n"


def test_a_stream_is_the_terminals_in_all_else() -> None:
    terminal = SimpleNamespace(encoding="utf-7", isatty=lambda: True, fileno=lambda: 7)
    stream = Tee(terminal, sys.stderr)  # type: ignore[arg-type]
    assert (stream.encoding, stream.isatty(), stream.fileno()) == ("utf-7", True, 7)


def test_a_line_above_a_live_display_is_shown_when_it_is_whole() -> None:
    terminal, shown, log = io.StringIO(), io.StringIO(), io.StringIO()
    stream = Tee(terminal, log)
    stream.live = plain_console(file=shown)
    seen = []
    for text in ("one ", "two\nthree", "\nfour "):
        stream.write(text)
        seen.append(shown.getvalue())
    assert seen == ["", "one two\n", "one two\nthree\n"]
    stream.live = None
    stream.write("five")
    assert terminal.getvalue() == "four five", "its end comes after the display"
    assert log.getvalue() == "one two\nthree\nfour five"


@pytest.mark.parametrize(("unit", "place"), [("epoch", "epoch 8"), ("step", "step 1,500")])
def test_the_outcome_counts_epochs_from_1_and_leaves_out_single_classes(
    unit: str, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    objective = {"metric": "val/loss", "best": 0.5, "best_epoch": 7, "best_step": 1500}
    ended = {"seconds": {"fit": 12.34}, "steps": 2000, "pruned": False}
    run = {"objective": objective, "test": {"loss": 0.25, "accuracy/cat": 1.0}, **ended}
    print_outcome(run, {"validation_gap": 0.125, "generalisation_gap": None}, unit)
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        *(f"best val/loss 0.5 {place}", "validation gap 0.125", "test/loss 0.25", "training 12.3 s 2,000 steps")
    ]


def test_a_terminal_is_shown_the_configuration_and_the_layers_and_a_file_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    optimizer = {"lr": 0.5, "name": "[bold]words"}
    config = {"optimizer": optimizer, "task": {"metric": "val/loss", "optimizer": optimizer}}
    print_plan(config, network)
    assert capsys.readouterr().out == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    print_plan(config, network)
    shown = capsys.readouterr().out
    assert shown.count("0.5") == 1, "a task repeats what stands in its own place"
    assert "[bold]words" in shown
    assert [line.split("│")[1:-1] for line in shown.splitlines() if "Linear" in line] == [
        [" 1     ", " Linear  ", " 8          "]
    ]


@pytest.mark.parametrize("kind", ["attention", "parametrised", "own"])
def test_the_layers_have_all_parameters(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of a layer with layers below it, and of the network itself, too."""
    network: nn.Module = nn.TransformerEncoderLayer(8, 2, 16)
    if kind == "parametrised":
        network = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    if kind == "own":
        network = nn.Sequential(nn.Linear(3, 2))
        network.register_parameter("token", nn.Parameter(torch.zeros(1234)))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    print_plan({"task": {}}, network)
    cells = [
        line.split("│")[3].strip().replace(",", "") for line in capsys.readouterr().out.splitlines() if "│" in line
    ]
    total = sum(parameter.numel() for parameter in network.parameters())
    assert sum(int(cell) for cell in cells if cell) == total


def test_a_warning_of_atelier_names_no_place_in_the_code() -> None:
    told = told_in_a_line("data.mean=0.5, but it is 0.4", UserWarning, str(PACKAGE / "data" / "images.py"), 3)
    assert told == "Beware: data.mean=0.5, but it is 0.4\n"
    assert "/elsewhere.py:3: UserWarning: other" in told_in_a_line("other", UserWarning, "/elsewhere.py", 3)
