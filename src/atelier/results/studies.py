"""Reads the studies of conf/study/ with their grids and claims."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir

from atelier.arguments import typed
from atelier.claims.claim import Side
from atelier.claims.selection import base_of, check_claims, check_side, check_studies, sides
from atelier.claims.study import Study
from atelier.compose.preflight import composed_value
from atelier.errors import InputError
from atelier.runs.setting import leaves
from atelier.sweeps.grid import expand
from atelier.sweeps.study import written


def study_names(conf: Path) -> list[str]:
    return sorted(file.stem for file in (conf / "study").glob("*.yaml"))


def read_study(conf: Path, name: str) -> Study:
    """
    Raises:
        InputError: if there is no study of that name, or its claims are wrong.
    """
    study = load(conf, name)
    with in_file(conf, name):
        check_studies(study.claims, study_names(conf))
    for where, side in sides(study.claims):
        if side.study is not None:
            other = load(conf, side.study)
            with in_file(conf, name):
                check_side(side.of, other.settings, base_of(other.node, other.settings), where)
    return study


def load(conf: Path, name: str) -> Study:
    content = written(conf, name)
    if content is None:
        raise InputError(f"study={name}: there is no such study; choose from: {', '.join(study_names(conf))}")
    node = content["study"]
    own = frozenset(f"{key}={typed(value)}" for key, value in leaves({**content, "study": {}, "defaults": {}}))
    with in_file(conf, name):
        return Study(name, node, check_claims(node), expand([], node)[0], own)


def measured_on(name: str, studies: Iterable[Study]) -> list[Side]:
    """The sides of all claims of `studies` whose numbers are those of the study `name`."""
    return [side for one in studies for _, side in sides(one.claims) if (side.study or one.name) == name]


@contextmanager
def in_file(conf: Path, name: str) -> Iterator[None]:
    """Inside this context, an InputError gets the name of the study's file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{conf / 'study' / name}.yaml: {error}") from error


def composed_settings(study: Study, conf: Path, keys: Iterable[str]) -> list[dict[str, str]]:
    """The settings, with composed values for those of `keys` that they do not set; needs registered resolvers."""
    known: list[dict[str, str]] = []
    jobs = {tuple(values.items()): job for job, values in zip(study.grid.jobs, study.grid.values, strict=True)}
    with initialize_config_dir(str(conf), version_base="1.3"):
        for values, job in jobs.items():
            setting = dict(values)
            if missing := [key for key in keys if not setting.get(key, "?")]:
                config = compose("train", [f"study={study.name}", *job], return_hydra_config=True)
                choices = config.hydra.runtime.choices
                setting |= {key: composed_value(config, choices, key) for key in missing}
            known.append(setting)
    return known
