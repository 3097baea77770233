"""Groups runs into settings, which differ only in seed, fold or draw, and computes means and standard deviations."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from atelier.errors import InputError
from atelier.runs.folder import elsewhere, holding
from atelier.runs.overrides import bare
from atelier.runs.rows import GAPS
from atelier.runs.setting import REPEATS, is_aside
from atelier.runs.statistic import Statistic
from atelier.sweeps.grid import begins_with_base, meaning
from atelier.sweeps.records import Record, read_run
from atelier.sweeps.sweep import Sweep


@dataclass(frozen=True)
class Setting:
    """The runs of one `config_hash`, with statistics over the completed runs."""

    config_hash: str
    values: dict[str, str | None]  # {swept key: value as text, or None if unknown}
    records: list[Record]  # all runs, in order of seed
    objective: Statistic  # of the runs' best values of the task's metric
    gaps: dict[str, Statistic]  # validation and generalisation gaps with known values
    test: dict[str, Statistic]  # {metric without `test/`: statistic}
    seconds: Statistic  # of the training times, in seconds
    parameters: Statistic  # of the numbers of parameters, over all runs

    @property
    def completed(self) -> list[Record]:
        return [record for record in self.records if record.status == "completed"]

    @property
    def complete(self) -> bool:
        """Whether every run has a value; otherwise the mean may lack the worst runs."""
        return self.objective.n == len(self.records)

    @property
    def counts(self) -> dict[str, int]:
        """{status: number of runs}."""
        return dict(Counter(record.status for record in self.records))


@dataclass(frozen=True)
class Results:
    """The aggregated results of several runs."""

    keys: list[str]  # that vary between the settings
    metric: str | None  # the objective, such as `val/loss`; None if no run states it
    mode: str  # "min" or "max"
    settings: list[Setting]  # complete settings first, settings without a value last; the best first within each kind
    records: list[Record]  # all runs
    sweeps: list[Sweep] = field(default_factory=list)  # of the runs

    @property
    def base(self) -> Setting | None:
        """The base setting of the only study's `settings`, from which the others differ; None if there is none."""
        known = [(one.content.get("study"), one.content.get("presentation") or {}) for one in self.sweeps]
        studies = [(name, study.get("settings")) for name, study in known]
        if not studies or studies.count(studies[0]) < len(studies) or not begins_with_base(known[0][1]):
            return None
        varied = {bare(key) for one in known[0][1]["settings"] for key in one} & {*self.keys}
        runs = [(r.job.get("number", 0), s) for s in self.settings for r in s.records if not varied & {*r.overrides}]
        return min(runs, key=lambda run: run[0], default=(0, None))[1]

    @property
    def tests(self) -> list[str]:
        """The test metrics of all settings, without those of single classes; first the objective's."""
        names = dict.fromkeys(name for setting in self.settings for name in setting.test if "/" not in name)
        own = (self.metric or "").partition("/")[2]
        return sorted(names, key=lambda name: name != own)


def aggregate(folders: Sequence[Path], keep: Callable[[list[Record]], list[Record]] = list) -> Results:
    """Group the runs in `folders` (sweeps, runs, or folders that contain them) that `keep` keeps by `config_hash`.

    Raises:
        InputError: if a folder does not exist, or contains no run and no sweep.
    """
    places: dict[Path, Path] = {}  # by resolved path: a folder that is named twice counts once
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"sweep={folder}: there is no such folder; {elsewhere()}")
        found = recorded(folder)
        if not found:
            raise InputError(f"sweep={folder}: no run (run.json) and no sweep (sweep.json) in it")
        for place in found:
            places.setdefault(place.resolve(), place)
    sweeps = {place: Sweep.read(path) for place, path in places.items() if (path / "sweep.json").is_file()}
    records: list[Record] = []
    for place, path in places.items():
        if place in sweeps:
            records += sweeps[place].records()
        elif place.parent not in sweeps:  # a job of one of the sweeps counts once
            records.append(read_run(path))
    return group(keep(records), list(sweeps.values()))


