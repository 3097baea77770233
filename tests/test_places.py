"""Relative files and folders: made full, without another hash for the settings that name the data's folder."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from atelier.places import in_full, with_places
from atelier.runs.setting import setting_hash

Compose = Callable[..., DictConfig]


def test_a_relative_folder_of_data_is_made_full_and_leaves_the_hash_as_it_is(compose: Compose) -> None:
    config = compose("experiment=cats_gan", "paths.data=data")
    usual = setting_hash(compose("experiment=cats_gan"))
    assert config.data.images == "data/cat_faces"
    assert setting_hash(config) == usual
    in_full(config)
    assert config.data.images == str(Path.cwd() / "data" / "cat_faces")
    assert setting_hash(config) == usual
    assert with_places(["seed=1", "paths.data=data"], config) == ["seed=1", f"paths.data='{Path.cwd() / 'data'}'"]


def test_a_typed_interpolation_and_a_full_place_stay_as_they_are(compose: Compose) -> None:
    typed = ["data.images=${paths.data}/pets", "paths.data=/big/data"]
    config = compose("experiment=cats_gan", *typed)
    in_full(config)
    assert with_places(typed, config) == typed


def test_a_relative_file_of_a_data_set_of_ones_own_is_made_full(compose: Compose) -> None:
    config = compose("+data.file=tables/a.csv")
    in_full(config)
    assert config.data.file == str(Path.cwd() / "tables" / "a.csv")
    assert with_places(["+data.file=tables/a.csv"], config) == [f"+data.file='{Path.cwd() / 'tables' / 'a.csv'}'"]


def test_a_tilde_in_an_option_file_is_the_users_home(compose: Compose) -> None:
    config = compose("experiment=cats_gan", "data.images='~/pets'")
    in_full(config)
    assert config.data.images == str(Path.home() / "pets")


def test_every_place_is_made_full_and_no_other_text() -> None:
    places = {
        "paths": {"data": "a"},
        "data": {"file": "b", "images": "c", "labels": "d"},
        "features": {"run": "e", "weights": "f"},
    }
    config = OmegaConf.create({**places, "checkpoint": "h", "network": {"name": "g"}})
    in_full(config)
    assert OmegaConf.to_container(config) == {
        **{group: {key: str(Path.cwd() / place) for key, place in keys.items()} for group, keys in places.items()},
        "checkpoint": str(Path.cwd() / "h"),
        "network": {"name": "g"},
    }


@pytest.mark.parametrize("word", ["best", "last"])
def test_a_checkpoint_of_the_run_itself_is_no_place(word: str) -> None:
    config = OmegaConf.create({"checkpoint": word, "data": {"images": word}})
    in_full(config)
    assert config == {"checkpoint": word, "data": {"images": str(Path.cwd() / word)}}


@pytest.mark.parametrize(("new", "images"), [((), "/there/pets"), (("data.images",), str(Path.cwd() / "pets"))])
def test_a_run_that_goes_on_keeps_its_place_unless_another_is_typed(new: tuple[str, ...], images: str) -> None:
    config = OmegaConf.create({"data": {"images": "pets"}})
    in_full(config, OmegaConf.create({"data": {"images": "/there/pets"}}), new)
    assert config.data.images == images
