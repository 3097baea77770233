"""The TensorBoard logger: what it wrote is read back by TensorBoard's own reader."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from PIL import Image

from atelier.errors import InputError
from atelier.loggers.tensorboard import TensorBoard, flat, hparams_of

SUMMARY = {"best": 0.125, "best_epoch": 1, "test/loss": 0.5, "device": "cpu"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "figures").mkdir()
    config = {"seed": 3, "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.25}, "paths": {"run": "somewhere"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "run.json").write_text('{"config_hash": "c0ffee"}')
    Image.new("RGB", (6, 4), (255, 0, 0)).save(tmp_path / "figures" / "curves.png")
    return tmp_path


def read(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        return EventAccumulator(str(folder / "tensorboard")).Reload()


def points(events: Any, name: str) -> list[tuple[int, float]]:
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(name)]


def log(folder: Path, steps: range) -> TensorBoard:
    logger = TensorBoard(str(folder))
    for step in steps:
        logger.log_metrics({"val/loss": 1.0 / step, "epoch": step / 10}, step)
    return logger


def test_metrics_configuration_figures_and_final_values_are_written(folder: Path) -> None:
    log(folder, range(10, 40, 10)).finish(0, SUMMARY)
    events = read(folder)
    assert points(events, "val/loss") == [(10, 0.1), (20, 0.05), (30, 1 / 30)]
    assert points(events, "summary/best") == [(30, 0.125)]
    assert points(events, "summary/test/loss") == [(30, 0.5)]
    (image,) = events.Images("figures/curves")
    assert (image.width, image.height, image.step) == (6, 4, 30)
    (text,) = events.Tensors("config/text_summary")
    assert "lr: 0.25" in text.tensor_proto.string_val[0].decode()


@pytest.mark.parametrize("content", [b"", b"no picture", b"cut off"])
def test_a_figure_that_cannot_be_read_is_left_out(folder: Path, content: bytes) -> None:
    curves = (folder / "figures" / "curves.png").read_bytes()
    (folder / "figures" / "broken.png").write_bytes(curves[:-30] if content == b"cut off" else content)
    with pytest.warns(UserWarning, match=r"broken\.png cannot be read and is left out of TensorBoard"):
        log(folder, range(10, 20, 10)).finish(0, SUMMARY)
    events = read(folder)
    assert events.Tags()["images"] == ["figures/curves"]
    assert points(events, "summary/best") == [(10, 0.125)]


def hparams(folder: Path, part: str) -> Any:
    """What TensorBoard's table of hparams reads: "experiment", "session_start_info" or "session_end_info"."""
    from tensorboard.plugins.hparams import plugin_data_pb2

    content = read(folder).summary_metadata[f"_hparams_/{part}"].plugin_data.content
    return getattr(plugin_data_pb2.HParamsPluginData.FromString(content), part)


def test_the_hparams_are_the_settings_that_runs_are_compared_by(folder: Path) -> None:
    log(folder, range(10, 20, 10)).finish(0, SUMMARY)
    settings = hparams(folder, "session_start_info").hparams
    assert settings.pop("config_hash").string_value == "c0ffee"
    assert {name: value.number_value for name, value in settings.items()} == {"seed": 3, "optimizer.lr": 0.25}


def test_what_makes_no_setting_is_no_hparam_but_seeds_folds_and_draws_are(folder: Path) -> None:
    aside = {"test": True, "data": {"fold": 2, "resident": "auto"}, "trainer": {"profiler": "simple", "max_epochs": 4}}
    watcher = {"_target_": "atelier.callbacks.extremes.Extremes", "count": 12}
    stopper = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "patience": 5}
    config = {"seed": 0, **aside, "callbacks": {"extremes": watcher, "stop": stopper}, "sweep": {"swept": ["seed"]}}
    assert dict(hparams_of(OmegaConf.create(config))) == {
        **{"seed": 0, "data.fold": 2, "trainer.max_epochs": 4, "callbacks.stop.patience": 5}
    }


def test_a_path_of_this_machine_is_no_hparam() -> None:
    places = {"data": "/scratch/data", "logs": "/scratch/logs", "run": None}
    config = {"data": {"folder": "/scratch/data", "images": "/scratch/data/faces", "labels": "/scratch/database"}}
    assert hparams_of(OmegaConf.create({**config, "paths": places})) == {"data.labels": "/scratch/database"}


