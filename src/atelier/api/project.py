"""The project of a Python user: its configuration and its commands; no other file of this folder knows their places."""

import os
import threading
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from atelier.compose.verb import register_resolvers
from atelier.local_settings import check_local
from atelier.project import INSTALLED, PACKAGE, VARIABLE, conf_of, find_project, read_environment, script_of, settings

COMPOSING = threading.Lock()  # Hydra composes with variables of the whole process


def root() -> Path:
    """The folder of the project: that in which the working directory was at the first call, else this repository.

    A project of one's own is noted in the environment, as the program `atelier` does.
    """
    if VARIABLE not in os.environ:
        found, this = find_project(Path.cwd()), PACKAGE.parent.parent
        if "atelier" not in settings(found) or (found == this and not INSTALLED):
            return found if INSTALLED else this
        os.environ[VARIABLE] = str(found)
    return Path(os.environ[VARIABLE])


def conf_folder() -> Path:
    return conf_of(root())


def train_script() -> Path:
    return script_of("train", root())


def options_of(verb: str) -> DictConfig:
    """The options of a command that has no arguments, as conf/ and the environment (`LOG_DIR`, `.env`) say.

    Raises:
        InputError: if a file in conf/local/ is refused.
    """
    read_environment(root())
    check_local(conf_folder())
    with COMPOSING:
        register_resolvers(root())
        users = GlobalHydra.instance().hydra  # of a program that composes a configuration of its own
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(str(conf_folder()), version_base="1.3"):
                return compose(verb)
        finally:
            GlobalHydra.instance().hydra = users


def logs_folder() -> Path:
    """The folder of all runs and sweeps."""
    return Path(options_of("predict").paths.logs).absolute()
