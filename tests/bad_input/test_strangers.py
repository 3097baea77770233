"""Folders of a stranger: opening one executes nothing, writes nowhere else, waits for nothing, shows text as text."""

import csv
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from atelier.errors import InputError
from atelier.figures.kinds.pictures import gather
from atelier.runs.folder import read_yaml
from atelier.runs.trust import check_overrides

Told = Callable[..., str]
Run = Callable[..., Any]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b]\n"
EARLIER = Path(__file__).parents[1] / "fixtures" / "earlier"


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep of two jobs, the second of which has not begun."""
    return Path(shutil.copytree(EARLIER / "sweep", tmp_path / "sweeps" / "default" / "a"))


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


# ---------------------------------------------------------------------- damaged files


@pytest.mark.parametrize("verb", ["eval", "export", "predict", "train"])
def test_a_checkpoint_with_flipped_bytes_is_refused(
    told: Told, run_copy: Path, tiny: list[str], verb: str, using: Any
) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    with zipfile.ZipFile(path) as archive:
        part = max(archive.infolist(), key=lambda part: part.file_size)  # weights
    content = bytearray(path.read_bytes())
    middle = part.header_offset + 200 + part.file_size // 2
    content[middle : middle + 20] = bytes(255 - byte for byte in content[middle : middle + 20])
    path.write_bytes(content)
    message = told(verb, *using(verb, run_copy, tiny, path))
    assert message.startswith(f"{path} is damaged: ")


def test_a_run_whose_last_checkpoint_is_damaged_stays_as_it_is_and_goes_on_from_the_best_if_told_so(
    told: Told, run_verb: Run, run_copy: Path
) -> None:
    last = run_copy / "checkpoints" / "last.ckpt"
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 255
    last.write_bytes(content)
    before = (run_copy / "run.json").read_bytes()
    message = told("train", f"resume={run_copy}")
    assert message.startswith(f"{last} is damaged")
    assert (run_copy / "run.json").read_bytes() == before
    source, target = message.split("cp ")[1].split()
    shutil.copy(source, target)
    outcome = run_verb("train", f"resume={run_copy}")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_compressed_checkpoint_is_not_expanded(told: Told, run_copy: Path, tiny: list[str], using: Any) -> None:
    path = run_copy / "checkpoints" / "best.ckpt"
    with zipfile.ZipFile(path) as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("archive/data/zeros", bytes(10**7))
    assert told("eval", *using("eval", run_copy, tiny, path)).startswith(f"{path} is compressed")


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 200_000], ids=["empty", "cut off", "a list", "nested"])
@pytest.mark.parametrize("verb", ["eval", "train"])
def test_a_damaged_manifest_is_told_in_a_line(told: Told, run_copy: Path, verb: str, content: str) -> None:
    (run_copy / "run.json").write_text(content)
    named = f"{'run' if verb == 'eval' else 'resume'}={run_copy}"
    assert told(verb, named).startswith(f"{run_copy / 'run.json'} is damaged: ")


# ---------------------------------------------------------------------- files that never end


def test_a_yaml_file_that_expands_without_limit_is_refused(told: Told, run_copy: Path, tmp_path: Path) -> None:
    (run_copy / "config.yaml").write_text(BOMB)
    assert told("train", f"resume={run_copy}").startswith(f"{run_copy / 'config.yaml'} has aliases")


@pytest.mark.parametrize("text", ["a: '*star'", "a: 2 * 3", "# *b\na: 1"])
def test_a_star_is_no_alias(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml") == yaml.safe_load(text)


@pytest.mark.parametrize("text", ["[" * 5000, "a: b: c", "\x00"])
def test_what_is_no_yaml_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(InputError, match=r"a\.yaml cannot be read"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize("file", ["metrics.csv", "config.yaml"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(run_verb: Run, sweep: Path, tmp_path: Path, file: str) -> None:
    (sweep / "0" / file).unlink()
    os.mkfifo(sweep / "0" / file)
    outcome = run_verb("report", f"sweep={sweep}", f"output={tmp_path / 'report'}", logs=sweep.parents[2])
    assert outcome.code == 0


# ---------------------------------------------------------------------- nothing is written elsewhere


@pytest.mark.parametrize("place", ["run.log", "metrics.csv", "figures", "checkpoints/last.ckpt"])
@pytest.mark.parametrize("verb", ["eval", "export", "train"])
def test_a_link_in_a_run_is_not_written_through(
    told: Told, run_copy: Path, tmp_path: Path, verb: str, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.move(run_copy / place, elsewhere)
    (run_copy / place).symlink_to(elsewhere)
    before = sorted((path, path.stat().st_mtime_ns) for path in [elsewhere, *elsewhere.glob("*")])
    named = [f"run={run_copy}"] if verb != "train" else [f"resume={run_copy}", "trainer.max_epochs=9"]
    assert told(verb, *named).startswith(f"{run_copy / place} is a link")
    assert sorted((path, path.stat().st_mtime_ns) for path in [elsewhere, *elsewhere.glob("*")]) == before


def test_a_logger_writes_into_the_run_whatever_its_configuration_says(
    run_verb: Run, run_copy: Path, tmp_path: Path
) -> None:
    config = yaml.safe_load((run_copy / "config.yaml").read_text())
    logger = {"_target_": "atelier.loggers.tensorboard.TensorBoard", "run": str(tmp_path / "elsewhere")}
    config["logger"] = {"tensorboard": logger}
    (run_copy / "config.yaml").write_text(yaml.safe_dump(config))
    outcome = run_verb("train", f"resume={run_copy}")
    assert outcome.code == 0, outcome.err
    assert list(run_copy.glob("**/events.out.tfevents.*"))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("number", ["../../precious", -1, True, "0"])
def test_a_job_of_a_sweep_lies_in_the_sweep(told: Told, sweep: Path, number: object) -> None:
    precious = sweep.parents[1] / "precious"
    precious.mkdir(exist_ok=True)
    (precious / "file").touch()
    edit(sweep / "sweep.json", lambda content: content["jobs"][1].update(number=number))
    assert told("train", f"sweep.resume={sweep}", logs=sweep.parents[2]).startswith(f"{sweep / 'sweep.json'}: number=")
    assert (precious / "file").exists()


def test_a_job_whose_folder_is_a_link_does_not_begin(told: Told, sweep: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (sweep / "1").symlink_to(precious)
    assert told("train", f"sweep.resume={sweep}", logs=sweep.parents[2]).startswith(f"{sweep / '1'} is a link")
    assert [path.name for path in precious.iterdir()] == ["file"]


MORE_THAN_A_VALUE = [
    "hydra.run.dir=/tmp",
    "+hydra.job.env_set.PATH=x",
    "hydra/launcher=slurm",
    "++hydra={callbacks:{x:{_target_:torch.utils.collect_env.run,command:true}}}",
    "+callbacks@hydra.callbacks=none",
    "--config-dir=/tmp",
    "-cn=x",
    "seed=1\ntouch x",
    "++note=${oc.env:HOME}",
]


@pytest.mark.parametrize("override", [*MORE_THAN_A_VALUE, "resume=/tmp", "sweep.folder=/tmp"])
def test_a_job_of_a_sweep_sets_values_and_nothing_else(told: Told, sweep: Path, override: str) -> None:
    edit(sweep / "sweep.json", lambda content: content["jobs"][1]["overrides"].append(override))
    assert repr(override) in told("train", f"sweep.resume={sweep}", logs=sweep.parents[2])


@pytest.mark.parametrize("override", MORE_THAN_A_VALUE)
def test_a_run_that_goes_on_composes_values_and_nothing_else(told: Told, run_copy: Path, override: str) -> None:
    edit(run_copy / "run.json", lambda content: content["overrides"].append(override))
    assert repr(override) in told("train", f"resume={run_copy}", "trainer.max_epochs=9")


@pytest.mark.parametrize(
    "override",
    [
        *("optimizer=adam", "+callbacks=[filters,curves]", "~scheduler", "network.blocks=[[16,16],32]", "a.0.b=1"),
        *("+activation@network.dense_activation=tanh", "network@task.teacher=lenet5", "++data.folder='/my data/a:b'"),
        *("paths.data=/data", "task.name='what $x costs: 3'"),
    ],
)
def test_what_people_type_is_composed_again(override: str, tmp_path: Path) -> None:
    check_overrides([override], tmp_path)


def test_data_go_where_the_command_says_and_not_where_a_configuration_says(
    run_verb: Run, run_copy: Path, tmp_path: Path
) -> None:
    config = yaml.safe_load((run_copy / "config.yaml").read_text())
    config["paths"]["data"] = config["data"]["folder"] = str(tmp_path / "elsewhere")
    (run_copy / "config.yaml").write_text(yaml.safe_dump(config))
    edit(run_copy / "run.json", lambda content: content.update(config_hash="x"))
    assert run_verb("train", f"resume={run_copy}").code == 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_checkpoint_whose_configuration_repeats_itself_is_refused(
    told: Told, run_copy: Path, tiny: list[str], using: Any, edit_checkpoint: Any
) -> None:
    bomb: Any = {}
    for _ in range(60):
        bomb = {"a": bomb, "b": bomb}
    path = run_copy / "checkpoints" / "best.ckpt"
    edit_checkpoint(path, lambda content: content["config"].update(bomb=bomb))
    assert told("eval", *using("eval", run_copy, tiny, path)).startswith(f"{path}: its configuration repeats")


def test_a_finished_run_is_used_in_one_process_whatever_its_configuration_says(
    run_verb: Run, run_copy: Path, tmp_path: Path, edit_checkpoint: Any
) -> None:
    profiler = {"_target_": "lightning.pytorch.profilers.SimpleProfiler", "filename": "x"}
    asked = {
        "devices": 1000,
        "num_nodes": 2,
        "strategy": "ddp",
        "profiler": {**profiler, "dirpath": str(tmp_path / "x")},
    }
    edit_checkpoint(run_copy / "checkpoints" / "best.ckpt", lambda content: content["config"]["trainer"].update(asked))
    assert run_verb("eval", f"run={run_copy}").code == 0
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("place", ["figures", "0/evaluation/test/figures", "0/run.log"])
def test_a_report_is_not_written_through_a_link(told: Told, sweep: Path, tmp_path: Path, place: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (sweep / place).parent.mkdir(parents=True, exist_ok=True)
    (sweep / place).symlink_to(elsewhere)
    assert told("report", f"sweep={sweep}", logs=sweep.parents[2]).startswith(f"{sweep / place} is a link")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", [".lock", "0/.lock", "0/metrics.csv", "0/config.yaml"])
def test_a_pipe_in_a_sweep_is_told(told: Told, sweep: Path, name: str) -> None:
    (sweep / name).unlink(missing_ok=True)
    os.mkfifo(sweep / name)
    assert told("report", f"sweep={sweep}", logs=sweep.parents[2]).startswith(f"{sweep / name} is no file")


@pytest.mark.parametrize("name", ["../../../secret", "/secret", "..", ""])
def test_a_figure_shows_pictures_of_the_runs_only(name: str) -> None:
    with pytest.raises(InputError, match="name="):
        gather([], metric="val/loss", name=name)


# ---------------------------------------------------------------------- text stays text


def test_a_report_holds_no_formula_no_html_and_no_command_of_the_terminal(run_verb: Run, sweep: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["device"] = "=cmd|' /C calc'!A0"
        content["error"] = {"type": "RuntimeError", "message": "<script>alert(1)</script> \x1b[2J\x9b2J"}
        content["status"] = "failed"

    edit(sweep / "0" / "run.json", change)
    edit(sweep / "sweep.json", lambda content: content.update(presentation={"title": "<img src=x>"}))
    outcome = run_verb("report", f"sweep={sweep}", logs=sweep.parents[2])
    assert outcome.code == 0
    (row, *_) = csv.DictReader((sweep / "summary.csv").read_text().splitlines())
    assert row["device"] == "'=cmd|' /C calc'!A0"
    for text in (outcome.out, (sweep / "summary.md").read_text(), (sweep / "summary.csv").read_text()):
        assert "\x1b" not in text
        assert "\x9b" not in text
    assert "<img" not in (sweep / "summary.md").read_text()
