"""A finished run in Python: what its folder says, its network, its answers, its figures."""

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import atelier
from atelier.api.finished import FinishedRun

Left = Callable[..., Path]
Run = Callable[..., Any]
DIGIT = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)


@pytest.fixture
def run(left: Left) -> FinishedRun:
    return atelier.load(left("run"))


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
    (folder / "config.yaml").write_text("data: ${oc.env:HOME}")
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
    assert list(run.metrics.epoch) == [0, 1, 2]
    assert run.metrics["val/accuracy"].tolist()[:2] == pytest.approx([0.041666668, 0.038194444])
    assert run.metrics["train/accuracy"].tolist()[:2] == [0.02, 0.03], "validation and training share a row"


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


# ---------------------------------------------------------------------- the network and its answers


def test_the_network_has_the_weights_of_its_checkpoint(run: FinishedRun) -> None:
    for name in ("best", "last"):
        stored = torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        task = atelier.load(run.folder, checkpoint=name).task
        assert not task.network.training
        for key, value in task.network.state_dict().items():
            assert torch.equal(value, stored[f"network.{key}"])


def test_the_tested_accuracy_is_found_again(run: FinishedRun) -> None:
    test = run.data.sets["test"]
    images, classes = test[torch.arange(len(test))]
    answers = run(images)
    assert len(answers) == 359
    right = [answer["class"] == run.data.classes[label] for answer, label in zip(answers, classes, strict=True)]
    assert np.mean(right) == pytest.approx(run.manifest["test"]["accuracy"])
    with torch.no_grad():
        probability, index = run.network(run.data.normalise(images[:1])).softmax(1).max(1)
    assert answers[0] == {"class": run.data.classes[index], "probability": round(probability.item(), 4)}


def test_arrays_tensors_and_files_are_answered_alike(run: FinishedRun, tmp_path: Path) -> None:
    Image.fromarray(DIGIT[0]).save(tmp_path / "a.png")
    (told,) = run(DIGIT)
    assert run(torch.tensor(DIGIT)) == run(DIGIT[None]) == run(DIGIT[:, ::-1, ::-1][:, ::-1, ::-1]) == [told]
    for given in (tmp_path / "a.png", str(tmp_path / "a.png"), tmp_path, [tmp_path / "a.png"]):
        (answer,) = run(given, invert=False)
        assert answer["file"] == str(tmp_path / "a.png")
        assert told.items() <= answer.items()


def test_answers_of_files_are_those_of_the_command(run: FinishedRun, run_verb: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "$5 ${HOME} [x]"
    folder.mkdir(parents=True)
    Image.fromarray(DIGIT[0]).resize((20, 9)).save(folder / "a.png")
    (folder / "b.png").write_text("no picture")
    outcome = run_verb("predict", f"run={run.folder}", f"inputs=['{folder.parent}']", "format=json", "predict.fit=pad")
    assert outcome.code == 1, outcome.err
    assert run(folder.parent, fit="pad") == json.loads(outcome.out)
    assert [set(row) for row in run(folder, fit="pad")] == [
        *[{"file", "class", "probability", "note"}, {"file", "error"}]
    ]


def test_wrong_inputs_are_told(run: FinishedRun) -> None:
    wrong: list[tuple[Any, str]] = [
        ("no.png", "there is no file or folder no.png"),
        ([], r"inputs=\[\]: give text"),
        (None, "inputs=null: give text"),
        ([DIGIT], "several arrays are given as one"),
        (DIGIT / 255, "an array of float64; give images uint8, 0 to 255"),
        (DIGIT.astype(int), "an array of int64; give images uint8"),
        (DIGIT[0], r"an array \[8, 8\]; Digits takes N inputs \[N, 1, 8, 8\]"),
        (DIGIT[None][:0], r"an array \[0, 1, 8, 8\]; Digits takes"),
    ]
    for inputs, told in wrong:
        with refused(told):
            run(inputs)


def test_a_wrong_way_of_reading_files_is_told(run: FinishedRun, tmp_path: Path) -> None:
    with refused("predict.fit=stretch: give one of: crop, pad, squeeze"):
        run(tmp_path, fit="stretch")  # type: ignore[arg-type]


def test_texts_are_answered(untrained: Left) -> None:
    run = atelier.load(untrained("data=palindromes", "data.length=3", "network=rnn", "task=sequence"))
    answers = run(["727", 72, "05"])
    assert [answer["input"] for answer in answers] == ["727", "72", "05"]
    told = {key: answers[1][key] for key in ("class", "probability")}
    assert run(torch.tensor([7, 2])) == run(np.array([[7, 2]], dtype=np.int32)) == [told]
    for inputs, words in (("1234", "is not 2 digits"), (np.array([[7.0, 2.0]]), "float64; give int64")):
        with refused(words):
            run(inputs)


def test_a_gan_gives_no_answers(untrained: Left) -> None:
    run = atelier.load(untrained("experiment=digits_gan", "features=pixels"))
    with refused("GAN makes pictures, and tells nothing of yours"):
        run(DIGIT)
    assert run.task.pictures(run.task.draw_latents(2, seed=0)).shape == (2, 1, 8, 8)  # type: ignore[operator]
    assert set(dict(run.network.named_children())) == {"generator", "discriminator"}


def test_a_task_that_defines_no_answers_says_so(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from atelier.tasks.task import Task

    monkeypatch.setattr(type(run.task), "answers", Task.answers)
    with refused("task: Classifier gives no answers about inputs"):
        run(DIGIT)


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


def test_hydra_in_the_notebook_goes_on(run: FinishedRun, conf: Path) -> None:
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    with hydra.initialize_config_dir(str(conf / "optimizer"), version_base="1.3"):
        run.network  # noqa: B018
        assert hydra.compose("adam").lr == 0.001
    assert not GlobalHydra.instance().is_initialized()


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


def test_data_that_are_not_here_are_told(untrained: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network and its answers need none."""
    shape = ["data.images=pictures", "data.classes=[a,b]", "data.shape=[1,8,8]", "network.hidden=[4]"]
    run = atelier.load(untrained("data=image_folder", *shape))
    with refused("data.images=pictures: there is no "):
        run.data  # noqa: B018
    assert len(run(DIGIT)) == 1
