"""Conditions on runs, lists of those that meet them, and marks."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier.compare.diff import print_diff
from atelier.compare.listing import in_order, print_listing, print_matching, records_in
from atelier.compare.marks import listed, mark
from atelier.compare.where import Condition, matching
from atelier.errors import InputError
from atelier.report.page import facts
from atelier.report.write import Asked, write_report
from atelier.runs.folder import claim, find
from atelier.sweeps.records import Record, read_run

Sweep = Callable[..., Path]
Accuracy = Callable[[dict[str, str], int], list[float]]


@pytest.mark.parametrize(
    ("where", "number"),
    [
        ("optimizer=adam", 4),
        ("optimizer == 'adam'", 4),
        ("objective.best>0.8", 3),
        ("objective.best > 0.8 and optimizer.lr < 0.05", 1),
        ("optimizer=adam and (seed=1 or optimizer.lr=1e-1)", 3),
        ("not optimizer=adam", 4),
        ("optimizer!=adam", 4),
        ("status=failed", 2),
        ("optimizer.lr<=0.01", 4),
        ("optimizer.lr<0.01 or optimizer.lr>0.1", 0),
        ("test/accuracy>=0.84 and test.accuracy<0.9", 2),
        ("network.hidden=[8,8]", 8),
        ("network.bias=true", 8),
        ("network.bias=false", 0),
        ("tags=good", 4),
        ('tags="small-one"', 4),
        ("tags=null", 4),
        ("seed=0 and note=null", 4),
        ("optimizer>0.5", 0),  # a text is not above a number
        ("test.accuracy<2 or error.message<2", 8),
    ],
)
def test_a_condition_holds_for_the_runs_it_tells(logs: Path, where: str, number: int) -> None:
    assert len(list(filter(Condition(where), records_in(logs)))) == number


@pytest.mark.parametrize(
    "where", ["", "0.9", "optimizer", "optimizer=", "f(optimizer)=1", "seed=0 and", "1<seed<3", "seed={[1]:2}"]
)
def test_what_is_no_condition_is_refused_with_its_form(where: str) -> None:
    with pytest.raises(InputError, match=r"objective\.best>0\.9 and optimizer=adam"):
        Condition(where)


@pytest.mark.parametrize("where", ["seed=__import__('os').system('true')", "[s for s in seed]=1", "seed=small-one"])
def test_nothing_of_a_condition_is_executed(where: str) -> None:
    with pytest.raises(InputError, match="where="):
        Condition(where)


def test_a_key_that_no_run_has_is_told_with_the_nearest(logs: Path) -> None:
    with pytest.raises(InputError, match=r"optimizer\.lrr; the nearest are: optimizer\.lr"):
        matching(list(records_in(logs)), "optimizer.lrr=1")
    with pytest.raises(InputError, match=r"^sort: no run has the key objective\.bets"):
        print_matching(logs, None, "-objective.bets", 20)


def test_runs_are_listed_with_the_keys_of_the_condition_in_the_order_asked(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_matching(logs, "optimizer.lr<0.05", "-objective.best", 3)
    told = capsys.readouterr().out
    lines = [line.split() for line in told.splitlines() if "completed" in line]
    assert [line[4] for line in lines] == ["0.86", "0.76", "0.61"]
    assert told.splitlines()[1].split()[-3:] == ["optimizer.lr", "note", "folder"]
    assert "4 of 8 runs, 3 shown" in told
    print_matching(logs, "optimizer.lr<0.05", None, 4)
    assert capsys.readouterr().out.splitlines()[-1] == "4 of 8 runs"


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("status=complete", "status is completed, failed"),
        ("status=faild", "status is failed, completed"),
        ("test/accuracy>high", "test.accuracy is from 0.5 to 0.94"),
        ("seed=7 and optimizer.lr>1", "optimizer.lr is from 0.01 to 0.1\nseed is from 0 to 1"),
    ],
)
def test_a_condition_that_no_run_meets_is_answered_with_the_values_that_there_are(
    logs: Path, capsys: pytest.CaptureFixture[str], where: str, told: str
) -> None:
    print_matching(logs, where, None, 3)
    assert capsys.readouterr().out.partition("0 of 8 runs\n")[2] == f"{told}\n"


@pytest.mark.parametrize("key", ["test/accuracy", "test.accuracy"])
def test_a_metric_sorts_under_the_name_with_which_a_condition_and_a_table_name_it(
    logs: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    print_matching(logs, f"{key}>0.8", f"-{key}", 20)
    lines = capsys.readouterr().out.splitlines()
    tested = [float(line.split()[5]) for line in lines if "completed" in line]
    assert tested == sorted(tested, reverse=True)
    assert len(tested) == 3
    assert lines[1].split().count("test.accuracy") == 1


def test_numbers_come_before_texts_and_runs_without_a_value_last(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_matching(logs, None, "tags", 20)
    rows = [line for line in capsys.readouterr().out.splitlines() if "made_up" in line]
    assert ["good, small-one" in row for row in rows] == [True] * 4 + [False] * 4
    records = [Record(None, {"of": value}, {}) for value in ("b", 10, None, "a", 9.5)]
    for down, values in ((False, [9.5, 10, "a", "b", None]), (True, ["b", "a", 10, 9.5, None])):
        assert [record.get("of") for record in in_order(records, "of", down)] == values


def test_the_newest_runs_come_first_unless_asked_otherwise(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seconds, folder in enumerate(("3", "0", "2")):
        os.utime(logs / "sweeps" / "a" / "s" / folder / "run.json", (2e9 + seconds, 2e9 + seconds))
    print_matching(logs, None, None, 3)
    rows = [line for line in capsys.readouterr().out.splitlines() if "made_up" in line]
    assert [row.split()[-1][-1] for row in rows] == ["2", "0", "3"]


def test_a_sweep_is_listed_with_what_is_over_and_the_mean_of_its_best(
    made_up_sweep: Sweep, accuracy: Accuracy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"a": ("completed", "completed"), "b": ("completed", "failed"), "c": ("pruned", "waiting")}

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        return {"status": ends[values["network"]][seed]}

    for number, networks in enumerate((["a", "b", "c"], ["b", "c"])):
        sweep = tmp_path / "sweeps" / "x" / str(number)
        made_up_sweep(sweep, {"network": networks}, accuracy, seeds=(0, 1), change=change, experiment=f"x{number}")
        os.utime(sweep / "sweep.json", (1e9 + number, 1e9 + number))
    print_listing(tmp_path, 2)
    newer, older = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines() if "sweep" in line]
    assert newer.startswith("sweep x1 completed, 2 of 4 validation accuracy 0.5, incomplete 2001-")
    assert older.startswith("sweep x0 completed, 4 of 6 validation accuracy 0.550 ± 0.071 2001-")


def test_a_report_of_a_part_of_a_sweep(logs: Path, tmp_path: Path) -> None:
    sweep = tmp_path / "sweeps" / "a" / "s"
    results = write_report([sweep], tmp_path / "r", asked=Asked(where="optimizer=adam and seed=1"))
    assert [record.get("seed") for record in results.records] == [1, 1]
    with pytest.raises(InputError, match="where=seed=7: no run meets it"):
        write_report([sweep], tmp_path / "none", asked=Asked(where="seed=7"))
    for name in ("summary.md", "report.html", "summary.tex"):
        assert "Only runs with optimizer=adam and seed=1." in (tmp_path / "r" / name).read_text(), name
    assert not (tmp_path / "none").exists()


def test_marks_are_set_after_a_run_and_the_rest_of_its_record_stays(logs: Path) -> None:
    folder = logs / "sweeps" / "a" / "s" / "0"
    before = json.loads((folder / "run.json").read_text())
    mark(str(folder), None, "the one of figure 3", logs)
    mark(str(folder), ["kept"], None, logs)
    assert json.loads((folder / "run.json").read_text()) == {**before, "tags": ["kept"], "note": "the one of figure 3"}
    with pytest.raises(InputError, match="give tags"):
        mark(str(folder), None, None, logs)


def test_marks_of_after_the_run_count_over_those_of_its_start(made_up_run: Callable[..., None], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "made_up" / "one"
    started = {"overrides": ["tags=[old]", "note='before'"], "tags": ["old"], "note": "before"}
    made_up_run(folder, started, [0.5])
    mark(str(folder), ["new"], "after", tmp_path)
    assert [len(matching(list(records_in(tmp_path)), f"tags={tag}")) for tag in ("old", "new")] == [0, 1]
    assert matching(list(records_in(tmp_path)), "note=after")


def test_a_mark_does_not_make_an_earlier_run_the_latest(made_up_run: Callable[..., None], tmp_path: Path) -> None:
    earlier, later = (tmp_path / "runs" / "made_up" / name for name in ("earlier", "later"))
    for number, folder in enumerate([earlier, later]):
        made_up_run(folder, {}, [0.5])
        os.utime(folder / "run.json", (1e9 + number, 1e9 + number))
    mark(str(earlier), None, "seen", tmp_path)
    assert find("latest", tmp_path).path == later


@pytest.mark.parametrize(
    ("tags", "told"), [(["a", "b"], "a, b"), ([1, None], "1, None"), ("word", "word"), (5, "5"), (None, ""), ([], "")]
)
def test_the_tags_of_a_strangers_run_may_be_anything(tags: Any, told: str) -> None:
    assert listed(tags) == told
    record = Record(None, {"status": "completed", "tags": tags}, {})
    assert facts(record)["tags"] == told


def test_a_running_run_is_not_marked(logs: Path) -> None:
    folder = logs / "sweeps" / "a" / "s" / "0"
    before = (folder / "run.json").read_bytes()
    with claim(folder), pytest.raises(InputError, match="it is running"):
        mark(str(folder), ["x"], None, logs)
    assert (folder / "run.json").read_bytes() == before


def test_the_tests_of_single_classes_are_keys_too() -> None:
    records = [Record(None, {"test": {"accuracy": 0.9, "accuracy/cat": value}}, {}) for value in (0.4, 0.6)]
    assert matching(records, "test/accuracy/cat>0.5 and test/accuracy=0.9") == records[1:]


@pytest.mark.parametrize("down", [False, True])
def test_runs_with_nan_are_listed_last(down: bool) -> None:
    values = [math.nan, 1.0, math.nan, 3.0, None, 2.0]
    records = [Record(None, {"seed": seed, "objective": {"best": best}}, {}) for seed, best in enumerate(values)]
    seeds = [record.get("seed") for record in in_order(records, "objective.best", down)]
    assert seeds == ([3, 5, 1] if down else [1, 5, 3]) + [0, 2, 4]


def test_a_part_of_run_json_is_no_key_to_sort_by(logs: Path) -> None:
    with pytest.raises(InputError, match=r"no run has the key objective; the nearest are: .*objective\.best, "):
        print_matching(logs, None, "objective", 20)


def test_a_strange_run_spoils_no_list(made_up_run: Callable[..., None], tmp_path: Path, capsys: Any) -> None:
    for name, strange in (("good", {}), ("strange", {"overrides": 7, "objective": 5})):
        made_up_run(tmp_path / "runs" / "made_up" / name, strange, [0.5])
    print_listing(tmp_path, 20)
    print_matching(tmp_path, "objective.best>0.1", None, 20)
    assert "1 of 2 runs" in capsys.readouterr().out


@pytest.mark.parametrize("config", ["", "- a", "a: [1"])
def test_a_damaged_configuration_is_told_in_a_line(
    made_up_run: Callable[..., None], tmp_path: Path, config: str
) -> None:
    good, damaged = (tmp_path / "runs" / "made_up" / name for name in ("good", "damaged"))
    for folder in (good, damaged):
        made_up_run(folder, {}, [0.5])
    (damaged / "config.yaml").write_text(config)
    with pytest.raises(InputError, match=rf"{damaged}/config\.yaml"):
        print_diff(str(good), str(damaged), tmp_path)
    with pytest.raises(InputError, match="no run has the key optimiser"):
        print_matching(tmp_path, "optimiser=adam", None, 20)


def test_a_record_without_a_folder_meets_conditions_too() -> None:
    waiting = Record(None, {"status": "waiting", "seed": 3}, {"overrides": ["optimizer=sgd"]})
    assert Condition("status=waiting and seed>2 and optimizer=sgd and objective.best=null")(waiting)
    swept = Record(None, {}, {"overrides": ["optimizer=sgd"], "values": {"network": "mlp", "network.hidden": "[8,8]"}})
    assert Condition("network=mlp and network.hidden=[8,8]")(swept), "which is not typed, but known of the sweep"


@pytest.mark.parametrize(("condition", "count"), [("data.draw=3", 1), ("data.draw=0", 1), ("data.draw=7", 0)])
def test_a_typed_reference_to_another_key_is_what_it_stands_for(
    made_up_run: Callable[..., None], tmp_path: Path, condition: str, count: int
) -> None:
    records = []
    for seed in (0, 3):
        typed = {"seed": seed, "overrides": ["data.draw=${seed}", f"seed={seed}"]}
        made_up_run(tmp_path / str(seed), typed, [0.5], {"data": {"draw": seed}})
        records.append(read_run(tmp_path / str(seed)))
    assert len(matching(records, condition)) == count
