"""The texts of a report: title, questions and claims, caption, and cautions against numbers that cannot be trusted."""

from collections import Counter
from typing import Any

from atelier import repository
from atelier.runs.setting import REPEATS, leaves
from atelier.runs.statistic import ENOUGH
from atelier.sweeps.aggregate import Results
from atelier.sweeps.records import Record, inside

# {plural for the values: their key in run.json}: runs of a setting may differ in these keys.
MIXED = {
    **{"devices": "device", "precisions": "precision", "numbers of processes": "processes", "threads": "threads"},
    **{"versions of the code": "git", "checksums of the data": "data.checksum"},
    **{"versions of requirements.lock": "versions.lock", "versions of torch": "versions.torch"},
}
LENGTHS = {"trainer.max_epochs", "trainer.max_steps"}


def title(results: Results) -> str:
    """The name of each study with its title, and of each experiment that belongs to none."""
    alone = [record.manifest for record in results.records if not record.job]
    return ", ".join(dict.fromkeys(name(one) for one in [*(sweep.content for sweep in results.sweeps), *alone]))


def questions(results: Results) -> list[str]:
    """The questions of the studies."""
    studies = [sweep.content.get("presentation") or {} for sweep in results.sweeps if sweep.content.get("study")]
    return list(dict.fromkeys(question.strip() for one in studies if (question := one.get("question"))))


def name(content: dict[str, Any]) -> str:
    """The name of a sweep or a run: its study with the title, else its experiment."""
    title = (content.get("presentation") or {}).get("title")
    known = str(content.get("study") or content.get("experiment") or "runs")
    return f"{known}: {title}" if title else known


def caption(results: Results) -> str:
    """The caption of the table: numbers of settings and runs, seeds, and the changes of a quick budget."""
    repeats = repeats_of(results)
    parts = [f"{count(len(results.settings), 'setting')}, {count(len(results.records), 'run')}"]
    parts += [f"{word[:-1] if len(values) == 1 else word} {', '.join(values)}" for word, values in repeats.items()]
    text = f"{'; '.join(parts)}."
    if any(len(setting.records) > 1 for setting in results.settings):
        several = [word for word, values in repeats.items() if len(values) > 1] or ["seeds"]
        text += f" Mean ± standard deviation over {' and '.join(several)} (number of runs)."
    if any(setting.objective.n and not setting.complete for setting in results.settings):
        text += " Incomplete settings come after the complete ones."
    text += "".join(f" {told}." for told in mixed(results))
    for changes in {str(sweep.content.get("quick")): quick(sweep.content) for sweep in results.sweeps}.values():
        if changes:
            text += f" budget=quick instead of the full setting: {changes}; it decides no claim."
    return text


def mixed(results: Results) -> list[str]:
    """Sentences on rows whose runs differ in machine, precision, code, data or packages, which may change digits."""
    told = []
    for words, key in MIXED.items():
        found = [{text for record in row.completed for text in texts_of(record, key)} for row in results.settings]
        if rows := [values for values in found if len(values) > 1]:
            values = ", ".join(sorted(set().union(*rows), key=natural))
            told.append(f"{count(len(rows), 'row')} {'mixes' if len(rows) == 1 else 'mix'} {words}: {values}")
    return told


def texts_of(record: Record, key: str) -> list[str]:
    """A value of run.json as text, for each start of the run; [] if it is not known."""
    value, *later = (inside(one, key.split(".")) for one in [record.manifest, *(record.get("resumed") or [])])
    return repository.versions(value) if isinstance(value, dict) else [str(one) for one in (value, *later) if one]


def repeats_of(results: Results) -> dict[str, list[str]]:
    """{seeds, folds or draws: their values}; folds and draws only if there are several."""
    repeats = [record.repeat for record in results.records]
    found = {word: {one[at] for one in repeats} - {""} for at, word in enumerate(REPEATS.values())}
    told = {word: values for word, values in found.items() if len(values) > 1 or (values and word == "seeds")}
    return {word: sorted(values, key=natural) for word, values in told.items()}


