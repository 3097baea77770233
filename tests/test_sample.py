"""GANs and VAEs from the command line: training, resuming, pictures while training, and all that `sample.py` draws."""

import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from atelier.compose.features import first_finished
from atelier.data.loader import TensorSet
from atelier.figures.made import Sampler, nearest, on_sphere, straight, train_pictures

Run = Callable[..., Any]
DIGITS = ["trainer=cpu", "data.train_size=160", "trainer.check_val_every_n_epoch=1", "task.reference_size=200"]
SMALL_GAN = ["experiment=digits_gan", "generator.hidden=[16,16]", "discriminator.hidden=[16]", *DIGITS]
SMALL_VAE = [
    "experiment=digits_vae",
    "encoder.hidden=[16]",
    "decoder.hidden=[16]",
    "task.importance_samples=2",
    *DIGITS,
]
STEPS = 5  # of an epoch: 160 pictures in batches of 32
KINDS = ("grid", "interpolation", "neighbours", "reconstructions", "walk")


@pytest.fixture(scope="module")
def logs(run_verb: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a small feature network lies already."""
    folder = tmp_path_factory.mktemp("generative")
    small = ["network.blocks=[4]", "network.hidden=[8]", "trainer.max_epochs=1", "trainer=cpu", "callbacks=none"]
    assert run_verb("train", "experiment=digits_features", *small, logs=folder).code == 0
    return folder


@pytest.fixture(scope="module")
def gan(run_verb: Run, logs: Path) -> Any:
    return run_verb("train", *SMALL_GAN, "trainer.max_epochs=4", f"paths.run={logs / 'gan'}", logs=logs)


@pytest.fixture(scope="module")
def vae(run_verb: Run, logs: Path) -> Any:
    return run_verb("train", *SMALL_VAE, "trainer.max_epochs=4", f"paths.run={logs / 'vae'}", logs=logs)


def column(folder: Path, name: str) -> list[float]:
    rows = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
    return [float(row[name]) for row in rows if row.get(name)]


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def frames_of(path: Path) -> int:
    with Image.open(path) as image:
        return image.n_frames


# ---------------------------------------------------------------------- training


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


def test_scores_are_kept_with_the_network_that_they_are_of(gan: Any, logs: Path) -> None:
    kept = json.loads((logs / "gan" / "figures" / "quality.json").read_text())
    assert sum(kept["class_shares"].values()) == pytest.approx(1)
    assert set(kept["class_shares"]) == set("0123456789")
    (network,) = (logs / "runs" / "digits_features").glob("*/")
    assert kept["features"]["run"] == str(network)
    checkpoint = torch.load(logs / "gan" / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["features"] == kept["features"]
    assert not [name for name in checkpoint["state_dict"] if "features" in name or "quality" in name]


def test_pictures_are_drawn_while_training(gan: Any, vae: Any, logs: Path) -> None:
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


# ---------------------------------------------------------------------- resuming

SETTINGS = {
    "gan": [*SMALL_GAN, "task.discriminator_steps=2", "task.average=0.9", "scheduler=exponential"],
    "vae": [*SMALL_VAE, "task.warmup_epochs=2", "task.binarise=true", "scheduler=cosine"],
}


@pytest.mark.parametrize(("kind", "steps"), [("gan", 3), ("gan", STEPS), ("vae", STEPS + 1)])
def test_a_stopped_run_resumes_to_the_same_metrics_and_weights(
    run_verb: Run, tmp_path: Path, kind: str, steps: int, whole: Callable[[str], Path]
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
        stopped = run_verb("train", *SETTINGS[kind], *SHORT, logs=tmp_path)
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


SHORT = ["features=pixels", "trainer.max_epochs=3", "callbacks=none", "save_every=0"]


@pytest.fixture(scope="module")
def whole(run_verb: Run) -> Callable[[str], Path]:
    """The folder of a run of `SETTINGS` that nothing stopped."""
    known: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in known:
            known[kind] = run_verb("train", *SETTINGS[kind], *SHORT).folder
        return known[kind]

    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_two_processes_train_one_run(run_process: Run, run_verb: Run, kind: str) -> None:
    small = [override for override in {"gan": SMALL_GAN, "vae": SMALL_VAE}[kind] if override != "trainer=cpu"]
    both = [*small, "features=pixels", "trainer=ddp_cpu", "trainer.max_epochs=2", "callbacks=none"]
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


# ---------------------------------------------------------------------- trainer settings


def test_gradients_are_clipped_as_in_any_other_run(run_verb: Run) -> None:
    outcome = run_verb("train", *SMALL_GAN, *SHORT, "trainer.gradient_clip_val=0.5", "trainer.max_epochs=1")
    assert (outcome.code, outcome.err) == (0, "")


def test_accumulated_gradients_are_refused(run_verb: Run) -> None:
    outcome = run_verb("train", *SMALL_GAN, *SHORT, "trainer.accumulate_grad_batches=2")
    assert outcome.code == 2
    assert "trainer.accumulate_grad_batches=2: this task steps at every batch" in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_bf16_trains(run_verb: Run, kind: str) -> None:
    small = {"gan": [*SMALL_GAN, "task.loss=wgan_gp"], "vae": SMALL_VAE}[kind]
    outcome = run_verb("train", *small, *SHORT, "trainer.precision=bf16-mixed")
    assert (outcome.code, outcome.err) == (0, "")
    assert all(np.isfinite(value) for value in outcome.manifest["test"].values())


@pytest.mark.slow
def test_a_missing_feature_network_is_trained_once(run_verb: Run, tmp_path: Path) -> None:
    short = ["trainer.max_epochs=1", "callbacks=none", "test=false"]
    first = run_verb("train", *SMALL_GAN, *short, logs=tmp_path)
    assert first.code == 0, first.err
    assert "training experiment=digits_features" in first.out
    second = run_verb("train", *SMALL_GAN, *short, logs=tmp_path)
    assert "training experiment=digits_features" not in second.out
    assert len(list((tmp_path / "runs" / "digits_features").glob("*/run.json"))) == 1


def test_the_first_finished_run_gives_the_features_and_none_for_debugging(tmp_path: Path) -> None:
    runs = {
        "1": {"status": "failed", "overrides": []},
        "2": {"status": "completed", "overrides": ["experiment=digits_features", "debug=fast"]},
        "3": {"status": "completed", "overrides": ["experiment=digits_features", "seed=1"]},
        "4": {"status": "completed", "overrides": []},
    }
    assert first_finished(tmp_path) is None
    for name, manifest in runs.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(manifest))
    found = first_finished(tmp_path)
    assert found is not None
    assert found.path.name == "3"


# ---------------------------------------------------------------------- sample.py


@pytest.mark.parametrize(
    ("kind", "what"), [*(("vae", what) for what in KINDS), ("gan", "grid"), ("gan", "reconstructions")]
)
def test_every_kind_of_sample_is_drawn_with_its_numbers(
    run_verb: Run, request: pytest.FixtureRequest, logs: Path, tmp_path: Path, kind: str, what: str
) -> None:
    request.getfixturevalue(kind)
    options = [f"run={logs / kind}", f"what={what}", "n=4", "seed=3", f"output={tmp_path}", "trainer=cpu"]
    outcome = run_verb("sample", *options, logs=logs)
    if (kind, what) == ("gan", "reconstructions"):
        assert outcome.code == 2
        assert "only a VAE has them" in outcome.err
        return
    assert (outcome.code, outcome.err) == (0, "")
    assert min(picture(tmp_path / f"{what}.png").shape[:2]) > 50
    numbers = json.loads((tmp_path / f"{what}.json").read_text())
    assert {key: numbers[key] for key in ("what", "n", "seed")} == {"what": what, "n": 4, "seed": 3}
    check = {
        "grid": lambda: sum(numbers["classes"].values()) == 4,
        "interpolation": lambda: len(numbers["spherical"]["change_of_each_step"]) == 4,
        "neighbours": lambda: len(numbers["training_rows"]) == 4 and min(numbers["distances"]) > 0,
        "reconstructions": lambda: len(set(numbers["test_rows"])) == 4 and max(numbers["mean_squared_errors"]) < 0.3,
        "walk": lambda: frames_of(tmp_path / "walk.gif") == 4 * numbers["steps"],
    }
    assert check[what]()


def test_a_training_image_is_found_as_its_own_neighbour() -> None:
    class Task:
        def as_pictures(self, images: torch.Tensor) -> torch.Tensor:
            return images * 0.4 + 0.3

    class Data:
        def __init__(self) -> None:
            self.sets: dict[str, TensorSet] = {}

        def normalise(self, images: torch.Tensor) -> torch.Tensor:
            return (images / 255 - 0.3) / 0.4

    data = Data()
    images = torch.randint(256, (30, 1, 8, 8), dtype=torch.uint8)
    data.sets["train"] = TensorSet(images, torch.zeros(30), torch.arange(10, 30))
    sampler = Sampler(Task(), data, None, 0, Path("unused"))
    distances, rows = nearest(sampler, train_pictures(sampler, torch.tensor([7, 0, 19])))
    assert rows.tolist() == [7, 0, 19]
    assert distances.max() < 1e-2
    torch.testing.assert_close(train_pictures(sampler, torch.tensor([7])), images[17:18] / 255)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["what=gird"], "what=gird: choose from: grid, interpolation, neighbours, reconstructions, walk"),
        (["n=0"], "n=0: give a number of 1 or more"),
        (["seed=-1"], "seed=-1: give a whole number of 0 or more"),
    ],
)
def test_wrong_options_are_told(run_verb: Run, tmp_path: Path, options: list[str], message: str) -> None:
    outcome = run_verb("sample", f"run={tmp_path}", *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_run_that_makes_no_pictures_is_told(run_verb: Run, logs: Path) -> None:
    (classifier,) = (logs / "runs" / "digits_features").glob("*/")
    outcome = run_verb("sample", f"run={classifier}", "trainer=cpu")
    assert outcome.code == 2
    assert "its task, Classifier, makes no pictures" in outcome.err


def test_ways_between_latents() -> None:
    first, last = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    assert straight(first, last, 3).tolist() == [[2, 0], [1, 2], [0, 4]]
    way = on_sphere(first, last, 5)
    torch.testing.assert_close(way.norm(dim=1), torch.tensor([2.0, 2.5, 3.0, 3.5, 4.0]))
    angles = torch.atan2(way[:, 1], way[:, 0])
    torch.testing.assert_close(angles, torch.linspace(0, torch.pi / 2, 5))
    torch.testing.assert_close(on_sphere(first, 2 * first, 3), torch.tensor([[2.0, 0.0], [3.0, 0.0], [4.0, 0.0]]))
