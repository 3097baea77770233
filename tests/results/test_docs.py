"""docs/results.md and docs/results/ of the project itself."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from atelier.results.bests import BEGIN, with_bests
from atelier.results.page import page
from atelier.results.record import Recorded, read_record
from atelier.runs.setting import setting_hash
from atelier.runs.statistic import Statistic
from atelier.sweeps.grid import has

Compose = Callable[..., DictConfig]
ROOT = Path(__file__).parents[2]
PAIRS = [
    {"network": f"pair_{kind}", "network.weight_sharing": shared, "task.auxiliary_weight": weight}
    for kind in ("fnn", "cnn")
    for weight, shared in ((0.0, False), (0.0, True), (1.0, False), (1.0, True))
]
OURS = {"experiment": "pairs_best"}
VAE = {"experiment": "mnist_vae_best"}
GAN, PHOTOGRAPHS = {"experiment": "mnist_gan_best"}, {"experiment": "cifar10_best"}
CLOCK, HEADS = {"experiment": "clock_best"}, {"experiment": "clock_multihead"}
CATS = [{"experiment": "cats_gan"}, {"experiment": "cats_vae"}]
TWO_HEADS = {"encoding": "multihead"}
CHOSEN = {"network.hidden": [100, 100], "activation": "relu"}
PLAIN = {"network.batch_norm": False, "network.dropout": 0.0}
SHALLOW_FAT = {"network": "shallow_fat", "data.batch_size": 16}
LENETS = [{"experiment": "cifar10_lenet_bn"}, {"experiment": "cifar10_lenet"}]
SHARE = ("accuracy", 1, 4)  # the metric, its factor and its decimals
UNITS = [{"network.hidden": units} for units in (32, 64, 128)]
DECAYS = [{"optimizer.weight_decay": decay} for decay in (0.0009259259, 0.0)]
STEPS: dict[str, dict[str, Any]] = {  # {how its row in docs/pairs.md begins: the setting}
    "the report's": {"network.comparison": "network", "data.repair": False},
    "… with new": {"network.comparison": "network", "data.repair": True},
    "compared by": {"network.comparison": "probabilities", "data.augment": False},
    "… and digits": {"data.augment": True, "scheduler": "constant"},
    "… and a learning": {"scheduler": "one_cycle", "network.blocks": [16, 32]},
    "… and 32 and 64": {"network.blocks": [32, 64]},
    "or two": {"network.blocks": [[16, 16], [32, 32]]},
}
ENCODINGS = [f"clock_{one}" for one in ("regression", "classification", "multihead", "angles", "multihead_angles")]
RATES = {
    digits: [{"data.length": digits, "optimizer.lr": rate} for rate in (0.001, theirs)]
    for digits, theirs in ((20, 0.01), (40, 0.02))
}
# What docs and headers say in numbers of a study: where, of which settings, what of them (a test metric; `best`, the
# objective's best; or a curve, at its last place), its factor and its decimals.
QUOTED: list[tuple[str, str, str, list[dict[str, Any]], str, float, int]] = [
    ("docs/classifiers.md", "| `cifar10_vgg`", "asci_vgg", [{"network": "vgg"}], *SHARE),
    (
        "docs/classifiers.md",
        "| `cifar10_mlp`",
        "asci_mlp",
        [CHOSEN],
        *SHARE,
    ),
    ("docs/classifiers.md", "| `dogs_vs_cats`", "ift6135_dogs_vs_cats", [SHALLOW_FAT], "best", 1, 4),
    ("docs/classifiers.md", "| `dogs_vs_cats`", "ift6135_dogs_vs_cats", [SHALLOW_FAT], *SHARE),
    ("docs/classifiers.md", "0.8728", "ift6135_dogs_vs_cats_longer", [{"trainer.max_epochs": 50}], "best", 1, 4),
    ("docs/classifiers.md", "0.8728", "ift6135_dogs_vs_cats_longer", [{"trainer.max_epochs": 50}], *SHARE),
    ("docs/classifiers.md", "| `mnist_cnn`", "ift6135_batchnorm", [{"network.dropout": 0.5}], *SHARE),
    ("docs/classifiers.md", "| dropout 0.5", "ift6135_batchnorm", [{"network.dropout": 0.5}], *SHARE),
    ("docs/classifiers.md", "| batch norm |", "ift6135_batchnorm", [{"network.batch_norm": True}], *SHARE),
    ("docs/classifiers.md", "| neither |", "ift6135_batchnorm", [PLAIN], *SHARE),
    ("docs/classifiers.md", "than LeNet-5 after", "elec576_lenet", LENETS, *SHARE),
    ("docs/clocks.md", "| `clock_leiden`", "leiden_clock_encodings", [TWO_HEADS], "common_sense_error", 1, 1),
    *(
        ("docs/clocks.md", f"| `{one}`", "clock_encodings", [{"experiment": one}], "common_sense_error", 1, 2)
        for one in ENCODINGS
    ),
    ("docs/clocks.md", "| `clock_multihead`, read", "clock_best", [HEADS], "common_sense_error", 1, 2),
    ("docs/clocks.md", "| `clock_best`", "clock_best", [CLOCK], "common_sense_error", 1, 2),
    ("docs/classifiers.md", "| of the best epoch", "ift6135_weight_decay", DECAYS, *SHARE),
    ("docs/classifiers.md", "| after 100", "ift6135_weight_decay", DECAYS, "test/accuracy", 1, 4),
    ("docs/clocks.md", "reads a picture once", "clock_best", [CLOCK], "best", 1, 2),
    *(("docs/pairs.md", f"| {step}", "pairs_steps", [of], "best", 100, 1) for step, of in STEPS.items()),
    *(
        ("docs/sequences.md", f"| {digits} |", f"asci_palindrome_{cell}", [{"data.length": digits}], "accuracy", 1, 2)
        for cell, longest in (("rnn", 30), ("lstm", 45))
        for digits in range(5, longest + 1, 5)
    ),
    *(("docs/sequences.md", f"| {n} digits", "asci_palindrome_rates", of, "accuracy", 1, 3) for n, of in RATES.items()),
    ("docs/sequences.md", "| of 5 to 500", "palindrome_best", [{"data.shortest": 5}], "accuracy", 1, 3),
    ("docs/sequences.md", "| of 500", "palindrome_best", [{"data.shortest": None}], "accuracy", 1, 3),
    *(
        ("docs/sequences.md", f"| {cell.upper()}, ours", f"elec576_{cell}", UNITS, "test/accuracy", 100, 2)
        for cell in ("rnn", "lstm", "gru")
    ),
    ("docs/sequences.md", "| 0.001", "asci_lstm_mnist", [{"optimizer.lr": 0.001}], "accuracy", 100, 2),
    ("docs/sequences.md", "| 0.01 ", "asci_lstm_mnist", [{"optimizer.lr": 0.01}], "accuracy", 100, 2),
    ("docs/generative.md", "test, 1", "leiden_gan_vs_vae", CATS, "frechet_distance", 1, 2),
    ("docs/generative.md", "distance of pixels is", "mnist_gan_best", [GAN], "frechet_distance", 1, 4),
    ("docs/generative.md", "0.867", "mnist_gan_best", [GAN], "precision", 1, 3),
    ("docs/generative.md", "0.867", "mnist_gan_best", [GAN], "recall", 1, 3),
    ("docs/pairs.md", "| fully connected, ours |", "ee559_pairs", PAIRS[:4], "accuracy", 100, 1),
    ("docs/pairs.md", "| convolutional, ours |", "ee559_pairs", PAIRS[4:], "accuracy", 100, 1),
    ("docs/pairs.md", "`experiment=pairs_best` learns", "pairs_best", [OURS], "accuracy", 100, 2),
    ("conf/experiment/cifar10_best.yaml", "# more; 58 s", "pictures_best", [PHOTOGRAPHS], "accuracy", 100, 2),
    ("conf/experiment/clock_best.yaml", "# 0.73", "clock_best", [CLOCK], "common_sense_error", 1, 2),
    ("conf/experiment/mnist_gan_best.yaml", "# pixels is", "mnist_gan_best", [GAN], "frechet_distance", 1, 4),
    ("conf/experiment/mnist_gan_best.yaml", "# pixels is", "mnist_gan_best", [GAN], "precision", 1, 3),
    ("conf/experiment/cifar10_vgg.yaml", "# JPEG", "asci_vgg", [{"network": "vgg"}], "accuracy", 100, 1),
    ("conf/experiment/dogs_vs_cats.yaml", "# 79.85", "ift6135_dogs_vs_cats", [SHALLOW_FAT], "best", 100, 2),
    ("conf/experiment/dogs_vs_cats.yaml", "# 73.96", "ift6135_dogs_vs_cats", [SHALLOW_FAT], "accuracy", 100, 2),
    ("conf/experiment/mnist_cnn.yaml", "# 99.2", "ift6135_batchnorm", [{"network.dropout": 0.5}], "accuracy", 100, 2),
    ("conf/experiment/mnist_cnn.yaml", "# 99.2", "ift6135_batchnorm", [{"network.dropout": 0.5}], "best", 100, 2),
    ("conf/experiment/mnist_mlp.yaml", "# test of", "ift6135_weight_decay", DECAYS[1:], "accuracy", 100, 2),
    ("conf/experiment/clock_multihead.yaml", "# 4.54", "clock_best", [HEADS], "common_sense_error", 1, 2),
    ("conf/experiment/pairs_best.yaml", "# measured", "pairs_best", [OURS], "accuracy", 100, 2),
    ("conf/experiment/mnist_vae_best.yaml", "# test ELBO", "mnist_vae_best", [VAE], "elbo", 1, 2),
]


def test_the_projects_page_is_what_its_record_gives() -> None:
    assert (ROOT / "docs" / "results.md").read_text() == page(ROOT / "conf", ROOT / "docs"), "make results ARGS=export"


def test_the_readmes_table_is_what_the_record_gives() -> None:
    readme = (ROOT / "README.md").read_text()
    assert BEGIN in readme
    assert readme == with_bests(readme, ROOT / "conf", ROOT / "docs"), "make results ARGS=export"


def test_the_record_is_small() -> None:
    large = [file for file in (ROOT / "docs" / "results").rglob("*") if file.stat().st_size > 1_000_000]
    assert large == []
    figures = [file for file in (ROOT / "docs" / "results").glob("*/figures/*") if file.stat().st_size > 200_000]
    assert figures == []


def test_what_is_in_the_record_is_nowhere_not_yet_run(study_option: str) -> None:
    file = ROOT / "docs" / "results" / study_option / "runs.csv"
    header = (ROOT / "conf" / "study" / f"{study_option}.yaml").read_text()
    if file.is_file():
        assert "# not yet run" not in header
        assert "docs/results.md" in header
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert {row["status"] for row in rows} == {"completed"}
        assert all(json.loads(row["overrides"]) for row in rows)
    else:
        assert "docs/results.md" not in header


def test_no_run_by_the_mean_squared_error_has_a_calibration_error(study_option: str) -> None:
    """Its outputs are no logits; an earlier version measured one all the same."""
    records = read_record(ROOT / "docs" / "results" / study_option)
    others = [record for record in records if record.job["values"].get("task.criterion") == "mse"]
    assert not any(record.get("test", "expected_calibration_error") for record in others)


def test_an_experiment_of_the_record_is_nowhere_not_yet_run(study_option: str) -> None:
    """In the header of each experiment that a study in the record compares."""
    records = read_record(ROOT / "docs" / "results" / study_option)
    for experiment in {record.job["values"].get("experiment") for record in records} - {None}:
        header = (ROOT / "conf" / "experiment" / f"{experiment}.yaml").read_text()
        assert re.search(r"# .*(not yet run|in validation only)", header) is None, experiment


def test_the_record_is_of_the_settings_that_the_study_has(compose: Compose, study_option: str) -> None:
    """Of each study at most eight settings, the first and the last among them."""
    records = read_record(ROOT / "docs" / "results" / study_option)
    settings = list({str(record.get("config_hash")): record for record in records}.values())
    for record in [*settings[:7], *settings[7:][-1:]]:
        overrides = record.get("overrides")
        config = compose(*[f"study={study_option}"] * (f"study={study_option}" not in overrides), *overrides)
        config.sweep.swept = list(record.job["values"])
        assert setting_hash(config) == record.get("config_hash"), "another setting by now: README.md, Results"


def quoted(run: Recorded, metric: str) -> Any:
    if curve := run.logged.get(metric):
        return curve[max(curve)]
    return run.get("objective", "best") if metric == "best" else run.get("test", metric)


@pytest.mark.parametrize(("file", "start", "study", "settings", "metric", "factor", "decimals"), QUOTED)
def test_the_docs_quote_the_record(
    file: str, start: str, study: str, settings: list[dict[str, Any]], metric: str, factor: float, decimals: int
) -> None:
    line = next(line for line in (ROOT / file).read_text().splitlines() if line.startswith(start))
    records = read_record(ROOT / "docs" / "results" / study)
    keys = list(settings[0])
    for setting in settings:
        runs = [one for one in records if has({key: one.value(key) for key in keys}, setting)]
        found = Statistic.of(quoted(run, metric) for run in runs)
        assert found.mean is not None
        assert found.std is not None
        assert f"{factor * found.mean:.{decimals}f} ± {factor * found.std:.{decimals}f}" in line