def recorded(folder: Path) -> list[Path]:
    """`folder` and the folders below it that are sweeps or single runs, in order of name.

    Raises:
        OSError: if one of the folders may not be read.
    """

    def forbidden(error: OSError) -> None:
        raise error

    return list(holding(folder, "sweep.json", "run.json", unreadable=forbidden))  # a sweep's runs belong to the sweep


def group(records: list[Record], sweeps: list[Sweep]) -> Results:
    objectives = [(record.get("objective", "metric"), record.get("objective", "mode")) for record in records]
    metric, mode = next(((metric, mode) for metric, mode in objectives if metric), (None, "min"))
    together: dict[str, list[Record]] = {}
    # A run that tests a given checkpoint of another run would count that run twice.
    trained = [record for record in records if record.overrides.get("checkpoint", "null") == "null"]
    for record in trained or records:
        together.setdefault(identity(record), []).append(record)
    keys = swept_keys(list(together.values()), sweeps)
    settings = [setting(name, runs, keys, metric) for name, runs in together.items()]
    for key in keys:  # equal values, such as 0.1 and 1e-1, get the text of the first
        texts: dict[str, str] = {}
        for one in settings:
            if (value := one.values[key]) is not None:
                one.values[key] = texts.setdefault(meaning(value), value)
    sign = -1 if mode == "max" else 1
    settings.sort(key=lambda one: (one.objective.n == 0, not one.complete, sign * (one.objective.mean or 0.0)))
    return Results(keys, metric, mode or "min", settings, records, sweeps)


def setting(name: str, records: list[Record], keys: list[str], metric: str | None) -> Setting:
    records = sorted(records, key=lambda record: (record.get("seed") is None, record.get("seed") or 0))
    done = [record for record in records if record.status == "completed"]
    alike = [record for record in done if record.get("objective", "metric") == metric]
    tests = dict.fromkeys(test for record in done for test in record.get("test") or {})
    return Setting(
        config_hash=name,
        values={key: next((v for r in records if (v := r.value(key)) is not None), None) for key in keys},
        records=records,
        objective=Statistic.of(record.get("objective", "best") for record in alike),
        gaps={gap: one for gap in GAPS if (one := Statistic.of(r.get("objective", gap) for r in alike)).n},
        test={test: Statistic.of(record.get("test", test) for record in done) for test in tests},
        seconds=Statistic.of(record.get("seconds", "fit") for record in done),
        parameters=Statistic.of(record.get("parameters") for record in records),
    )


def identity(record: Record) -> str:
    """The `config_hash` of a run; for a run that failed before it had a hash, its overrides."""
    known = record.get("config_hash")
    return str(known) if known else " ".join(f"{key}={value}" for key, value in typed(record).items())


def typed(record: Record) -> dict[str, str]:
    """The overrides of a run that count in its setting."""
    overrides = {key: value for key, value in record.overrides.items() if key not in REPEATS}
    return {key: value for key, value in overrides.items() if not is_aside(key) and not key.startswith("hydra")}


def swept_keys(settings: list[list[Record]], sweeps: list[Sweep]) -> list[str]:
    """The keys that vary: those of the sweep if all runs are from a single sweep, and those that tell settings apart.

    A key that varies within a setting, such as the device, does not tell settings apart; the hash does where none does.
    """
    records = [record for runs in settings for record in runs]
    of_one = len(sweeps) == 1 and all(record.job for record in records)
    own = [bare(str(key)) for key in sweeps[0].content.get("swept") or []] if of_one else []
    named = [runs for runs in settings if runs[0].get("config_hash") is not None]
    if tell_apart(own, named):
        return own
    keys = dict.fromkeys(key for r in records for key in ("study" if r.get("study") else "experiment", *typed(r)))
    found = {key: [known(key, runs) for runs in settings] for key in keys if key not in own}
    own += [key for key, values in found.items() if len(set(values)) > 1 and all(len(one) <= 1 for one in values)]
    return own if tell_apart(own, named) else ["config_hash", *own]


def tell_apart(keys: Sequence[str], settings: list[list[Record]]) -> bool:
    return len({tuple(known(key, runs) for key in keys) for runs in settings}) == len(settings)


def known(key: str, records: list[Record]) -> frozenset[str]:
    return frozenset(meaning(value) for record in records if (value := record.value(key)) is not None)
