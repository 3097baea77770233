"""Wrong input ends in one or two lines that say what is wrong, with exit status 2 and no traceback."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

Run = Callable[..., Any]


@pytest.fixture
def told(run_verb: Run) -> Callable[..., str]:
    """The message of a verb that refuses its command line."""

    def message(name: str, *overrides: str, **options: Any) -> str:
        return refusal(run_verb(name, *overrides, **options))

    return message


def refusal(outcome: Any) -> str:
    """What a command that was refused says, after checking that it says it well."""
    assert outcome.code == 2, f"exit status {outcome.code}\n{outcome.out}\n{outcome.err}"
    assert "Traceback" not in outcome.err + outcome.out
    assert 1 <= len(outcome.err.splitlines()) <= 2, outcome.err
    return outcome.err


def no_run_was_made(logs: Path) -> bool:
    return not list(logs.rglob("run.json"))


class Trap:
    """An object whose unpickling makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.fixture
def run_copy(trained: Any, tmp_path: Path) -> Path:
    """A finished run of one's own, to be spoiled."""
    return Path(shutil.copytree(trained.folder, tmp_path / "run"))


def edit_checkpoint(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


# ---------------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("override", "start"),
    [
        ("optimizer=adamm", "optimizer=adamm: no 'adamm'; choose from: adam, adamw, "),
        ("network=clock_cn", "network=clock_cn: no 'clock_cn'; choose from: clock_cnn, clock_cnn_small"),
        ("experiment=clock_multihed", "experiment=clock_multihed: no 'clock_multihed'; choose from: clock_multihead, "),
        ("optimizr=adam", "optimizr: no 'optimizr'; choose from: optimizer, "),
        ("sed=1", "sed: no 'sed'; choose from: seed, "),
        ("optimizer.momentum=0.9", "optimizer.momentum: AdamW has no 'momentum'; choose from: "),
        ("network.strides=[1]", "network.strides: SmallClockCNN has no 'strides'; choose from: "),
        ("+optimizer.momentum=0.9", "optimizer.momentum: AdamW has no 'momentum'; choose from: "),
        ("+network.strides=[1]", "network.strides: SmallClockCNN has no 'strides'; choose from: "),
        ("+trainer.max_epoch=3", "trainer.max_epoch: Trainer has no 'max_epoch'; choose from: max_epochs, "),
        ("optimizer.lr=fast", "optimizer.lr=fast: AdamW takes a number"),
        ("network.dropout=much", "network.dropout=much: SmallClockCNN takes a number"),
        ("trainer.max_epochs=many", "trainer.max_epochs=many: Trainer takes a whole number"),
        ("trainer.max_epochs=2.5", "trainer.max_epochs=2.5: Trainer takes a whole number"),
        ("data.batch_size=many", "data.batch_size=many: Clocks takes a whole number"),
        ("data.augment=perhaps", "data.augment=perhaps: Clocks takes true or false"),
        ("data.num_images=1000", "data.num_images=1000: give a multiple of 720, 2160 or more"),
        ("encoding.interval=7", "encoding.interval"),
        ("seed=abc", "seed=abc: give a whole number of 0 or more"),
        ("seed=-1", "seed=-1: give a whole number of 0 or more"),
        ("seed=1.5", "seed=1.5: give a whole number of 0 or more"),
        ("seed=null", "seed=None: give a whole number of 0 or more"),
        ("train=perhaps", "train=perhaps: give true or false"),
        ("train=false", "train=false with nothing to test: give checkpoint=PATH"),
        ("checkpoint=best.ckpt", "checkpoint= is what train=false tests"),
        ("resume=latest", "there is no run under "),
        ("resume=/nowhere", "/nowhere is no run folder: it has no run.json"),
        ("task.metric=val/accuracy", "task.metric=val/accuracy: no such metric; logged are: "),
    ],
)
def test_a_wrong_command_line_is_told(told: Callable[..., str], tiny: list[str], override: str, start: str) -> None:
    assert told("train", *tiny, "callbacks=none", override).startswith(start)


@pytest.mark.parametrize("override", ["optimizer.lr=fast", "seed=abc", "+network.strides=[1]", "train=false"])
def test_a_wrong_command_line_leaves_no_run_behind(run_verb: Run, tiny: list[str], override: str) -> None:
    outcome = run_verb("train", *tiny, override)
    assert refusal(outcome)
    assert no_run_was_made(outcome.logs)


def test_all_options_of_a_group_are_listed(told: Callable[..., str], conf: Path) -> None:
    message = told("train", "optimizer=nothing")
    assert all(file.stem in message for file in (conf / "optimizer").glob("*.yaml"))


def test_a_value_that_has_to_be_given_is_told(told: Callable[..., str]) -> None:
    message = told("train", "experiment=clock_angles", "data=clocks_npy")
    assert message.startswith("data.images is missing: give it as data.images=VALUE")