def test_a_run_that_is_trained_longer_has_the_hparams_and_final_values_of_then(folder: Path) -> None:
    """TensorBoard takes the first hparams of a folder."""
    log(folder, range(10, 20, 10)).finish(130, {"best": 0.5})
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 3, "optimizer": {"lr": 0.5}}))
    (folder / "run.json").write_text('{"config_hash": "decade"}')
    (folder / "metrics.csv").write_text("epoch,step,val/loss\n0,10,0.1\n")
    log(folder, range(20, 30, 10)).finish(0, SUMMARY)
    settings = hparams(folder, "session_start_info").hparams
    assert (settings["config_hash"].string_value, settings["optimizer.lr"].number_value) == ("decade", 0.5)
    told = [metric.name.tag for metric in hparams(folder, "experiment").metric_infos]
    assert told == ["summary/best", "summary/best_epoch", "summary/test/loss"]
    assert points(read(folder), "summary/best") == [(20, 0.125)]


@pytest.mark.parametrize(("exit_status", "status"), [(0, "SUCCESS"), (1, "FAILURE"), (143, "FAILURE")])
def test_the_hparams_tell_whether_the_run_succeeded(folder: Path, exit_status: int, status: str) -> None:
    from tensorboard.plugins.hparams import api_pb2

    log(folder, range(10, 20, 10)).finish(exit_status, SUMMARY)
    found = hparams(folder, "session_end_info").status
    assert api_pb2.Status.Name(found) == f"STATUS_{status}"


def test_a_resumed_run_replaces_what_it_does_again(folder: Path) -> None:
    log(folder, range(10, 50, 10))  # killed after step 40; its last checkpoint was at step 20
    (folder / "metrics.csv").write_text("epoch,step,val/loss\n0,10,0.1\n1,20,0.05\n")
    log(folder, range(30, 60, 10)).finish(0, SUMMARY)
    assert [step for step, _ in points(read(folder), "val/loss")] == [10, 20, 30, 40, 50]


def test_a_run_that_began_without_tensorboard_has_its_whole_history(folder: Path) -> None:
    (folder / "metrics.csv").write_text("epoch,step,val/loss,train/loss\n0,10,0.1,\n0,10,,0.2\n1,20,0.05,\n2,30,0.5,\n")
    log(folder, range(30, 40, 10)).finish(0, SUMMARY)
    events = read(folder)
    assert points(events, "val/loss") == [(10, 0.1), (20, 0.05), (30, 1 / 30)]
    assert points(events, "train/loss") == [(10, 0.2)]
    assert points(events, "epoch")[:3] == [(10, 0.0), (10, 0.0), (20, 1.0)]


def test_a_run_that_is_trained_longer_has_neither_the_test_nor_the_final_values_of_before(folder: Path) -> None:
    """Its first row comes later than the test of the weights of before, which metrics.csv has dropped."""
    first = log(folder, range(10, 30, 10))
    first.log_metrics({"test/loss": 2.0}, 21)
    first.finish(0, {"best": 0.5})
    (folder / "metrics.csv").write_text("epoch,step,val/loss\n0,10,0.1\n1,20,0.05\n")
    log(folder, range(30, 40, 10)).finish(0, SUMMARY)
    events = read(folder)
    assert "test/loss" not in events.Tags()["scalars"]
    assert [step for step, _ in points(events, "val/loss")] == [10, 20, 30]
    assert points(events, "summary/best") == [(30, 0.125)]
    assert [image.step for image in events.Images("figures/curves")] == [30]


def test_a_run_that_logged_nothing_writes_nothing(folder: Path) -> None:
    TensorBoard(str(folder)).finish(1, SUMMARY)
    assert not (folder / "tensorboard").exists()


def test_lists_and_words_are_settings_and_null_is_none() -> None:
    config = {
        "network": {"hidden": [16, 8], "dropout": None},
        "encoding": "ticks",
        "data": {"augment": True},
    }
    assert dict(flat(config)) == {"network.hidden": "[16, 8]", "encoding": "ticks", "data.augment": True}


def test_a_missing_package_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="logger=tensorboard needs the package tensorboard"):
        TensorBoard(str(folder)).log_metrics({"val/loss": 1.0}, 0)
