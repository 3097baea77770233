"""Builds docs/results.md, all claims of all studies with their verdicts, from the record and conf/study only."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from atelier.claims.judge import decide_all, results_of
from atelier.claims.study import Study
from atelier.claims.verdict import VERDICTS, Decided
from atelier.claims.words import claims_table
from atelier.figures.words import as_markdown, markdown_row
from atelier.report.notes import count
from atelier.report.summary import table_lines
from atelier.report.table import settings_table
from atelier.results.record import read_figures, read_record
from atelier.results.runs import hours
from atelier.results.studies import read_study, study_names
from atelier.results.told import hours_told
from atelier.runs.setting import REPEATS
from atelier.sweeps.aggregate import Results

# {first word of a study's name: the report}; other studies are Atelier's own.
REPORTS = {
    "asci": "ASCI, computer vision by learning",
    "leiden": "Leiden, deep learning, assignment 2",
    "ift6135": "IFT6135, assignment 2",
    "elec576": "ELEC576, assignment 2",
    "ee559": "EE559, mini-projects",
}
OURS = "Ours"
MOST = 24  # settings of a table

Decisions = Mapping[str, Sequence[Decided]]


def page(conf: Path, docs: Path) -> str:
    """The text of results.md in the folder `docs`."""
    studies = {name: read_study(conf, name) for name in study_names(conf)}
    runs = {name: read_record(docs / "results" / name) for name in studies}
    decided = decide_all(studies, runs)
    results = {name: results_of(study, runs[name]) for name, study in studies.items() if runs[name]}
    lines = ["# Results", "", INTRODUCTION, *counts(decided)]
    for report in [*REPORTS.values(), OURS]:
        lines += ["", f"## {report}"]
        for name, study in studies.items():
            if report_of(name) == report:
                lines += ["", *section(study, decided[name], results.get(name), conf, docs)]
    return "\n".join(lines) + "\n"


INTRODUCTION = """\
Made by `make results ARGS=export` of [docs/results/](results/), where every run is, and of the claims in
[conf/study/](../conf/study/); nothing here is typed by hand. `make results` does the runs.

A claim is decided by what its checks measure: a number for each run, or a difference between two settings, seed by
seed. *Confirmed* and *contradicted*: the whole 95 % interval of its mean (Student's, from three seeds on) is on one
side of the bound; *undecided*: it holds the bound, or a run has no number; *leans*: one or two seeds, by their mean. A
claim is confirmed if all of its checks are, and contradicted if one of them is; of many checks, some are contradicted
by chance, for which nothing is corrected. What is measured is told as mean ± standard deviation, n the number of seeds,
folds or draws. What is about pictures is decided by a person who looked.
"""


def report_of(study: str) -> str:
    return REPORTS.get(study.partition("_")[0], OURS)


def counts(decided: Decisions) -> Iterator[str]:
    """The rows of a table with the number of claims for each report and verdict."""
    found: dict[str, Counter[str]] = {report: Counter() for report in [*REPORTS.values(), OURS]}
    for name, several in decided.items():
        found[report_of(name)].update(one.verdict for one in several)
    reports = sum((found[report] for report in REPORTS.values()), Counter())
    yield markdown_row(["claims of", *VERDICTS, "all"])
    yield markdown_row(["---", *["--:"] * (len(VERDICTS) + 1)])
    for report, verdicts in [
        *((r, found[r]) for r in REPORTS.values()),
        ("**the reports**", reports),
        (OURS, found[OURS]),
    ]:
        yield markdown_row([report, *(str(verdicts[verdict]) for verdict in VERDICTS), str(verdicts.total())])


# ---------------------------------------------------------------------- a study


def section(study: Study, decided: Sequence[Decided], results: Results | None, conf: Path, docs: Path) -> Iterator[str]:
    file = f"{study.name}.yaml"
    yield as_markdown(f"### {study.node.get('title', study.name)}")
    yield ""
    yield as_markdown(str(study.node.get("question", "")))
    yield ""
    yield f"[`study={study.name}`](../conf/study/{file}). {as_markdown(header(conf / 'study' / file))}"
    yield ""
    yield of_what(results, study) if results else "Not run yet."
    yield from ["", *claims_table(decided)] if decided else []
    reasons = [f"{one.claim.where}, {one.verdict}: {one.claim.reason}" for one in decided if one.claim.reason]
    for reason in dict.fromkeys(reasons):  # several claims may share a reason
        yield ""
        yield as_markdown(reason[:1].upper() + reason[1:])
    if results:
        folder = docs / "results" / study.name
        for number, (file, caption) in enumerate(read_figures(folder), start=1):
            yield ""
            yield f"![{study.name}, figure {number}](results/{study.name}/figures/{file})"
            yield ""
            yield as_markdown(caption)
        yield ""
        yield from table(study, results)


def header(file: Path) -> str:
    """The comment at the start of a study's file."""
    comments = []
    for line in file.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("# ") or line.startswith("# python "):
            break
        comments.append(line[2:])
    return " ".join(comments)


def of_what(results: Results, study: Study) -> str:
    """The origin of the numbers: runs, hours, devices, precisions, commits, and overrides besides the study's."""
    records = results.records
    spent = hours_told(sum(map(hours, records)))
    devices, precisions = (counted((str(r.get(key)) for r in records), len(records)) for key in ("device", "precision"))
    gits = [record.get("git") or {} for record in records]
    commits = sorted(
        {f"{git['commit'][:7]}{' with changes' * bool(git.get('dirty'))}" for git in gits if git.get("commit")}
    )
    failed = sum(record.status == "failed" for record in records)
    runs = f"{len(records)} runs" + f" ({failed} failed)" * bool(failed)
    told = f"{runs}, {spent} hours on {devices}, precision {precisions}"
    told += f", of commit{'s' * (len(commits) > 1)} {', '.join(commits)}" if commits else ""
    of_grid = {key for setting in study.node.get("settings") or [] for key in setting} | {*study.node.get("grid", {})}
    known = {*results.keys, *REPEATS, *of_grid, "study", "trainer.precision"}
    typed = itertools.chain.from_iterable(record.typed.items() for record in records)
    reduced = counted((f"`{one}`" for key, one in typed if key not in known and one not in study.own), len(records))
    return f"{told}." + (f" With {reduced}." if reduced else "")


def counted(values: Iterable[str], runs: int) -> str:
    """The values, sorted, each with the number of its runs if these are not all `runs`.

    >>> counted(["32-true", "bf16-mixed", "32-true"], 3), counted(["cpu", "cpu"], 2)
    ('32-true (2 runs), bf16-mixed (1 run)', 'cpu')
    """
    found = sorted(Counter(values).items())
    return ", ".join(value if n == runs else f"{value} ({count(n, 'run')})" for value, n in found)


def table(study: Study, results: Results) -> Iterator[str]:
    """The table of the best MOST settings, the best first."""
    shown = settings_table(results).up_to(1)
    rows = shown.rows[:MOST]
    rest = f", the best {MOST} of {len(shown.rows)}" if len(shown.rows) > MOST else ""
    yield f"<details><summary>The settings{rest}</summary>"
    yield ""
    yield from table_lines(shown.columns, rows)
    yield ""
    yield f"Every run: [runs.csv](results/{study.name}/runs.csv), [curves.csv](results/{study.name}/curves.csv)."
    yield "</details>"
