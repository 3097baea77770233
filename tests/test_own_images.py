"""A user's own images from the first line of a training to eval.py and resume: what is found, and what changed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]
ROOT = Path(__file__).parents[1]


def paint(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Twenty pictures of each of two classes, and a note."""
    for kind in range(2):
        for number in range(20):
            paint(tmp_path / "pets" / ("[cat]", "$dog$")[kind] / f"{number}.png", 100 * kind + number)
    (tmp_path / "pets" / "$dog$" / "notes.txt").write_text("no image")
    return tmp_path / "pets"


@pytest.fixture
def train(run_verb: Run, pets: Path) -> Run:
    small = ["data.shape=[3,8,8]", "data.std=0.289", "network.hidden=[4]", "trainer=cpu", "trainer.max_epochs=1"]
    return lambda *given: run_verb("train", "data=image_folder", f"data.images={pets}", *small, *given)


def test_a_run_says_and_records_what_it_found(train: Run, pets: Path) -> None:
    outcome = train()
    assert outcome.code == 0, outcome.err
    assert f"{pets}: 40 images, $dog$ 20, [cat] 20; " in outcome.out
    assert "left out: not an image: 1 ($dog$/notes.txt)" in outcome.out
    recorded = outcome.manifest["data"]
    assert recorded["classes"] == {"$dog$": 20, "[cat]": 20}
    assert sum(recorded["samples"].values()) == 40
    assert recorded["left_out"] == {"not an image": {"count": 1, "first": ["$dog$/notes.txt"]}}
    assert recorded["checksum"]


def test_a_run_is_neither_tested_nor_gone_on_with_on_changed_data(train: Run, run_verb: Run, pets: Path) -> None:
    outcome = train("callbacks=none")
    assert outcome.code == 0, outcome.err
    paint(pets / "[cat]" / "20.png", 77)
    before = (outcome.folder / "run.json").read_text()
    for verb, *given in (
        ("eval", f"run={outcome.folder}"),
        ("predict", f"run={outcome.folder}", "split=test"),
        ("train", f"resume={outcome.folder}", "trainer.max_epochs=2"),
    ):
        refused = run_verb(verb, *given)
        assert refused.code == 2
        assert refused.err.startswith("the data have changed since the training: ")
        assert refused.err.splitlines()[1] == "data.changed=accept goes on with them as they are now"
        assert (outcome.folder / "run.json").read_text() == before
        accepted = run_verb(verb, *given, "data.changed=accept")
        assert accepted.code == 0, accepted.err
    recorded = json.loads((outcome.folder / "run.json").read_text())
    assert recorded["data"]["checksum"] != json.loads(before)["data"]["checksum"]
    assert recorded["epochs"] == 2
    paint(pets / "[cat]" / "21.png", 78)
    assert run_verb("train", f"resume={outcome.folder}", "trainer.max_epochs=3").code == 2, "accepted once"


@pytest.mark.parametrize("name", ["[kitten]", "zebra"])
def test_classes_that_mean_something_else_are_never_accepted(train: Run, run_verb: Run, pets: Path, name: str) -> None:
    outcome = train("callbacks=none")
    (pets / "[cat]").rename(pets / name)
    for verb, *given in (("eval", f"run={outcome.folder}"), ("train", f"resume={outcome.folder}")):
        refused = run_verb(
            verb, *given, "trainer.max_epochs=2" if verb == "train" else "trainer=cpu", "data.changed=accept"
        )
        assert refused.code == 2
        there = ", ".join(sorted(["$dog$", name]))
        told = "the network has learnt $dog$, [cat], in this order; give the folders or the table these names"
        assert refused.err.strip().splitlines()[-1] == f"data: its classes are {there}; {told}"


def test_broken_images_end_a_command_in_two_lines(train: Run, pets: Path) -> None:
    (pets / "[cat]" / "broken.jpg").write_bytes(b"")
    refused = train()
    assert refused.code == 2
    assert len(refused.err.splitlines()) == 2
    assert "broken.jpg is no image that can be read (it is empty)" in refused.err


