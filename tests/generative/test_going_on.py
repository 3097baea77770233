"""A GAN or VAE that is stopped goes on as if it had not been, and one run may be two processes."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Run = Callable[..., Any]
Small = dict[str, list[str]]
STEPS = 5  # of an epoch: 160 pictures in batches of 32
MORE = {
    "gan": ["task.discriminator_steps=2", "task.average=0.9", "scheduler=exponential"],
    "vae": ["task.average=0.9", "task.warmup_epochs=2", "task.binarise=true", "scheduler=cosine"],
}


@pytest.fixture(scope="module")
def settings(small_models: Small, short: list[str]) -> dict[str, list[str]]:
    """Overrides of a GAN and of a VAE with much to go on with."""
    return {kind: [*small_models[kind], *MORE[kind], *short] for kind in MORE}


@pytest.fixture(scope="module")
def whole(run_verb: Run, settings: Small) -> Callable[[str], Path]:
    """The folder of a run of `settings` that nothing stopped."""
    known: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in known:
            known[kind] = run_verb("train", *settings[kind]).folder
        return known[kind]

    return folder


@pytest.mark.parametrize(("kind", "steps"), [("gan", 3), ("gan", STEPS), ("vae", STEPS + 1)])
def test_a_stopped_run_resumes_to_the_same_metrics_and_weights(
    run_verb: Run, tmp_path: Path, kind: str, steps: int, settings: Small, whole: Callable[[str], Path]
) -> None:
    from atelier.tasks.gan import GAN
    from atelier.tasks.vae import VAE

    task: Any = {"gan": GAN, "vae": VAE}[kind]
    original, left = task.training_step, [steps]

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task, "training_step", step)
        stopped = run_verb("train", *settings[kind], logs=tmp_path)
    assert stopped.code == 128 + signal.SIGTERM
    assert run_verb("train", f"resume={stopped.folder}", logs=tmp_path).code == 0
    expected = whole(kind)
    assert stopped.metrics == (expected / "metrics.csv").read_text()
    found, wanted = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (stopped.folder, expected)
    )
    assert found["state_dict"].keys() == wanted["state_dict"].keys()
    for name, value in wanted["state_dict"].items():
        assert torch.equal(found["state_dict"][name], value), name
    assert len(found["optimizer_states"]) == {"gan": 2, "vae": 1}[kind]
    assert found["raw_weights"].keys() == wanted["raw_weights"].keys()
    for name, value in wanted["raw_weights"].items():
        assert torch.equal(found["raw_weights"][name], value), name


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_two_processes_train_one_run(run_process: Run, run_verb: Run, kind: str, small_models: Small) -> None:
    small = [override for override in small_models[kind] if override != "trainer=cpu"]
    both = [*small, "trainer=ddp_cpu", "trainer.max_epochs=2", "callbacks=none"]
    outcome = run_process("train", *both)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.manifest["status"] == "completed"
    assert outcome.manifest["steps"] == 2 * 3, "160 pictures are 2.5 batches for each of two processes"
    alone = run_verb("eval", f"run={outcome.folder}", "trainer=cpu", "+callbacks=quality")
    assert alone.code == 0, alone.err
    floor = json.loads((outcome.folder / "evaluation/test/figures/quality.json").read_text())["frechet_floor"]
    assert outcome.manifest["test"]["frechet_floor"] == pytest.approx(floor, rel=1e-3), "each test picture counts once"
    resumed = run_process("train", f"resume={outcome.folder}", "trainer.max_epochs=3")
    assert (resumed.code, resumed.err) == (0, "")
    assert outcome.manifest["steps"] == 3 * 3
