"""Hydra's plugins: the sweepers and launchers of conf/hydra/, thin wrappers of `atelier.sweeps`."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, open_dict

from atelier.arguments import check_arguments
from atelier.errors import InputError
from atelier.loggers.labels import how_to_send
from atelier.option_files import options
from atelier.project import conf_of, layers, project_root, script_of
from atelier.runs.overrides import key_of, value_of
from atelier.runs.setting import REPEATS
from atelier.sweeps.sweep import Job, Sweep
from atelier.sweeps.watch import last_words

if TYPE_CHECKING:  # it imports torch
    from atelier.sweeps.run import Executor


class LibrarySearchPath(SearchPathPlugin):
    """The options of the library behind those of a project that is not complete by itself."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for element in list(search_path.get_path()):
            if element.provider == "main":
                for layer in layers(Path(element.path.removeprefix("file://")))[1:]:
                    search_path.append("atelier", f"file://{layer}")


class SweepLauncher(Launcher):
    """Says what runs the jobs of a sweep; `gpus`: number of GPUs of a cluster's node, None for this machine."""

    gpus: int | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.root = project_root()

    @property
    def script(self) -> Path:
        return script_of("train", self.root)

    def executor(self, sweep: Sweep) -> "Executor":
        """What runs the jobs of the sweep."""
        raise NotImplementedError

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        raise InputError("this launcher needs a sweeper of this project: hydra/sweeper=grid or hydra/sweeper=optuna")


class LocalLauncher(SweepLauncher):
    """hydra/launcher=local; the arguments are those of `atelier.sweeps.local.Limits`."""

    def __init__(self, **limits: Any) -> None:
        self.given = limits

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from atelier.sweeps.local import Limits

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        check_arguments("hydra.launcher", Limits, self.given, owner="")
        self.limits = Limits(**self.given)

    def executor(self, sweep: Sweep) -> "Executor":
        from atelier.sweeps.local import Local

        return Local(sweep, self.script, self.limits)


class SlurmLauncher(SweepLauncher):
    """hydra/launcher=slurm; the arguments are those of `atelier.sweeps.slurm_queue.SlurmSettings`."""

    def __init__(self, **settings: Any) -> None:
        self.given = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from atelier.sweeps.slurm_queue import checked_slurm

        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        self.settings = checked_slurm(self.given)
        self.gpus = self.settings.gpus_per_node or 1

    def executor(self, sweep: Sweep) -> "Executor":
        from atelier.sweeps.slurm import Slurm

        return Slurm(sweep, self.script, self.settings)


class GridSweeper(Sweeper):
    """hydra/sweeper=grid: every combination of the values given on the command line and by the study."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from atelier.claims.selection import check_claims, check_studies
        from atelier.compose.targets import plain
        from atelier.results.figures import check_figures
        from atelier.results.logged import unlogged
        from atelier.sweeps.start import launcher_words

        self.config = config
        study = plain(config.study) if config.study is not None else {}
        check_studies(check_claims(study), options("study", conf_of(project_root())))
        if study.get("figures"):
            check_figures(study, config.hydra.overrides.task)
        for line in unlogged(study):
            print(line, flush=True)
        if config.sweep.resume is not None:
            words = launcher_words(config)
            loaded = hydra_context.config_loader.load_configuration("train", words, RunMode.MULTIRUN)
            with open_dict(config):
                config.hydra.launcher = loaded.hydra.launcher
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(launcher, SweepLauncher):
            there = options("hydra/launcher", conf_of(project_root()))
            raise InputError(f"hydra/launcher: choose from: {', '.join(there)}")
        self.launcher: SweepLauncher = launcher

    def sweep(self, arguments: list[str]) -> None:
        from atelier.sweeps.run import Loop
        from atelier.sweeps.start import open_sweep

        assert self.config is not None
        resume = self.config.sweep.resume
        if resume is not None and Sweep.open(str(resume), Path(self.config.paths.logs)).search:
            self.search(arguments)
            return
        sweep = open_sweep(self.config, arguments, self.launcher.root, self.launcher.gpus)
        for line in alike(sweep.jobs):
            print(line, flush=True)
        stopped = Loop(self.launcher.executor(sweep)).run(sweep.unfinished())
        end(sweep, sweep.conclude(), stopped, self.launcher.root)

    def search(self, arguments: list[str]) -> None:
        assert self.config is not None
        try:
            from atelier.sweeps.search_start import open_search
        except ModuleNotFoundError as error:
            raise InputError("hydra/sweeper=optuna needs the package optuna: pip install 'atelier[optuna]'") from error
        from atelier.sweeps.run import Loop

        search = open_search(self.config, arguments, self.launcher.root, self.launcher.gpus)
        stopped = Loop(self.launcher.executor(search.sweep)).run(search.jobs(), search.done)
        end(search.sweep, search.conclude(), stopped, self.launcher.root, search.result())


class OptunaSweeper(GridSweeper):
    """hydra/sweeper=optuna; the arguments are those of `atelier.sweeps.search.Options`."""

    def __init__(self, **options: Any) -> None:
        """Ignores the options, which `open_search` reads from the configuration as plain data."""

    def sweep(self, arguments: list[str]) -> None:
        self.search(arguments)


def alike(jobs: Iterable[Job]) -> Iterator[str]:
    """A line for each two jobs that train the same setting with the same seed, fold and draw, typed in two ways."""
    first: dict[tuple[Any, ...], Job] = {}
    for job in jobs:
        typed = {key_of(override): value_of(override) for override in job.overrides}
        repeat = (typed.get(key) for key in REPEATS if key != "seed")
        known = first.setdefault((job.facts.get("config_hash"), job.facts.get("seed"), *repeat), job)
        if known is not job:
            told = f"jobs {known.number} ({known.name}) and {job.number} ({job.name}) are the same training"
            yield f"Beware: {told}, which counts twice in means"


def end(sweep: Sweep, status: str, stopped: int, root: Path, result: Sequence[str] = ()) -> None:
    """Unlock a sweep, write its report, print its last lines, and exit with a status other than 0 if incomplete."""
    sweep.lock.close()
    if any(sweep.record(job) for job in sweep.jobs):
        from atelier.report.write import write_report

        try:
            write_report([sweep.path], conf=conf_of(root))
        except (OSError, InputError) as error:  # a full disk or a broken study must not suppress the lines below
            print(f"The report could not be written: {error}", file=sys.stderr)
    if command := how_to_send(sweep.path):
        print(f"W&B: runs stayed offline. To send them: {command}")
    for line in result:
        print(line)
    for line in last_words(sweep):
        print(line, file=sys.stderr)
    if stopped or status != "completed":
        sys.exit(128 + stopped if stopped else 1)
