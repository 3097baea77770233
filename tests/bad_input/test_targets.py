"""What may not be built, wherever it is named: on the command line, in a file, in a checkpoint."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.mark.parametrize(
    "target",
    ["os.system", "builtins.eval", "subprocess.run", "torch.load", "torch.hub.load", "torch.nn.modules.os.system"],
)
def test_a_target_outside_is_refused_from_the_command_line(
    told: Callable[..., str], tiny: list[str], target: str
) -> None:
    message = told("train", *tiny, f"network._target_={target}")
    assert message.startswith(f"network._target_={target}: ")
    assert "allowed" in message or "there is no such class or function" in message


def test_a_target_outside_is_refused_in_an_added_callback(told: Callable[..., str], tiny: list[str]) -> None:
    message = told("train", *tiny, "+callbacks.mine._target_=os.getcwd")
    assert message.startswith("callbacks.mine._target_=os.getcwd: not allowed. A configuration builds from: ")


def test_a_target_outside_is_refused_from_a_config_file(
    told: Callable[..., str], tiny: list[str], tmp_path: Path
) -> None:
    harm = tmp_path / "harm"
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "bad.yaml").write_text(f"_target_: pathlib.Path.touch\nself: {harm}\n")
    plain = [override for override in tiny if not override.startswith("network.")]
    message = told("train", *plain, "network=bad", f"hydra.searchpath=[file://{tmp_path}]")
    assert message.startswith("network._target_=pathlib.Path.touch: not allowed")
    assert not harm.exists()


def set_target(config: dict[str, Any]) -> None:
    for part in (config, config["task"]):
        part["network"] = {"_target_": "os.system", "command": "true"}


@pytest.mark.parametrize("verb", ["eval", "predict"])
def test_a_target_outside_is_refused_from_a_checkpoint(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str, edit_checkpoint: Any, using: Any
) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    edit_checkpoint(path, lambda content: set_target(content["config"]))
    assert "network._target_=os.system: not allowed" in told(verb, *using(verb, run_copy, tiny, path))


def test_a_resumed_run_builds_nothing_from_its_checkpoints_configuration(
    run_verb: Callable[..., Any], run_copy: Path, edit_checkpoint: Any, tmp_path: Path
) -> None:
    marker = tmp_path / "executed"

    def change(content: dict[str, Any]) -> None:
        set_target(content["config"])
        content["config"]["network"]["command"] = content["config"]["task"]["network"]["command"] = f"touch {marker}"

    edit_checkpoint(run_copy / "checkpoints" / "last.ckpt", change)
    assert run_verb("train", f"resume={run_copy}").code == 0
    assert not marker.exists()


@pytest.mark.parametrize("checkpoints", [True, False])
def test_a_target_outside_is_refused_from_a_run_folders_configuration(
    told: Callable[..., str], run_copy: Path, checkpoints: bool
) -> None:
    if not checkpoints:  # the run starts again
        shutil.rmtree(run_copy / "checkpoints")
    file = run_copy / "config.yaml"
    config = yaml.safe_load(file.read_text())
    set_target(config)
    file.write_text(yaml.safe_dump(config))
    assert "network._target_=os.system: not allowed" in told("train", f"resume={run_copy}")