def test_a_data_set_that_is_not_there_is_named(told: Callable[..., str], clocks: list[str], tmp_path: Path) -> None:
    message = told(
        "train",
        *clocks,
        "data=clocks_npy",
        f"data.images={tmp_path}/images.npy",
        f"data.labels={tmp_path}/labels.npy",
    )
    assert message.startswith(f"data.images={tmp_path}/images.npy: there is no such file")


# ---------------------------------------------------------------------- machines


@pytest.mark.parametrize(
    ("overrides", "start"),
    [
        (["trainer=gpu"], "trainer.accelerator=gpu: this machine has cpu"),
        (["trainer=mps"], "trainer.accelerator=mps: this machine has "),
        (["trainer=ddp"], "trainer.accelerator=gpu: this machine has cpu"),
    ],
)
def test_an_accelerator_that_is_not_here_is_told(
    told: Callable[..., str], tiny: list[str], overrides: list[str], start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator

    for accelerator in (CUDAAccelerator, MPSAccelerator):
        monkeypatch.setattr(accelerator, "is_available", staticmethod(lambda: False))
    assert told("train", *tiny, *overrides).startswith(start)


def test_two_devices_where_there_is_one_are_told(
    told: Callable[..., str], tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.pytorch.accelerators import CUDAAccelerator

    monkeypatch.setattr(CUDAAccelerator, "is_available", staticmethod(lambda: True))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    message = told("train", *tiny, "trainer=gpu", "trainer.devices=2", "trainer.precision=32-true")
    assert message.startswith("trainer.devices=2: this machine has 1 GPU")


# ---------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("verb", ["eval", "predict", "train"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.95])
def test_a_truncated_checkpoint_is_refused(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str, kept: float
) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} is damaged or no checkpoint")


@pytest.mark.parametrize("verb", ["eval", "predict", "train"])
def test_a_foreign_checkpoint_is_refused(told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    torch.save({"model": torch.ones(3), "epoch": 2}, path)
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} is a checkpoint of another program")


@pytest.mark.parametrize("verb", ["eval", "predict", "train"])
def test_a_checkpoint_with_a_pickled_object_is_refused_and_does_not_run(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str
) -> None:
    path, harm = run_copy / "checkpoints" / "best.ckpt", run_copy / "harm"
    edit_checkpoint(path, lambda content: content.update(extra=Trap(harm)))
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} holds more than tensors and plain data, so it is not opened")
    assert not harm.exists()


def using(verb: str, run: Path, tiny: list[str], checkpoint: Path) -> list[str]:
    """The overrides that make a verb use this run's best checkpoint."""
    if verb == "train":
        return [*tiny, "train=false", f"checkpoint={checkpoint}", "callbacks=none"]
    return [f"run={run}", *([f"inputs={run / 'figures'}"] if verb == "predict" else [])]


def test_a_checkpoint_of_another_network_is_told(told: Callable[..., str], trained: Any, tiny: list[str]) -> None:
    path = trained.folder / "checkpoints" / "best.ckpt"
    message = told("train", *tiny, "network.hidden=[17]", "train=false", f"checkpoint={path}", "callbacks=none")
    assert message.startswith(f"{path} is of another network (atelier.networks.clock_cnn_small.SmallClockCNN)")
    assert "in the checkpoint" in message


def test_a_run_cannot_go_on_with_another_network(told: Callable[..., str], run_copy: Path) -> None:
    message = told("train", f"resume={run_copy}", "network.hidden=[17]", "trainer.max_epochs=3")
    assert message.startswith(f"{run_copy / 'checkpoints' / 'last.ckpt'} is of another network")


def test_a_run_without_a_checkpoint_cannot_be_evaluated(told: Callable[..., str], run_copy: Path) -> None:
    shutil.rmtree(run_copy / "checkpoints")
    last = run_copy / "checkpoints" / "last.ckpt"
    assert told("eval", f"run={run_copy}").startswith(f"checkpoint=last: there is no file {last}")


# ---------------------------------------------------------------------- what may be built


@pytest.mark.parametrize(
    "target",
    ["os.system", "builtins.eval", "subprocess.run", "torch.load", "torch.hub.load", "torch.nn.modules.os.system"],
)
def test_a_target_outside_is_refused_from_the_command_line(
    told: Callable[..., str], tiny: list[str], target: str
) -> None:
    message = told("train", *tiny, f"network._target_={target}")
    assert message.startswith(f"network._target_={target}: ")
    assert "allowed" in message or "there is no such class or function" in message


def test_a_target_outside_is_refused_in_an_added_callback(told: Callable[..., str], tiny: list[str]) -> None:
    message = told("train", *tiny, "+callbacks.mine._target_=os.getcwd")
    assert message.startswith("callbacks.mine._target_=os.getcwd: not allowed. A configuration builds from: ")


def test_a_target_outside_is_refused_from_a_config_file(
    told: Callable[..., str], tiny: list[str], tmp_path: Path
) -> None:
    harm = tmp_path / "harm"
    (tmp_path / "network").mkdir()
    (tmp_path / "network" / "bad.yaml").write_text(f"_target_: pathlib.Path.touch\nself: {harm}\n")
    plain = [override for override in tiny if not override.startswith("network.")]
    message = told("train", *plain, "network=bad", f"hydra.searchpath=[file://{tmp_path}]")
    assert message.startswith("network._target_=pathlib.Path.touch: not allowed")
    assert not harm.exists()


