"""The LaTeX table: its numbers, its shape, and that LaTeX takes it."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from atelier.compare.latex import cell, latex
from atelier.errors import InputError
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, aggregate

Sweep = Callable[..., Path]
Accuracy = Callable[[dict[str, str], int], list[float]]
GRID = {"optimizer": ["sgd", "adam_50%"], "optimizer.lr": ["0.1", "0.01"]}
DOCUMENT = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\input{summary.tex}\\end{document}"


@pytest.fixture(scope="module")
def sweep(made_up_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Accuracies of 0.5 and 0.6 over two seeds, more with adam and a higher rate; one of the four settings waits."""

    def curve(values: dict[str, str], seed: int) -> list[float]:
        return [0.5 + seed / 10 + 0.2 * values["optimizer"].startswith("adam") + float(values["optimizer.lr"])]

    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"status": "waiting"} if values == {"optimizer": "sgd", "optimizer.lr": "0.1"} else {}

    return made_up_sweep(tmp_path_factory.mktemp("latex") / "s", GRID, curve, seeds=(0, 1), change=change)


@pytest.fixture(scope="module")
def results(sweep: Path) -> Results:
    return aggregate([sweep])


def rows(text: str) -> list[str]:
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].splitlines()[1:]
    return [line.removesuffix(r" \\") for line in body]


def test_rows_and_columns_are_values_of_keys_numbers_by_size(results: Results) -> None:
    text = latex(results, "optimizer", "optimizer.lr")
    small = r"{\scriptsize $\pm$ 0.071}"
    assert r"\multicolumn{2}{c}{learning rate} \\" in text
    assert r"optimizer & 0.01 & 0.1 \\" in text
    assert rows(text) == [
        rf"sgd & 0.550 {small} & --",
        rf"adam\_50\% & 0.750 {small} & \textbf{{0.840}} {small}",
    ]
    assert text.startswith("% test accuracy, n = 2.")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([-89.1, -89.3], r"$-$89.20 {\scriptsize $\pm$ 0.14}"),  # as a log-likelihood is
        ([-1234.0], r"$-$1,234"),
        ([3e-7], "3e$-$07"),
    ],
)
def test_a_negative_number_has_a_minus_and_no_hyphen(values: list[float], shown: str) -> None:
    assert cell(Statistic.of(values), bold=False) == shown
    assert (
        cell(Statistic.of(values), bold=True)
        == rf"\textbf{{{shown.split(' ')[0]}}}" + shown[len(shown.split(" ")[0]) :]
    )


def test_without_columns_each_setting_is_a_row(results: Results) -> None:
    assert [row.split(" & ")[:2] for row in rows(latex(results, ["optimizer", "optimizer.lr"]))] == [
        ["sgd", "0.01"],
        ["sgd", "0.1"],
        [r"adam\_50\%", "0.01"],
        [r"adam\_50\%", "0.1"],
    ]


def test_unless_asked_the_table_is_that_of_the_settings_the_best_of_each_metric_bold(results: Results) -> None:
    text = latex(results)
    assert r"optimizer & learning rate & validation accuracy & test accuracy & test loss & n \\" in text
    first, *others = rows(text)
    assert first.startswith(r"adam\_50\% & 0.1 & \textbf{0.850}")
    assert r"& \textbf{0.840}" in first
    assert [row.count("textbf") for row in others] == [1, 1, 0], "the test loss, of which all have the same"
    assert rows(text)[-1] == "sgd & 0.1 & -- & -- & -- & 0"


def test_a_low_error_is_the_best_and_an_unknown_metric_has_none(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        size = 1.0 if values["optimizer"] == "sgd" else 2.0
        return {"test": {"median_error": size, "weight_norm": size}}

    one = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, lambda *_: [0.5], change=change)])
    assert rows(latex(one, "optimizer", metric="test/median_error"))[0] == r"sgd & \textbf{1} {\scriptsize $\pm$ 0}"
    assert "textbf" not in latex(one, "optimizer", metric="test/weight_norm")
    named = replace(one, metric="val/weight_norm", mode="min")
    assert "textbf" in latex(named, "optimizer", metric="test/weight_norm"), "the objective's mode is known"


def test_a_mean_over_fewer_runs_than_the_setting_has_says_so(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"test": {"error": 0.5} if seed else {}}

    one = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, lambda *_: [0.5], change=change)])
    for row in rows(latex(one)):
        assert row.endswith(r"\textbf{0.5} {\scriptsize $\pm$ 0} & \textbf{0.5} {\scriptsize $\pm$ 0, n = 2} & 3")


@pytest.mark.parametrize(
    ("sizes", "bold"),
    [([1.0, 1.0, 2.0], [True, True, False]), ([2.0, 1.0, 1.0], [False, True, True]), ([1.0] * 3, [True] * 3)],
)
def test_equal_best_means_are_all_bold(
    made_up_sweep: Sweep, tmp_path: Path, sizes: list[float], bold: list[bool]
) -> None:
    names = ["sgd", "adam", "adagrad"]

    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"test": {"median_error": sizes[names.index(values["optimizer"])]}}

    one = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": names}, lambda *_: [0.5], change=change)])
    found = {row.split(" & ")[0]: "textbf" in row for row in rows(latex(one, "optimizer", metric="test/median_error"))}
    assert found == dict(zip(names, bold, strict=True))


