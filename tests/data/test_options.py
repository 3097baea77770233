"""Every file of conf/data builds its data set."""

from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from atelier.compose.targets import build


def test_every_data_set_is_built_from_its_file(
    compose: Callable[..., DictConfig], context: Callable[[str, str], list[str]], data_option: str, tmp_path: Path
) -> None:
    config = compose(*context("data", data_option), f"data={data_option}", f"paths.data={tmp_path}")
    data = build(config.data)
    assert data.batch_size == config.data.batch_size
