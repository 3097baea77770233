"""Decides the claims of studies by their runs, of one sweep or of several."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from atelier.claims.claim import read_claims
from atelier.claims.verdict import Decided, decide
from atelier.errors import InputError
from atelier.runs.manifest import Manifest
from atelier.runs.overrides import key_of
from atelier.runs.statistic import Statistic
from atelier.sweeps.aggregate import Results, Setting, group, typed
from atelier.sweeps.grid import expand, value_meant
from atelier.sweeps.records import Record
from atelier.sweeps.sweep import Sweep

Node = Mapping[str, Any]  # the `study` node of a file in conf/study/


def judge(results: Results) -> tuple[list[Decided], list[str]]:
    """The claims of the studies of a report, decided by its runs, but by none of a quick budget.

    Where a claim stands begins with its study, if there are several.
    And messages: for a study whose claims have a wrong form, such as one whose file is being written, and for one whose
    runs have values that a user typed beside those of its grid.
    """
    studies: dict[str, Node] = {}
    runs: dict[str, list[Record]] = {}
    messages = []
    of_quick = (sweep.content for sweep in results.sweeps if sweep.content.get("budget") == "quick")
    quick = {id(job) for content in of_quick for job in content.get("jobs") or []}  # a record's job is one of them
    for content in (sweep.content for sweep in results.sweeps if sweep.content.get("study")):
        name, node = str(content["study"]), content.get("presentation") or {}
        try:
            read_claims(node)
        except InputError as error:
            messages.append(f"study={name}: {error}")
            continue
        studies[name] = node
        of_study = [record for record in results.records if record.get("study") == name]
        runs[name] = [record for record in of_study if id(record.job) not in quick]
    for name, node in studies.items():
        if node.get("claims") and (values := typed_beside(node, runs[name])):
            messages.append(f"study={name}: its verdicts are of runs with {' '.join(values)}, which were typed.")
    decided = [(name, one) for name, several in decide_all(studies, runs).items() for one in several]
    if len(studies) > 1:
        decided = [(n, replace(one, claim=replace(one.claim, where=f"{n}, {one.claim.where}"))) for n, one in decided]
    return [one for _, one in decided], messages


def typed_beside(node: Node, records: Iterable[Record]) -> list[str]:
    """The overrides of runs, key=value, that change their setting and are not of the study's grid."""
    own = {"study", *(key_of(override) for job in expand([], node)[0].jobs for override in job)}
    found = (f"{key}={value}" for record in records for key, value in typed(record).items() if key not in own)
    return list(dict.fromkeys(found))


def decide_all(studies: Mapping[str, Node], runs: Mapping[str, Sequence[Record]]) -> dict[str, list[Decided]]:
    """{study: its decided claims}.

    Args:
        studies: {name: checked node}.
        runs: {name: runs}; a study without runs counts as empty in comparisons between studies.
    """
    results: dict[str | None, Results]
    results = {name: with_all_settings(node, results_of(name, node, runs[name])) for name, node in studies.items()}
    return {name: decide(read_claims(node), {**results, None: results[name]}) for name, node in studies.items()}


def with_all_settings(node: Node, found: Results) -> Results:
    """The results with the settings of a study that have no run, so that nothing is decided without them.

    Settings that do not set each swept key are left out: what they compose to is not known here.
    """
    grid, _ = expand([], node)
    begun = {setting_of(record, grid.swept) for record in found.records}
    missing = [one for one in grid.settings if all(one.values()) and meant(one.values()) not in begun]
    none = Statistic.of([])
    empty = [Setting("", dict(one), [], none, {}, {}, none, none) for one in missing]
    return replace(found, settings=[*found.settings, *empty])


def results_of(name: str, node: Node, records: Sequence[Record]) -> Results:
    """Aggregate runs of several sweeps as if they were from a single sweep over a study's grid."""
    content = {"study": name, "presentation": node, "swept": expand([], node)[0].swept}
    return group(list(records), [Sweep(Path(), Manifest(Path(), content))])


def setting_of(record: Record, swept: Sequence[str]) -> tuple[str, ...]:
    return meant(map(record.value, swept))


def meant(values: Iterable[str | None]) -> tuple[str, ...]:
    """Values as texts that are equal where they mean the same."""
    return tuple(repr(value_meant(value)) for value in values)
