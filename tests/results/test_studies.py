"""The studies of conf/study/ as claims see them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.results.studies import read_study
from atelier.sweeps.records import Record


@pytest.mark.parametrize("name", ["leiden_mlp_basics", "leiden_cnn_basics", "asci_gan"])
def test_what_nothing_sets_is_what_a_run_has(
    compose: Callable[..., DictConfig], conf: Path, tmp_path: Path, name: str
) -> None:
    """So that a claim about {penalty: null} means the same runs when it is told and when it is decided."""
    study = read_study(conf, name)
    config = compose(f"study={name}", *study.grid.jobs[0])
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
    run = Record(tmp_path, {"overrides": study.grid.jobs[0]}, {"values": study.grid.values[0]})
    base = study.composed(conf, study.grid.swept)[0]
    assert base == {key: run.value(key) or "" for key in study.grid.swept}
    assert any(base.values())