def test_a_run_is_tested_with_the_split_of_its_training(train: Run, run_verb: Run) -> None:
    """Or its training images would come into the test set; and a set without a sample is not tested on."""
    outcome = train("callbacks=none", "data.test_share=0", "test=false")
    assert outcome.code == 0, outcome.err
    for verb, split in (("eval", "split=test"), ("predict", "split=test"), ("eval", "split=val")):
        run = f"run={outcome.folder}"
        for given, then in (("test_share=0.3", "0"), ("split_seed=1", "0"), ("folds=5", "null")):
            refused = run_verb(verb, run, split, f"data.{given}")
            assert refused.code == 2
            assert refused.err.startswith(f"data.{given}: the run was trained with {then}, ")
        again = run_verb(verb, run, split, "data.eval_batch_size=7", "data.train_size=20")
        if split == "split=val":
            assert again.code == 0, again.err
        else:
            assert again.err == "split=test: the run's data have no test samples; give one of: train, val\n"


def test_a_relative_folder_is_meant_from_where_the_run_was_begun(
    train: Run, run_verb: Run, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = train("callbacks=none", "data.images=pets")
    assert outcome.code == 0, outcome.err
    monkeypatch.chdir("/")
    run = outcome.folder
    for verb, *given in (
        ("eval", f"run={run}"),
        ("predict", f"run={run}", "split=test"),
        ("train", f"resume={run}", "trainer.max_epochs=2"),
        ("train", f"resume={run}", "trainer.max_epochs=3", f"data.images={str(pets)[1:]}"),
    ):
        again = run_verb(verb, *given)
        assert again.code == 0, again.err
    assert f"data.images='{pets}'" in json.loads((run / "run.json").read_text())["overrides"]
    same = train("callbacks=none", "trainer.max_epochs=3")
    assert same.manifest["config_hash"] == json.loads((run / "run.json").read_text())["config_hash"]


def test_a_run_goes_on_whose_relative_folder_stands_in_an_experiment(
    run_verb: Run, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("conf", "src"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("atelier", "hydra_plugins"))
    shape, network = "data: {images: pets, shape: [3, 8, 8]}", "network: {hidden: [4]}"
    lines = ["# @package _global_", "defaults: [override /data: image_folder]", shape, network]
    (tmp_path / "conf" / "experiment" / "pets.yaml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    train = str(tmp_path / "src" / "train.py")
    begun = run_verb(train, "experiment=pets", "trainer=cpu", "trainer.max_epochs=1", "callbacks=none")
    assert begun.code == 0, begun.err
    monkeypatch.chdir("/")
    again = run_verb(train, f"resume={begun.folder}", "trainer.max_epochs=2")
    assert again.code == 0, again.err
    assert json.loads((begun.folder / "run.json").read_text())["epochs"] == 2


def test_the_jobs_of_a_sweep_over_relative_folders_are_the_settings_of_runs_by_hand(
    train: Run, run_verb: Run, pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pets, tmp_path / "birds")
    monkeypatch.chdir(tmp_path)
    fast = ["callbacks=none", "test=false"]
    swept = train("-m", *fast, "data.images=pets,birds")
    assert swept.code == 0, swept.err
    alone = train(*fast, "data.images=./birds").manifest
    (sweep,) = swept.logs.glob("sweeps/*/*/")
    jobs = [json.loads((sweep / str(number) / "run.json").read_text()) for number in (0, 1)]
    known = [job["config_hash"] for job in json.loads((sweep / "sweep.json").read_text())["jobs"]]
    assert [job["config_hash"] for job in jobs] == known
    assert len(set(known)) == 2
    assert [job["values"] for job in json.loads((sweep / "sweep.json").read_text())["jobs"]] == [
        {"data.images": "pets"},
        {"data.images": "birds"},
    ]
    assert alone["overrides"] == [*alone["overrides"][:-1], f"data.images='{tmp_path / 'birds'}'"]


def test_a_run_without_test_images_is_not_tested_and_says_so(train: Run) -> None:
    outcome = train("callbacks=none", "data.test_share=0")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Beware: no sample to test on\n" in outcome.out
    assert outcome.manifest["test"] == {}
