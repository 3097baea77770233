"""docs/wandb_sweep.yaml: what a W&B agent makes of it is a command that trains, as the one W&B run of the agent."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).parents[2]
SWEEP = yaml.safe_load((ROOT / "docs" / "wandb_sweep.yaml").read_text())
EDGES = {
    name: known.get("values") or [known.get(word) for word in ("value", "min", "max") if word in known]
    for name, known in SWEEP["parameters"].items()
}


def expanded(chosen: dict[str, Any]) -> list[str]:
    """The agent's command for values of the parameters, by the rules of W&B's documentation."""
    macros = {
        "${env}": ["/usr/bin/env"],
        "${interpreter}": ["python"],
        "${program}": [SWEEP["program"]],
        "${args_no_hyphens}": [f"{name}={value}" for name, value in chosen.items()],
    }
    return [word for part in SWEEP["command"] for word in macros.get(part, [part])]


@pytest.mark.parametrize("edge", [0, -1])
def test_the_command_composes_and_each_parameter_is_a_key(compose: Callable[..., DictConfig], edge: int) -> None:
    chosen = {name: values[edge] for name, values in EDGES.items()}
    env, interpreter, program, *overrides = expanded(chosen)
    assert (env, interpreter) == ("/usr/bin/env", "python")
    assert (ROOT / program).is_file()
    config = compose(*overrides)
    for name, value in chosen.items():
        found = OmegaConf.select(config, name)
        if name != "optimizer":  # a group
            assert found == value
    assert config.optimizer == compose("experiment=mnist_mlp", *overrides[2:]).optimizer
    assert "wandb" in config.logger


def test_the_search_is_for_the_tasks_objective(compose: Callable[..., DictConfig]) -> None:
    task = compose(*(word for word in SWEEP["command"] if not word.startswith("${"))).task
    goals = {"max": "maximize", "min": "minimize"}
    assert SWEEP["metric"] == {"name": task.metric, "goal": goals[task.mode]}


@pytest.mark.slow
def test_wandbs_own_agent_starts_a_training_that_is_its_run(
    tmp_path: Path, data_dir: Path, recorded_in: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """W&B's code expands the command and starts it; only the server is missing, which would choose the values."""
    from wandb.wandb_agent import Agent

    fast = ["debug=fast", "trainer=cpu", "callbacks=none", "data.source=fake", "network.hidden=[4]"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    places = {"WANDB_DIR": str(tmp_path), "LOG_DIR": str(tmp_path / "logs"), "DATA_DIR": str(data_dir), "PATH": path}
    agents = {"WANDB_SWEEP_ID": "swept", "WANDB_RUN_ID": "", "WANDB_SWEEP_PARAM_PATH": ""}
    for name, value in {**places, **agents, "WANDB_MODE": "offline"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    agent = Agent(None, None, sweep_id="swept")
    agent._sweep_command = [*SWEEP["command"], *fast]
    chosen = {name: {"value": values[0]} for name, values in EDGES.items()}
    agent._command_run(
        {"run_id": "chosen1", "program": SWEEP["program"], "args": chosen | {"trainer.max_epochs": {"value": 1}}}
    )
    assert agent._run_processes["chosen1"]._popen.wait(120) == 0
    (folder,) = (tmp_path / "logs" / "runs" / "mnist_mlp").iterdir()
    run = recorded_in(folder).run
    assert (run["run_id"], run["sweep_id"]) == ("chosen1", "swept")
    assert run["config"]["update"]["optimizer.lr"] == EDGES["optimizer.lr"][0]
    assert len(list(tmp_path.rglob("*.wandb"))) == 1
