"""What is known of a sweep's job before it starts."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.accelerators import CUDAAccelerator
from omegaconf import OmegaConf

from atelier.compose.preflight import check_job, composed_value

ROOT = Path(__file__).parents[2]


def test_keys_that_a_job_does_not_set_have_the_value_that_it_composes_to(data_dir: Path) -> None:
    swept = ["activation", "network.hidden", "network.dropout", "network.batch_norm", "scheduler", "nothing.of_that"]
    job = ["network=mlp", "network.batch_norm=true", "activation=tanh", "trainer=cpu"]
    facts = check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, swept, job)
    known = facts["values"]
    assert (known["activation"], known["network.batch_norm"], known["nothing.of_that"]) == ("tanh", "true", "")
    assert known["scheduler"] == "constant"
    assert float(known["network.dropout"]) == 0.0
    assert known["network.hidden"].startswith("[")


@pytest.mark.parametrize(("swept", "settings"), [([], 1), (["trainer.precision"], 2)])
def test_what_a_sweep_varies_counts_in_the_settings_of_its_jobs(
    data_dir: Path, swept: list[str], settings: int
) -> None:
    """As in the runs' own, or a job that has not begun would stand in a row of its own."""
    jobs = (["network=mlp", "trainer=cpu", f"trainer.precision={bits}"] for bits in ("32-true", "64-true"))
    facts = (check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, swept, job) for job in jobs)
    assert len({one["config_hash"] for one in facts}) == settings


@pytest.fixture
def of_devices(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The facts of a job with these overrides, where `here` are so many GPUs, or on a cluster's node with `gpus`."""
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))

    def check(*overrides: str, here: int = 1, gpus: int | None = None) -> dict[str, Any]:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: here)
        facts = check_job(ROOT, {"DATA_DIR": str(data_dir)}, gpus, [], ["network=mlp", *overrides])
        assert "problem" not in facts, facts
        return facts

    return check


@pytest.mark.parametrize("every", ["trainer=ddp", "trainer.devices=auto", "trainer.devices=-1", "trainer=fsdp"])
def test_every_device_counts_as_so_many(of_devices: Any, every: str) -> None:
    """One GPU and four are batches of another size, whatever was typed."""
    one, four = of_devices(every, here=1), of_devices(every, here=4)
    assert (one["devices"], four["devices"]) == (1, 4)
    assert one["config_hash"] != four["config_hash"] == of_devices(every, "trainer.devices=4", here=4)["config_hash"]


def test_every_device_of_a_clusters_node_counts_as_so_many(of_devices: Any) -> None:
    on_cluster = of_devices("trainer=ddp", here=0, gpus=4)
    assert on_cluster["devices"] == 4
    assert on_cluster["config_hash"] == of_devices("trainer=ddp", here=4)["config_hash"]
    on_processor = of_devices("trainer=cpu", "trainer.devices=auto", here=0, gpus=4)
    assert on_processor["devices"] == 1
    assert on_processor["config_hash"] == of_devices()["config_hash"]


@pytest.mark.parametrize(("listed", "gpus"), [("[1]", None), ("[1,3]", None), ("[1,3]", 4)])
def test_listed_devices_are_a_problem_of_the_job(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, listed: str, gpus: int | None
) -> None:
    """A job sees its own GPUs alone, counted from 0."""
    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    job = ["network=mlp", "trainer=ddp", f"trainer.devices={listed}"]
    problem = check_job(ROOT, {"DATA_DIR": str(data_dir)}, gpus, [], job)["problem"]
    numbers = listed.strip("[]")
    typed = f"trainer.devices={len(numbers.split(','))}", f"CUDA_VISIBLE_DEVICES={numbers}"
    assert [words for words in typed if words not in problem] == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trainer.strategy=foo", ["strategy", "foo", "ddp"]),
        ("+trainer.gradient_clip_algorithm=foo", ["gradient_clip_algorithm", "foo", "norm"]),
        ("+trainer.benchmark=true +trainer.barebones=true", ["barebones"]),
    ],
)
def test_what_lightning_refuses_is_a_problem_of_the_job(data_dir: Path, override: str, words: list[str]) -> None:
    job = ["network=mlp", "trainer=cpu", *override.split()]
    problem = check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, [], job)["problem"]
    assert [word for word in words if word not in problem] == []


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("penalty=null", "penalty=null: give penalty the name of one of its options; --help lists them"),
        ("trainer.logger=false", "trainer.logger=false: the run sets trainer.logger itself; use logger=NAME"),
    ],
)
def test_what_nobody_may_type_is_refused_in_a_job_too(data_dir: Path, override: str, told: str) -> None:
    """A study's file has such values, and no command line."""
    assert check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, [], [override]) == {"problem": told}


def test_a_key_that_only_the_sweep_reads_is_no_problem_of_its_jobs(data_dir: Path) -> None:
    """As in -m +place=x 'hydra.sweep.dir=logs/${place}', of which the jobs get the first alone."""
    job = ["network=mlp", "trainer=cpu", "+place=x"]
    assert "problem" not in check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, [], job)


def test_a_fault_of_the_code_is_no_problem_of_the_job(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("atelier.compose.build.Options")
    with pytest.raises(NameError):
        check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, [], ["network=mlp", "trainer=cpu"])


def test_a_mapping_has_no_value_as_text() -> None:
    config = OmegaConf.create({"network": {"hidden": [8], "dropout": None}})
    values = [composed_value(config, {}, key) for key in ("network", "network.hidden", "network.dropout")]
    assert values == ["", "[8]", ""]