def set_target(config: dict[str, Any]) -> None:
    config["network"] = config["task"]["network"] = {"_target_": "os.system", "command": "true"}


@pytest.mark.parametrize("verb", ["eval", "predict"])
def test_a_target_outside_is_refused_from_a_checkpoint(
    told: Callable[..., str], run_copy: Path, tiny: list[str], verb: str
) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    edit_checkpoint(path, lambda content: set_target(content["config"]))
    assert "network._target_=os.system: not allowed" in told(verb, *using(verb, run_copy, tiny, path))


def test_a_target_outside_is_refused_from_the_checkpoint_of_a_resumed_run(
    told: Callable[..., str], run_copy: Path
) -> None:
    edit_checkpoint(run_copy / "checkpoints" / "last.ckpt", lambda content: set_target(content["config"]))
    assert "network._target_=os.system: not allowed" in told("train", f"resume={run_copy}")


def test_a_target_outside_is_refused_from_a_run_folders_configuration(told: Callable[..., str], run_copy: Path) -> None:
    """Without a checkpoint a run starts again from config.yaml."""
    shutil.rmtree(run_copy / "checkpoints")
    file = run_copy / "config.yaml"
    config = yaml.safe_load(file.read_text())
    set_target(config)
    file.write_text(yaml.safe_dump(config))
    assert "network._target_=os.system: not allowed" in told("train", f"resume={run_copy}")


# ---------------------------------------------------------------------- files and disks


@pytest.fixture
def own_cache(data_dir: Path, trained: Any, tmp_path: Path) -> Path:
    """A copy of the tiny cache in a data folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Path(shutil.copy(data_dir / "clocks_32px_2160_seed0.safetensors", folder))


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda content: b"", lambda content: b"hello"])
def test_a_damaged_cache_is_named_and_made_anew_on_request(
    run_verb: Run, tiny: list[str], own_cache: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole = own_cache.read_bytes()
    own_cache.write_bytes(damage(whole))
    here = {"DATA_DIR": str(own_cache.parent)}
    message = refusal(run_verb("train", *tiny, "callbacks=none", environment=here))
    assert message.startswith(f"{own_cache} is damaged")
    assert "data.rebuild=true" in message
    again = run_verb("train", *tiny, "callbacks=none", "data.rebuild=true", "trainer.max_epochs=1", environment=here)
    assert again.code == 0
    assert own_cache.read_bytes() == whole


def test_a_refused_run_says_so_in_its_manifest(run_verb: Run, tiny: list[str], own_cache: Path) -> None:
    own_cache.write_bytes(b"hello")
    outcome = run_verb("train", *tiny, "callbacks=none", environment={"DATA_DIR": str(own_cache.parent)})
    assert outcome.manifest["status"] == "failed"
    assert outcome.manifest["error"]["type"] == "InputError"
    assert str(own_cache) in outcome.manifest["error"]["message"]


@pytest.mark.parametrize("place", ["{tmp}/file/logs", "/proc/logs", "/dev/null"])
def test_a_log_folder_that_cannot_be_written_is_told(
    told: Callable[..., str], tiny: list[str], tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    logs = Path(place.format(tmp=tmp_path))
    message = told("train", *tiny, logs=logs)
    assert message.startswith(f"cannot write the run folder {logs}/runs/default/")
    assert "LOG_DIR" in message


@pytest.mark.parametrize("writer", ["torch.save", "os.fdopen"])
def test_a_disk_that_is_full_is_told(
    run_verb: Run, tiny: list[str], monkeypatch: pytest.MonkeyPatch, trained: Any, writer: str
) -> None:
    """When the space runs out while a checkpoint, or the manifest, is written."""

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writer, full)
    message = refusal(run_verb("train", *tiny, "callbacks=none"))
    assert "No space left on device" in message
    assert "LOG_DIR" in message


@pytest.mark.parametrize("name", ["a.png", "photos/"])
def test_a_picture_that_is_not_there_is_told(told: Callable[..., str], trained: Any, tmp_path: Path, name: str) -> None:
    message = told("predict", f"run={trained.folder}", f"inputs={tmp_path / name}")
    assert message.startswith(f"inputs: there is no file or folder {tmp_path / name}")


def test_a_file_that_is_no_picture_is_told(told: Callable[..., str], trained: Any, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    message = told("predict", f"run={trained.folder}", f"inputs={tmp_path / 'a.png'}")
    assert message.startswith(f"inputs: {tmp_path / 'a.png'} is no image that can be read")


def test_a_process_of_its_own_ends_as_those_here_do(run_process: Run) -> None:
    """The other tests call the verb inside of the test's process."""
    assert refusal(run_process("train", "optimizer=adamm")).startswith("optimizer=adamm: no 'adamm'; choose from: ")
