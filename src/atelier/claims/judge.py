"""Decides the claims of studies by their runs, of one sweep or of several."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from atelier.claims.claim import FACTS
from atelier.claims.selection import check_claims, metrics_named
from atelier.claims.study import Study
from atelier.claims.verdict import Decided, decide, number
from atelier.claims.words import parts
from atelier.compare.scores import scores_of, unit_of
from atelier.errors import InputError, nearest_first
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import key_of
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, Setting, group, typed
from atelier.sweeps.grid import Grid, expand, value_meant
from atelier.sweeps.records import Record
from atelier.sweeps.sweep import Sweep

NEAREST = 3  # metrics that a message names


def judge(results: Results, whole: bool = True) -> tuple[list[Decided], list[str]]:
    """The claims of the studies of a report, decided by its runs, but by none of a quick budget.

    By a part of the runs (not `whole`), none is decided: which they are may follow from how they ended.

    Where a claim stands begins with its study, if there are several.
    And messages: for a study whose claims have a wrong form, such as one whose file is being written, for a metric that
    no run has, and for a study whose runs have values that a user typed beside those of its grid.
    """
    studies: dict[str, Study] = {}
    runs: dict[str, list[Record]] = {}
    messages = []
    of_quick = (sweep.content for sweep in results.sweeps if sweep.content.get("budget") == "quick")
    quick = {id(job) for content in of_quick for job in content.get("jobs") or []}  # a record's job is one of them
    for content in (sweep.content for sweep in results.sweeps if sweep.content.get("study")):
        name, node = str(content["study"]), content.get("presentation") or {}
        try:
            studies[name] = Study(name, node, check_claims(node), expand([], node)[0])
        except InputError as error:
            messages.append(f"study={name}: {error}")
            continue
        of_study = [record for record in results.records if record.get("study") == name]
        runs[name] = [record for record in of_study if id(record.job) not in quick]
    for name, study in studies.items():
        if study.claims and (values := typed_beside(study.grid, runs[name])):
            messages.append(f"study={name}: its verdicts are of runs with {' '.join(values)}, which were typed.")
        messages += [f"study={name}: {line}" for line in unmeasured(study, runs)]
    if not whole and any(study.claims for study in studies.values()):
        return [], ["Claims are decided by all runs of a study, and so not with where=."]
    decided = [(name, one) for name, several in decide_all(studies, runs).items() for one in several]
    if len(studies) > 1:
        decided = [(n, replace(one, claim=replace(one.claim, where=f"{n}, {one.claim.where}"))) for n, one in decided]
    return [one for _, one in decided], messages


def unmeasured(study: Study, runs: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """A line for each metric of the study's claims of which no completed run has a number at its place."""
    for key, side in metrics_named(study.claims):
        done = [record for record in runs.get(side.study or study.name, ()) if record.status == "completed"]
        unit = unit_of(done)
        if done and all(number(record, side, unit) is None for record in done):
            logged = {*FACTS, *(name for record in done for name in scores_of(record, unit))}
            metric, place, *_ = parts(side)
            nearest = ", ".join(nearest_first(metric, sorted(logged))[:NEAREST])
            told = f"a number of it{place and f', {place}'}" if metric in logged else f"it; the nearest: {nearest}"
            yield f"{key}={metric}: no run has {told}"


def typed_beside(grid: Grid, records: Iterable[Record]) -> list[str]:
    """The overrides of runs, key=value, that change their setting and are not of the grid."""
    own = {"study", *(key_of(override) for job in grid.jobs for override in job)}
    found = (f"{key}={value}" for record in records for key, value in typed(record).items() if key not in own)
    return list(dict.fromkeys(found))


def decide_all(studies: Mapping[str, Study], runs: Mapping[str, Sequence[Record]]) -> dict[str, list[Decided]]:
    """{study: its decided claims}; a study without runs counts as empty in comparisons between studies."""
    results: dict[str | None, Results]
    results = {name: with_all_settings(study, results_of(study, runs[name])) for name, study in studies.items()}
    return {name: decide(study.claims, {**results, None: results[name]}) for name, study in studies.items()}


def with_all_settings(study: Study, found: Results) -> Results:
    """The results with the settings of the study that have no run, so that nothing is decided without them.

    Settings that do not set each swept key are left out: what they compose to is not known here.
    """
    begun = {setting_of(record, study.grid.swept) for record in found.records}
    missing = [one for one in study.settings if all(one.values()) and meant(one.values()) not in begun]
    none = Statistic.of([])
    empty = [Setting("", dict(one), [], none, {}, {}, none, none) for one in missing]
    return replace(found, settings=[*found.settings, *empty])


def results_of(study: Study, records: Sequence[Record]) -> Results:
    """Aggregate runs of several sweeps as if they were from a single sweep over the study's grid."""
    content = {"study": study.name, "presentation": study.node, "swept": study.grid.swept}
    return group(list(records), [Sweep(Path(), Manifest(Path(), content))])


def setting_of(record: Record, swept: Sequence[str]) -> tuple[str, ...]:
    return meant(map(record.value, swept))


def meant(values: Iterable[str | None]) -> tuple[str, ...]:
    """Values as texts that are equal where they mean the same."""
    return tuple(repr(value_meant(value)) for value in values)
