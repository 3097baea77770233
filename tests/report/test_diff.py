"""In what two runs differ."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from atelier.compare.diff import check_pair, print_diff
from atelier.errors import InputError


def test_two_runs_differ_in_what_is_listed_and_in_nothing_else(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (logs / "sweeps" / "a" / "s" / name for name in ("0", "1"))
    changed = json.loads((second / "run.json").read_text())
    changed["git"]["commit"], changed["versions"]["torch"] = "fedcba", "2.16.0"
    (second / "run.json").write_text(json.dumps(changed))
    (second / "config.yaml").write_text("{seed: 1, network: {hidden: [9], bias: true}, paths: {run: elsewhere}}\n")
    print_diff(str(first), str(second), logs)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    told = {row[-3]: row[-2:] for row in rows if len(row) > 2}
    assert told["seed"] == ["0", "1"]
    assert told["commit" if "commit" in told else "git.commit"] == ["0123456789abcdef", "fedcba"]
    assert told["versions.torch"] == ["2.15.0", "2.16.0"]
    assert told["objective.best"] == ["0.51", "0.61"]
    assert "network.hidden" in " ".join(map(str, rows))
    assert not {"network.bias", "versions.python", "paths.run", "pid"} & told.keys()


def test_callbacks_that_change_the_training_are_settings(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that only watch are not, as in the hash."""
    folders = [logs / "sweeps" / "a" / "s" / name for name in ("0", "1")]
    watches = "filters: {_target_: atelier.callbacks.filters.Filters, layers: [0]}"
    swa = "swa: {_target_: lightning.pytorch.callbacks.StochasticWeightAveraging, swa_lrs: 0.1}"
    for folder, callbacks in zip(folders, (watches, f"{watches.replace('[0]', '[1]')}, {swa}"), strict=True):
        (folder / "config.yaml").write_text(f"{{seed: 0, callbacks: {{{callbacks}}}}}")
    print_diff(*map(str, folders), logs)
    told = capsys.readouterr().out
    assert re.search(r"callbacks\.swa\.swa_lrs +– +0\.1", told)
    assert "filters" not in told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"changes": {"101": {"optimizer.lr": [0.1, 0.01]}}}, "changes.101.optimizer.lr – [0.1, 0.01]"),
        ({"resumed": [{"device": "cuda"}]}, "resumed – [{'device': 'cuda'}]"),
        ({"git": {"resumed": [{"commit": "2"}]}}, "git.resumed – [{'commit': '2'}]"),
        ({"git": {"change": "89abcdef0123"}}, "git.change – 89abcdef0123"),
    ],
    ids=["setting", "machine", "code", "a change that is not committed"],
)
def test_what_a_run_was_resumed_with_and_an_uncommitted_change_are_differences(
    logs: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], told: str
) -> None:
    folders = [logs / "sweeps" / "a" / "s" / name for name in ("0", "1")]
    content = json.loads((folders[1] / "run.json").read_text())
    changed = {key: {**content[key], **value} if key == "git" else value for key, value in changed.items()}
    (folders[1] / "run.json").write_text(json.dumps({**content, **changed}))
    print_diff(*map(str, folders), logs)
    assert told in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("setting", "told"), [("a1", True), (None, False)])
def test_only_runs_of_a_known_setting_are_told_as_runs_of_one(
    logs: Path, capsys: pytest.CaptureFixture[str], setting: str | None, told: bool
) -> None:
    folders = [logs / "sweeps" / "a" / "s" / name for name in ("0", "2")]
    for file in (folder / "run.json" for folder in folders):
        file.write_text(json.dumps({**json.loads(file.read_text()), "config_hash": setting}))
    print_diff(*map(str, folders), logs)
    assert ("runs of one setting" in capsys.readouterr().out) is told


def test_numbers_of_which_only_late_digits_differ_are_told_apart_and_nan_is_no_difference(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [logs / "sweeps" / "a" / "s" / name for name in ("0", "1")]
    for loss, kl, folder in zip((0.123456, 0.123457), (2.0, float("nan")), folders, strict=True):
        content = json.loads((folder / "run.json").read_text())
        test = {"loss": loss, "elbo": float("nan"), "kl": kl, "loss/cat": loss}
        (folder / "run.json").write_text(json.dumps({**content, "test": test}))
    print_diff(*map(str, folders), logs)
    rows = [line.split()[-3:] for line in capsys.readouterr().out.splitlines()]
    assert ["test.loss", "0.123456", "0.123457"] in rows
    assert ["test.kl", "2", "nan"] in rows, "of a number it is one"
    assert not [row for row in rows if "test.elbo" in row]
    assert not [row for row in rows if "test.loss/cat" in row], "there are many classes"


def test_what_follows_from_the_seed_is_no_setting(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [logs / "sweeps" / "a" / "s" / name for name in ("0", "1")]
    for seed, folder in enumerate(folders):
        (folder / "config.yaml").write_text(f"{{seed: {seed}, data: {{seed: {seed}, split_seed: {seed + 1}}}}}\n")
    print_diff(*map(str, folders), logs)
    shown = capsys.readouterr().out
    assert ("data.split_seed" in shown, "data.seed" in shown) == (True, False)


def test_a_pair_is_two_runs(logs: Path) -> None:
    for wrong in ("latest", ["a"], ["a", "b", "c"]):
        with pytest.raises(InputError, match="name two runs"):
            check_pair(wrong)
    with pytest.raises(InputError, match="nowhere"):
        print_diff("nowhere", str(logs / "sweeps" / "a" / "s" / "0"), logs)
