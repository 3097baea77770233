"""A finished run in Python: what its folder says, its figures; what opening it leaves alone."""

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import atelier
import atelier.compose.build
from atelier.api.finished import FinishedRun

Left = Callable[..., Path]
Run = Callable[..., Any]
DIGIT = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)


def refused(message: str) -> Any:
    return pytest.raises(atelier.InputError, match=message)


# ---------------------------------------------------------------------- what is imported, and when


def test_what_reads_folders_imports_no_torch(left: Left) -> None:
    """The fork server and every `--help` import `atelier`, too."""
    left("run")
    script = (
        "import sys, atelier; assert len([m for m in sys.modules if m.startswith('atelier')]) == 2, sys.modules;"
        "run = atelier.load('latest'); run.status, run.config.optimizer.lr, run.metrics, repr(run), atelier.runs();"
        "assert not {'torch', 'lightning', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_module_offers_what_its_list_names() -> None:
    for name in (*atelier.OFFERED, "runs"):
        assert name in dir(atelier)
        assert callable(getattr(atelier, name))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        atelier.lod  # noqa: B018


# ---------------------------------------------------------------------- where


def test_a_run_is_found_from_anywhere(left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left("run", "2026-01-01")
    folder = left("run", "2026-01-02")
    monkeypatch.chdir(folder.parent)
    relative, latest = atelier.load("2026-01-02"), atelier.load("latest")
    monkeypatch.chdir(tmp_path)
    assert relative.folder == latest.folder == folder
    assert relative.config.optimizer.lr == 0.001, "read after the working directory has changed"
    assert relative.network is not None
    monkeypatch.setenv("HOME", str(folder.parents[1]))
    assert atelier.load("~/default/2026-01-02").folder == folder


@pytest.mark.parametrize(
    ("where", "told"),
    [("latest", "there is no run under .*runs yet"), (".", "is no run folder"), ("nowhere", "is no run folder")],
)
def test_what_is_no_run_is_told(logs: Path, where: str, told: str) -> None:
    with refused(told):
        atelier.load(where)


def test_a_damaged_folder_is_told(left: Left) -> None:
    folder = left("run")
    run = atelier.load(folder)
    (folder / "checkpoints" / "best.ckpt").write_bytes(b"damaged")
    with refused("best.ckpt is damaged"):
        run.network  # noqa: B018
    for content in ("data: ${oc.env:HOME}", "[data]"):
        (folder / "config.yaml").write_text(content)
        with refused("config.yaml is no resolved configuration"):
            run.config  # noqa: B018
    (folder / "run.json").write_text("{")
    with refused("run.json is damaged"):
        atelier.load(folder)


def test_a_run_that_failed_at_once_tells_why(left: Left) -> None:
    folder = left("run", status="failed", error={"type": "OSError", "message": "<no space>"}, test={})
    for name in ("metrics.csv", "config.yaml", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        (folder / name).unlink()
    run = atelier.load(folder)
    assert run.status == "failed"
    assert "error OSError: <no space>" in repr(run)
    assert "OSError: &lt;no space&gt;" in run._repr_html_()
    assert len(run.metrics) == 0
    for ask in (lambda: run.config, lambda: run.network, lambda: run.data, lambda: run(DIGIT), run.figure):
        with refused("there is no such file|there is no file|has no values"):
            ask()


def test_a_killed_run_is_interrupted(left: Left) -> None:
    assert atelier.load(left("run", status="running")).status == "interrupted"


# ---------------------------------------------------------------------- what the folder says


def test_the_numbers_of_a_run(run: FinishedRun) -> None:
    assert run.manifest["test"]["accuracy"] == pytest.approx(0.027855154)
    assert run.config.network.hidden == [4]
    assert list(map(repr, run.metrics.epoch)) == ["0", "1", "2"], "numbers that are whole are no floats"
    assert run.metrics["val/accuracy"].tolist()[:2] == pytest.approx([0.041666668, 0.038194444])
    assert run.metrics["train/accuracy"].tolist()[:2] == [0.02, 0.03], "validation and training share a row"


def test_what_is_logged_in_two_epochs_after_the_same_step_has_two_rows(run: FinishedRun) -> None:
    (run.folder / "metrics.csv").write_text("epoch,step,val/loss\n0,3,2.0\n1,3,1.0\n")
    assert run.metrics["val/loss"].tolist() == [2.0, 1.0]


def test_without_pandas_tables_are_lists(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert [(row["epoch"], row["step"], row["train/accuracy"]) for row in run.metrics] == [
        *[(0, 3, 0.02), (1, 7, 0.03), (2, 8, None)]
    ]
    (row,) = atelier.runs()
    assert row["folder"] == str(run.folder)


def test_a_run_is_shown_in_a_line_and_in_a_notebook(run: FinishedRun) -> None:
    assert repr(run).startswith("<run default/run: status completed, seed 0, best validation accuracy 0.04167")
    assert "<th>test accuracy</th><td>0.02786</td>" in run._repr_html_()


def test_a_run_is_shown_with_a_best_of_zero_and_without_a_seed_and_single_classes(left: Left) -> None:
    objective = {"metric": "val/loss", "mode": "min", "best": 0.0}
    run = atelier.load(left("run", seed=None, objective=objective, test={"loss": 1.0, "accuracy/cat": 1.0}))
    told = {"experiment": "default", "status": "completed", "best validation loss": "0", "test loss": "1"}
    assert run.told() == told


# ---------------------------------------------------------------------- what is not to be disturbed


def test_the_random_generators_of_the_notebook_go_on(run: FinishedRun) -> None:
    def drawn() -> tuple[float, float, float]:
        return torch.rand(1).item(), np.random.rand(), random.random()

    def seeded() -> None:
        torch.manual_seed(5), np.random.seed(5), random.seed(5)

    seeded()
    wanted = drawn()
    seeded()
    run.task, run.data  # noqa: B018
    assert drawn() == wanted


def test_the_seed_that_waits_for_the_gpu_is_the_notebooks(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a GPU is used, torch keeps the last seed of it."""
    waiting: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", waiting.append)
    torch.manual_seed(5)
    run.network  # noqa: B018
    assert waiting[-1] == 5
    assert len(set(waiting)) > 1, "the run has seeded its network"


def test_hydra_is_that_of_the_users_program() -> None:
    asked = "import atelier; atelier.load, atelier.train; from hydra._internal.hydra import Hydra; "
    told = subprocess.run(
        [sys.executable, "-c", f"{asked}print(Hydra.get_mode.__module__)"], capture_output=True, text=True, check=True
    )
    assert told.stdout == "hydra._internal.hydra\n"


def test_hydra_in_the_notebook_goes_on(run: FinishedRun, conf: Path) -> None:
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    with hydra.initialize_config_dir(str(conf / "optimizer"), version_base="1.3"):
        run.network  # noqa: B018
        assert hydra.compose("adam").lr == 0.001
    assert not GlobalHydra.instance().is_initialized()


def test_one_thread_at_a_time_builds_and_the_generators_are_as_they_were(
    left: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another would save a state that the first has seeded, and put that back."""
    inside, most = [0], [0]
    build = atelier.compose.build.build_task

    def slowly(config: Any) -> Any:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        made = build(config)
        time.sleep(0.05)
        inside[0] -= 1
        return made

    monkeypatch.setattr(atelier.compose.build, "build_task", slowly)
    runs = [atelier.load(left("run", f"run{n}")) for n in range(3)]
    before = torch.get_rng_state()
    threads = [threading.Thread(target=lambda run=run: run.network) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert torch.equal(torch.get_rng_state(), before)


def test_runs_are_opened_in_several_threads(left: Left) -> None:
    runs = [atelier.load(left("run", f"run{n}")) for n in range(4)]
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda run=run: answers.append(run(DIGIT))) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(one == answers[0] for one in answers)


# ---------------------------------------------------------------------- figures


def test_the_curves_are_a_figure_that_a_notebook_shows(run: FinishedRun, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = run.figure("curves")
    assert isinstance(figure, Figure)
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert not (run.folder / "figures").exists(), "nothing is written"


def test_other_figures_are_refused_with_the_choices(run: FinishedRun) -> None:
    with refused("figure=curve: no 'curve'; choose from: curves, losses; the pictures that the run drew are in"):
        run.figure("curve")
    with refused("figure=losses: .*metrics.csv has no values for it"):
        run.figure("losses")


def test_the_losses_of_a_gan(left: Left) -> None:
    folder = left("run")
    rows = "epoch,step,train/generator_loss,train/discriminator_loss\n0,9,1.5,1.25\n1,19,1.0,1.5\n"
    (folder / "metrics.csv").write_text(rows)
    lines = atelier.load(folder).figure("losses").axes[0].get_lines()
    assert [list(line.get_ydata()) for line in lines] == [[1.5, 1.0], [1.25, 1.5]]
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**manifest, "counts": "steps"}))  # all of which may be one epoch's
    (axes,) = atelier.load(folder).figure("losses").axes
    assert (axes.get_xlabel(), list(axes.get_lines()[0].get_xdata())) == ("step", [10, 20])
