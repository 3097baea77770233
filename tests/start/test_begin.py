"""A training that starts from other weights: what it takes, what it records, how it resumes, what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from atelier.compose.build import build_task
from atelier.compose.preflight import check_job
from atelier.compose.targets import plain
from atelier.runs.folder import read_yaml
from atelier.runs.setting import setting_hash
from atelier.start.begin import prepare, settle

Run = Callable[..., Any]
Compose = Callable[..., Any]
ROOT = Path(__file__).parents[2]
STILL = ["optimizer=sgd", "optimizer.lr=0", "trainer.max_epochs=1"]  # statistics of batch norm change all the same


@pytest.fixture
def file(source: Any, weights: Any, tmp_path: Path) -> Path:
    """The weights of the finished run in a file, under the names of the network."""
    tensors = {
        name.removeprefix("network."): tensor.contiguous()
        for name, tensor in weights(source.folder).items()
        if name.startswith("network.")
    }
    save_file(tensors, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def learnt(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in tensors.items() if name.endswith(("weight", "bias"))}


def test_a_process_that_was_told_no_checksum_compares_none(compose: Compose, small: list[str], file: Path) -> None:
    """As one of several that look for a learning rate: the first process alone settles it."""
    config = compose(*small, f"start.weights={file}")
    lines, record = prepare(build_task(config).network, plain(config))
    assert len(lines) >= 1
    assert record["file"] == str(file)


@pytest.mark.parametrize("kind", ["run", "file"])
def test_a_new_run_begins_with_the_weights_of_a_run_or_a_file(
    run_verb: Run, small: list[str], source: Any, file: Path, weights: Any, kind: str
) -> None:
    named = {"run": source.folder, "file": file}[kind]
    outcome = run_verb("train", *small, *STILL, f"start.weights={named}", "seed=5")
    assert (outcome.code, outcome.err) == (0, "")
    before, after = learnt(weights(source.folder)), learnt(weights(outcome.folder))
    assert all(torch.equal(before[name], after[name]) for name in before)
    start, count = outcome.manifest["start"], len([n for n in weights(source.folder) if n.startswith("network.")])
    taken_from = file if kind == "file" else source.folder / "checkpoints" / "best.ckpt"
    assert f"start.weights: {count} of the network's {count} tensors are taken from {taken_from}" in outcome.out
    assert (start["taken"], start["missing"], start["other_shape"]) == (count, [], {})
    assert start["file"] == str(taken_from)
    assert start["checksum"] == outcome.manifest["start"]["checksum"]


def test_the_last_layer_for_other_classes_is_named_and_trained_anew(
    run_verb: Run, small: list[str], source: Any, weights: Any
) -> None:
    data = ["data=random_images", "data.shape=[1,8,8]", "data.num_classes=4", "data.num_images=300"]
    outcome = run_verb("train", *small, *data, *STILL, f"start.weights={source.folder}")
    assert outcome.code == 0, outcome.err
    assert "of another shape: " in outcome.out
    assert "weight [10, 8] → [4, 8]" in outcome.out
    before, after = learnt(weights(source.folder)), learnt(weights(outcome.folder))
    assert all(torch.equal(before[name], after[name]) for name in before if "features" in name)


def test_the_generators_are_not_touched(run_verb: Run, small: list[str], source: Any, file: Path) -> None:
    """The order of the samples and the masks of dropout are those of the same run with weights of its own."""
    runs = [run_verb("train", *small, f"start.weights={named}") for named in (source.folder, file)]
    assert runs[0].metrics == runs[1].metrics


# ---------------------------------------------------------------------- the setting


def test_the_weights_count_for_the_setting_and_their_path_does_not(compose: Compose, file: Path) -> None:
    def hashed(path: Path) -> str:
        config = compose(f"start.weights={path}")
        settle(config)
        assert config.start.checksum is not None
        return setting_hash(config)

    copied = Path(shutil.copy(file, file.with_name("copy.safetensors")))
    assert hashed(file) == hashed(copied) != setting_hash(compose())
    save_file({"a": torch.ones(1)}, copied)
    assert hashed(file) != hashed(copied)
    frozen = setting_hash(compose("start.freeze=[layers]"))
    assert frozen not in (hashed(file), setting_hash(compose()))


def test_earlier_runs_without_the_keys_keep_their_setting(compose: Compose) -> None:
    config, earlier = compose(), compose()
    del earlier.start
    assert setting_hash(config) == setting_hash(earlier)


@pytest.mark.parametrize("given", [None, "0badc0de"])
def test_a_checksum_that_was_typed_is_compared(
    run_verb: Run, small: list[str], source: Any, tmp_path: Path, given: str | None
) -> None:
    outcome = run_verb("train", *small, *STILL, f"start.weights={source.folder}", "test=false", logs=tmp_path / "a")
    found = given or outcome.manifest["start"]["checksum"]
    typed = [f"start.weights={source.folder}", f"start.checksum='{found}'", "test=false"]
    again = run_verb("train", *small, *STILL, *typed, logs=tmp_path / "b")
    assert again.code == (0 if given is None else 2), again.err
    if given:
        assert "not start.checksum=0badc0de" in again.err
        assert not (tmp_path / "b").exists()


# ---------------------------------------------------------------------- going on


def test_a_resumed_run_goes_on_from_its_own_checkpoint_also_if_the_file_is_gone(
    run_verb: Run, small: list[str], file: Path
) -> None:
    named = [f"start.weights={file}", "start.freeze=[features.0]", "scheduler=constant"]
    whole = run_verb("train", *small, *named, "trainer.max_epochs=3")
    begun = run_verb("train", *small, *named)
    file.unlink()
    resumed = run_verb("train", f"resume={begun.folder}", "trainer.max_epochs=3")
    assert (resumed.code, resumed.err) == (0, "")
    assert "start.weights:" not in resumed.out
    assert "start.freeze:" in resumed.out
    assert begun.metrics == whole.metrics
    assert begun.manifest["config_hash"] == whole.manifest["config_hash"]
    assert begun.manifest["start"] == whole.manifest["start"]
    assert run_verb("eval", f"run={begun.folder}").code == 0


def test_a_run_that_ended_before_its_first_checkpoint_begins_again_with_the_same_weights(
    run_verb: Run, small: list[str], source: Any, file: Path
) -> None:
    begun = run_verb("train", *small, *STILL, f"start.weights={file}")
    metrics = begun.metrics
    for path in begun.folder.glob("checkpoints/*.ckpt"):
        path.unlink()
    (begun.folder / "metrics.csv").unlink()
    manifest = begun.manifest
    (begun.folder / "run.json").write_text(json.dumps({**manifest, "status": "failed", "steps": 0, "epochs": 0}))
    again = run_verb("train", f"resume={begun.folder}")
    assert (again.code, again.err) == (0, "")
    assert begun.metrics == metrics
    for path in begun.folder.glob("checkpoints/*.ckpt"):
        path.unlink()
    (begun.folder / "run.json").write_text(json.dumps({**manifest, "status": "failed", "steps": 0, "epochs": 0}))
    save_file({"a": torch.ones(1)}, file)
    refused = run_verb("train", f"resume={begun.folder}")
    assert refused.code == 2
    assert f"this run began with the weights {manifest['start']['checksum']}, these are " in refused.err


@pytest.mark.parametrize("typed", ["start.freeze=[features]", "start.weights=elsewhere", "start.freeze=null"])
def test_what_a_run_started_from_cannot_change_when_it_goes_on(
    run_verb: Run, small: list[str], source: Any, tmp_path: Path, typed: str
) -> None:
    folder = Path(shutil.copytree(source.folder, tmp_path / "run"))
    outcome = run_verb("train", f"resume={folder}", typed, "trainer.max_epochs=3")
    assert outcome.code == 2
    assert "a run keeps what it started from" in outcome.err


# ---------------------------------------------------------------------- other tasks


GENERATIVE = ["trainer=cpu", "data.train_size=64", "trainer.max_epochs=1", "callbacks=none", "features=pixels"]


@pytest.mark.parametrize("experiment", ["digits_gan", "digits_vae"])
def test_tasks_with_several_networks_start_from_others(run_verb: Run, weights: Any, experiment: str) -> None:
    average = ["task.average=0.9"] if experiment == "digits_gan" else []
    begun = run_verb("train", f"experiment={experiment}", *GENERATIVE, *average)
    still = ["optimizer=sgd", "optimizer.lr=0", "seed=4"]
    still += ["task.generator_lr=0", "task.discriminator_lr=0"] if average else []
    outcome = run_verb(
        "train", f"experiment={experiment}", *GENERATIVE, *average, *still, f"start.weights={begun.folder}"
    )
    assert (outcome.code, outcome.err) == (0, "")
    before, after = learnt(weights(begun.folder, "last")), learnt(weights(outcome.folder, "last"))
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("network."))
    last = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert ("raw_weights" in last) == bool(average)
    for name, one in last.get("raw_weights", {}).items():
        assert torch.equal(one, after[name]), "the average starts from them, too"


# ---------------------------------------------------------------------- refused


REFUSED = [
    (["experiment=fashion_finetune", "data.source=fake"], "start.weights="),  # the run of mnist_cnn is not there
    (["start.weights=nothing.pth"], "start.weights=nothing.pth: there is no such file and no run folder"),
    (["start.weights=latest"], "start.weights=latest: there is no run under "),
    (["start.weights=DEFAULT"], "start.weights=DEFAULT: there is no such file; only network=torchvision has publ"),
    (["start=nothing.pth"], "start=nothing.pth: give it as start.weights=nothing.pth"),
    (["start.weight=a"], "start.weight"),
    (["start.weights=3"], "start.weights=3: give text or null"),
    (["train=false", "checkpoint=a.ckpt", "start.weights=a.pth"], "start.weights=a.pth: train=false trains nothing"),
    (["train=false", "checkpoint=a.ckpt", "start.freeze=[a]"], "start.freeze=['a']: train=false trains nothing"),
]


@pytest.mark.parametrize(("overrides", "words"), REFUSED, ids=[" ".join(one) for one, _ in REFUSED])
def test_what_cannot_be_started_from_is_told_before_anything_is_made(
    run_verb: Run, tmp_path: Path, overrides: list[str], words: str
) -> None:
    outcome = run_verb("train", "trainer=cpu", *overrides, logs=tmp_path / "logs")
    assert outcome.code == 2
    assert outcome.err.startswith(words)
    assert len(outcome.err.splitlines()) <= 2
    assert not (tmp_path / "logs").exists()


def test_weights_of_which_none_fits_are_told_with_a_name_of_each(
    run_verb: Run, small: list[str], tmp_path: Path
) -> None:
    save_file({"other": torch.ones(2)}, tmp_path / "a.safetensors")
    outcome = run_verb("train", *small, f"start.weights={tmp_path / 'a.safetensors'}")
    assert outcome.code == 2
    assert "none of its 1 tensors fits the network by name and shape;\nit begins with other [2]" in outcome.err
    assert outcome.manifest["status"] == "failed"


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (["start.weights=nothing.safetensors"], "start.weights=nothing.safetensors: there is no such file"),
        (["start.weights=latest", "sweep.swept=[seed]"], "start.weights=latest: the latest run may change"),
        (["network=torchvision", "start.weights=IMAGENET"], "start.weights=IMAGENET: mobilenet_v3_small has no 'IM"),
    ],
    ids=str,
)
def test_a_sweep_says_it_before_its_first_job(data_dir: Path, job: list[str], words: str) -> None:
    problem = check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, ["seed"], ["trainer=cpu", *job])["problem"]
    assert problem.startswith(words)


def test_a_sweep_knows_the_setting_of_a_job_that_starts_from_others(
    run_verb: Run, small: list[str], source: Any, data_dir: Path
) -> None:
    job = [*small, *STILL, f"start.weights={source.folder}"]
    facts = check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, ["seed"], job)
    assert facts["config_hash"] == run_verb("train", *job).manifest["config_hash"]


def test_the_latest_run_is_the_one_before(run_verb: Run, small: list[str], weights: Any) -> None:
    before = run_verb("train", *small).folder
    logs = before.parents[2]
    outcome = run_verb("train", *small, *STILL, "start.weights=latest", logs=logs)
    assert outcome.code == 0, outcome.err
    (after,) = {*logs.glob("runs/*/*")} - {before}
    assert read_yaml(after / "config.yaml")["start"]["weights"] == str(before / "checkpoints" / "best.ckpt")
    begun, learnt_by = learnt(weights(after)), learnt(weights(before))
    assert all(torch.equal(begun[name], learnt_by[name]) for name in begun)


@pytest.mark.slow
def test_two_processes_start_from_the_latest_run(run_process: Run, small: list[str], weights: Any) -> None:
    begun = run_process("train", *small)
    typed = [one for one in small if one != "trainer=cpu"]
    many = [*typed, *STILL, "trainer=ddp_cpu", "start.weights=latest", "start.freeze=[features]"]
    outcome = run_process("train", *many, f"paths.run={begun.logs / 'second'}", logs=begun.logs, python=())
    assert (outcome.code, outcome.err) == (0, "")
    before, after = learnt(weights(begun.folder)), learnt(weights(begun.logs / "second"))
    assert all(torch.equal(before[name], after[name]) for name in before)