def quick(sweep: dict[str, Any]) -> str:
    """The values that the quick budget of a sweep changed; "" for a full budget."""
    if sweep.get("budget") != "quick":
        return ""
    return ", ".join(f"{key}={value}" for key, value in (sweep.get("quick") or {}).items()) or "see the runs"


def natural(text: str) -> tuple[int, str]:
    return len(text), text


def count(number: int, noun: str) -> str:
    """
    >>> count(1, "run"), count(2, "run")
    ('1 run', '2 runs')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def cautions(results: Results) -> list[str]:
    """Warnings about the numbers, a sentence for each: missing runs, made-up data, repeated seeds, changed code."""
    told = []
    records = results.records
    for status, words in (
        ("failed", "failed; {them} left out of every mean"),
        ("pruned", "pruned, ended early since others were better; {them} left out of every mean"),
        ("interrupted", "interrupted; {them} left out of every mean"),
        ("running", "still running"),
        ("waiting", "not begun"),
    ):
        if (number := sum(record.status == status for record in records)) > 0:
            them = "it is" if number == 1 else "they are"
            told.append(f"{number} of {count(len(records), 'run')} {words.format(them=them)}.")
    if lost := sum(len(setting.completed) - setting.objective.n for setting in results.settings):
        told.append(f"{count(lost, 'completed run')} without a value of {results.metric}; left out of its mean.")
    if (number := len(records) - sum(len(setting.records) for setting in results.settings)) > 0:
        told.append(f"{count(number, 'test')} of a trained run's weights (checkpoint=) in no row: not a repeat of it.")
    if (number := sum(record.value("data.source") == "fake" for record in records)) > 0:
        told.append(f"data.source=fake in {count(number, 'run')}: made-up data, so that the numbers mean nothing.")
    if (number := sum(str(r.value("data._target_")).endswith(".RandomImages") for r in records)) > 0:
        told.append(f"data=random_images in {count(number, 'run')}: noise, so that the numbers mean nothing.")
    for option in sorted({record.overrides["debug"] for record in records if "debug" in record.overrides} - {"null"}):
        told.append(f"debug={option}: a trial of the code, not a full training.")
    for setting in results.settings:
        runs = Counter(record.repeat for record in setting.completed)
        if twice := [seed for (seed, *_), n in runs.items() if n > 1 and seed]:
            told.append(f"Seed {', '.join(twice)} counts more than once in one setting ({setting.config_hash}).")
    changed = [{key.partition(".")[2] for key, _ in leaves(r.get("changes") or {})} - LENGTHS for r in records]
    if keys := sorted(set().union(*changed)):
        runs_changed = count(sum(map(bool, changed)), "run")
        told.append(
            f"{runs_changed} resumed with another value of {', '.join(keys)}: no repeat of a run that always had it."
        )
    most = max((len(setting.completed) for setting in results.settings), default=ENOUGH)
    if len(results.settings) > 1 and 0 < most < ENOUGH and not any(sweep.search for sweep in results.sweeps):
        told.append(f"{count(most, 'run')} of a setting: differences may be chance; three or more tell more.")
    return told + origins(results)


def origins(results: Results) -> list[str]:
    """Warnings about runs with different commits, uncommitted changes, or different objectives."""
    told = []
    if len(commits := {c[:7] for record in results.records if (c := record.get("git", "commit"))}) > 1:
        told.append(f"From different commits: {', '.join(sorted(commits))}.")
    if any(record.get("git", "dirty") for record in results.records):
        told.append("The code had changes that were not committed.")
    if others := {m for record in results.records if (m := record.get("objective", "metric"))} - {results.metric}:
        told.append(f"Runs with another objective are left out: {', '.join(sorted(others))}.")
    return told
