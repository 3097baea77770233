"""GANs and VAEs trained from the command line: what a run logs, keeps and draws, and what its trainer may be set to."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atelier.errors import InputError

Run = Callable[..., Any]
Small = dict[str, list[str]]
STEPS = 5  # of an epoch: 160 pictures in batches of 32


def column(folder: Path, name: str) -> list[float]:
    rows = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
    return [float(row[name]) for row in rows if row.get(name)]


@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_a_run_ends_well_and_counts_batches_as_steps(kind: str, request: pytest.FixtureRequest, logs: Path) -> None:
    outcome = request.getfixturevalue(kind)
    assert (outcome.code, outcome.err) == (0, "")
    manifest = json.loads((logs / kind / "run.json").read_text())
    assert (manifest["epochs"], manifest["steps"]) == (4, 4 * STEPS)
    assert manifest["objective"]["best"] is not None
    assert manifest["test"].keys() >= {"frechet_distance", "frechet_floor", "precision", "recall", "classes_found"}


def test_both_losses_of_a_gan_are_logged_each_epoch(gan: Any, logs: Path) -> None:
    for name in ("train/generator_loss", "train/discriminator_loss", "val/frechet_distance"):
        assert len(column(logs / "gan", name)) == 4


def test_a_vaes_terms_fit_together(vae: Any, logs: Path) -> None:
    """In nats per image of 64 values; the likelihood is a cross-entropy, since the pictures are gray."""
    for split in ("train", "val", "test"):
        elbo, reconstruction, kl, bits = (
            column(logs / "vae", f"{split}/{name}") for name in ("elbo", "reconstruction", "kl", "bits_per_dimension")
        )
        assert np.allclose(np.subtract(reconstruction, kl), elbo, rtol=1e-5)
        assert np.allclose(-np.array(elbo) / (64 * np.log(2)), bits, rtol=1e-5)
    assert column(logs / "vae", "test/log_likelihood")[0] > column(logs / "vae", "test/elbo")[0] - 0.5
    elbos = column(logs / "vae", "val/elbo")
    assert elbos[-1] > elbos[0]


@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_testing_again_gives_the_same_numbers(
    kind: str, request: pytest.FixtureRequest, run_verb: Run, logs: Path
) -> None:
    request.getfixturevalue(kind)
    outcome = run_verb("eval", f"run={logs / kind}", "trainer=cpu", "+callbacks=quality", logs=logs)
    assert (outcome.code, outcome.err) == (0, "")
    again = json.loads((logs / kind / "evaluation/test/figures/quality.json").read_text())
    assert again == json.loads((logs / kind / "figures" / "quality.json").read_text())


def test_scores_are_kept_with_the_network_that_they_are_of(gan: Any, logs: Path, classifier: Path) -> None:
    kept = json.loads((logs / "gan" / "figures" / "quality.json").read_text())
    assert sum(kept["class_shares"].values()) == pytest.approx(1)
    assert set(kept["class_shares"]) == set("0123456789")
    assert kept["features"]["run"] == str(classifier)
    assert json.loads((logs / "gan" / "run.json").read_text())["features"] == kept["features"]
    checkpoint = torch.load(logs / "gan" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["features"] == kept["features"]
    assert not [name for name in checkpoint["state_dict"] if "features" in name or "quality" in name]


def test_pictures_are_drawn_while_training(gan: Any, vae: Any, logs: Path, picture: Any, frames_of: Any) -> None:
    for kind in ("gan", "vae"):
        figures = logs / kind / "figures"
        frames = [f"epoch_000{epoch}.png" for epoch in range(5)]
        assert sorted(file.name for file in (figures / "latents").iterdir()) == frames
        assert frames_of(figures / "latents.gif") == 5
        assert picture(figures / "latents.png").shape[1] > 500
        first, last = (picture(figures / "latents" / frames[k]) for k in (0, 4))
        assert first.shape == last.shape
        assert (first != last).any()
    assert (logs / "gan" / "figures" / "losses.png").is_file()
    assert frames_of(logs / "vae" / "figures" / "reconstructions.gif") == 4
    assert not (logs / "gan" / "figures" / "reconstructions").exists()


def test_gradients_are_clipped_as_in_any_other_run(run_verb: Run, small_models: Small, short: list[str]) -> None:
    outcome = run_verb("train", *small_models["gan"], *short, "trainer.gradient_clip_val=0.5", "trainer.max_epochs=1")
    assert (outcome.code, outcome.err) == (0, "")


def test_accumulated_gradients_are_refused(run_verb: Run, small_models: Small, short: list[str]) -> None:
    outcome = run_verb("train", *small_models["gan"], *short, "trainer.accumulate_grad_batches=2")
    assert outcome.code == 2
    assert "trainer.accumulate_grad_batches=2: this task steps at every batch" in outcome.err


@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_a_training_that_diverges_ends_as_a_run(
    run_verb: Run, kind: str, small_models: Small, short: list[str]
) -> None:
    diverging = ["features=pixels", "optimizer=sgd", "optimizer.lr=1e30"]
    outcome = run_verb("train", *small_models[kind], *short, *diverging)
    assert outcome.code == 0, outcome.err
    assert "try a smaller optimizer.lr" in outcome.err
    assert (outcome.manifest["status"], outcome.manifest["objective"]["best"]) == ("completed", None)
    assert math.isnan(outcome.manifest["test"]["frechet_distance"])


@pytest.mark.parametrize(
    ("kind", "figure", "told"),
    [
        ("vae", "plane", "only for two latents (task.latent_size=2); this network has 8"),
        ("gan", "reconstructions", "only a VAE has them; choose from: grid, interpolation, neighbours, plane, walk"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_told_before_the_training(
    run_verb: Run, small_models: Small, kind: str, figure: str, told: str
) -> None:
    outcome = run_verb("train", *small_models[kind], "features=pixels", f"callbacks.made_pictures.kinds=[{figure}]")
    assert outcome.code == 2
    assert outcome.err.endswith(f"callbacks.made_pictures.kinds: {figure}: {told}\n")
    assert outcome.manifest["steps"] == 0


def test_a_vae_of_what_are_no_pictures_draws_none(run_verb: Run) -> None:
    small = ["trainer=cpu", "trainer.max_epochs=1", "encoder.hidden=[4]", "decoder.hidden=[4]", "data.train_size=100"]
    outcome = run_verb("train", "experiment=digits_vae", "features=pixels", "data=disk", *small)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.manifest["test"]
    drawn = {path.stem for path in (outcome.folder / "figures").rglob("*.png")}
    assert not drawn & {"interpolation", "neighbours", "reconstructions", "latents"}


def test_a_test_is_kept_if_a_figure_after_it_fails(
    run_verb: Run, small_models: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise InputError("no room")

    monkeypatch.setattr("atelier.callbacks.made_pictures.draw", fail)
    outcome = run_verb("train", *small_models["vae"], "features=pixels", "trainer.max_epochs=1")
    assert outcome.code == 2
    assert (outcome.manifest["status"], outcome.manifest["test"].keys() >= {"elbo", "kl"}) == ("failed", True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_bf16_trains(run_verb: Run, kind: str, small_models: Small, short: list[str]) -> None:
    small = [*small_models[kind], *["task.loss=wgan_gp"] * (kind == "gan")]
    outcome = run_verb("train", *small, *short, "trainer.precision=bf16-mixed")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(np.isfinite(value) for value in outcome.manifest["test"].values())


def test_a_training_that_ends_early_has_pictures_of_its_end(run_verb: Run, small_models: Small) -> None:
    still = ["features=pixels", "optimizer=sgd", "optimizer.lr=0", "trainer.patience=2", "trainer.max_epochs=50"]
    seldom = ["callbacks.reconstructions.frames=1", "callbacks.latent_pictures.frames=1"]
    outcome = run_verb("train", *small_models["vae"], *still, *seldom, "test=false")
    assert outcome.code == 0, outcome.err
    done = outcome.manifest["epochs"]
    assert done < 25
    for kind in ("reconstructions", "latents"):
        assert (outcome.folder / "figures" / kind / f"epoch_{done:04d}.png").is_file()


def test_pictures_of_two_channels_are_drawn(run_verb: Run) -> None:
    small = ["trainer=cpu", "trainer.max_epochs=1", "encoder.hidden=[4]", "decoder.hidden=[4]"]
    pairs = ["data=digit_pairs_digits", "data.train_pairs=200", "data.augment=false"]
    outcome = run_verb("train", "experiment=digits_vae", *pairs, "features=pixels", *small)
    assert (outcome.code, outcome.err) == (0, "")
    assert (outcome.folder / "figures" / "latents.png").is_file()


def test_a_test_that_cannot_begin_records_nothing(
    run_verb: Run, small_models: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise InputError("the checkpoint is gone")

    monkeypatch.setattr("atelier.runs.run.Run.to_test", refuse)
    watching = ["callbacks=watch_test", "trainer.max_epochs=1"]
    outcome = run_verb("train", "network.hidden=[4]", "trainer=cpu", *watching)
    assert (outcome.code, outcome.err) == (2, "the checkpoint is gone\n")
    assert outcome.manifest["test"] == {}