def test_a_setting_that_lost_a_run_is_not_the_best(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"status": "failed"} if (values["optimizer"], seed) == ("adam", 1) else {}

    def curve(values: dict[str, str], seed: int) -> list[float]:
        return [0.9 if values["optimizer"] == "adam" else 0.8]

    one = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, curve, change=change)])
    assert [r"\textbf" in row for row in rows(latex(one, "optimizer"))] == [True, False]
    assert [r"\textbf" in row for row in rows(latex(one))] == [True, False]


def test_without_a_value_yet_there_is_a_table_too(made_up_sweep: Sweep, tmp_path: Path) -> None:
    sweep = made_up_sweep(
        tmp_path / "s", {"optimizer": ["sgd", "adam"]}, lambda *_: [0.5], change=lambda *_: {"status": "failed"}
    )
    assert rows(latex(aggregate([sweep]), "optimizer")) == ["sgd & --", "adam & --"]


def test_settings_with_equal_values_are_not_dropped(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"config_hash": f"{values['optimizer']}{seed}"}

    one = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, lambda *_: [0.5], change=change)])
    with pytest.raises(InputError, match="config_hash varies, too; add it to one"):
        latex(one, "optimizer")
    table = latex(one, ["config_hash", "optimizer"])
    assert all(f"{name}{seed}" in table for name in ("sgd", "adam") for seed in (0, 1, 2))


def test_a_strangers_metric_does_not_leave_the_comment(made_up_sweep: Sweep, tmp_path: Path) -> None:
    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"test": {"a\n\\input{evil}\r\\input{evil}": 0.5}}

    one = aggregate([made_up_sweep(tmp_path / "s", {"optimizer": ["sgd", "adam"]}, lambda *_: [0.5], change=change)])
    first, second, *_ = latex(one, "optimizer").splitlines()
    assert first.startswith("% test a")
    assert second.startswith(r"\begin{tabular}")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"rows": "optimizer"}, "optimizer.lr varies, too"),
        ({"rows": "optimizer", "columns": ["optimizer.lr", "network"]}, "network does not vary"),
        ({"rows": ["optimizer", "optimizer.lr"], "metric": "test/f1"}, "metric=test/f1"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(results: Results, asked: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        latex(results, **asked)  # type: ignore[arg-type]


def check_compiles(table: str, folder: Path) -> None:
    (folder / "summary.tex").write_text(table)
    (folder / "paper.tex").write_text(DOCUMENT)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
@pytest.mark.parametrize("shape", [(), ("optimizer", "optimizer.lr")])
def test_latex_takes_the_table(results: Results, tmp_path: Path, shape: tuple[str, ...]) -> None:
    check_compiles(latex(results, *shape), tmp_path)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
def test_latex_takes_rows_that_begin_with_a_list(made_up_sweep: Sweep, tmp_path: Path) -> None:
    grid = {"network.hidden": ["[64,32]", "[128]"], "activation": ["[a]", "relu"]}
    made = aggregate([made_up_sweep(tmp_path / "s", grid, lambda values, seed: [0.1 * len(str(values))])])
    check_compiles(latex(made) + latex(made, "network.hidden", "activation"), tmp_path)


@pytest.mark.parametrize("value", ["[64,32]", "*"])
def test_no_cell_is_an_argument_or_a_form_of_the_command_before(
    made_up_sweep: Sweep, tmp_path: Path, value: str
) -> None:
    grid = {"network.hidden": [value, "8"]}
    made = aggregate([made_up_sweep(tmp_path / "s", grid, lambda values, seed: [0.5])])
    assert sorted(row[:2] for row in rows(latex(made))) == ["8 ", "{" + value[0]]


def test_empty_words_are_no_keys(results: Results) -> None:
    assert latex(results, ["optimizer", "optimizer.lr"], "") == latex(results, ["optimizer", "optimizer.lr"])
    assert latex(results, "", "") == latex(results)


@pytest.mark.parametrize("metric", ["discriminator_loss", "generator_loss"])
def test_no_loss_of_a_game_is_the_best(made_up_sweep: Sweep, tmp_path: Path, metric: str) -> None:
    """Where the discriminator's is least, the generator learns nothing."""

    def change(values: dict[str, str], seed: int) -> dict[str, object]:
        return {"test": {metric: 0.001 if values["activation"] == "relu" else 1.3, "loss": 0.5}}

    one = aggregate([made_up_sweep(tmp_path / "s", {"activation": ["relu", "tanh"]}, lambda *_: [0.5], change=change)])
    assert "textbf" not in latex(one, "activation", metric=f"test/{metric}")
