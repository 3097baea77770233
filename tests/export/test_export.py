"""Exported files: they compute what their runs compute, with raw inputs, and say what they are."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

Run = Callable[..., Any]
Open = Callable[[Path], tuple[Any, Any]]
SEQUENCES = ("rnn", "gru", "lstm", "transformer")
MADE = ("vae", "gaussian_vae", "gan", "averaged_gan")
KINDS = ("classifier", *SEQUENCES, "vit", "pairs", *MADE, "disk", "clock")
ENDINGS = {"safetensors": "safetensors", "torch": "pt2", "onnx": "onnx"}


@pytest.fixture(scope="session")
def exported(run_verb: Run) -> Callable[..., Path]:
    """`exported(run, "torch")`: the file that the command makes, in the run's folder."""
    known: dict[tuple[Path, str], Path] = {}

    def file(run: Path, format: str) -> Path:
        if (run, format) not in known:
            outcome = run_verb("export", f"run={run}", f"format={format}")
            assert (outcome.code, outcome.err) == (0, "")
            (known[run, format],) = (run / "export").glob(f"*.{ENDINGS[format]}")
            size = known[run, format].stat().st_size
            assert f"{known[run, format]}: {size / 1000:,.0f} kB, of " in " ".join(outcome.out.split())
            assert "they differ by at most" in outcome.out
            assert list((run / "export").glob(".*")) == [], "no part is left"
        return known[run, format]

    return file


def outputs(file: Path, inputs: Tensor) -> list[Tensor]:
    """What a program that knows nothing of this project gets from the file."""
    if file.suffix == ".pt2":
        return list(torch.export.load(file).module()(inputs))
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return [torch.from_numpy(one) for one in session.run(None, {given.name: inputs.numpy()})]


def facts(file: Path) -> dict[str, Any]:
    """What a file says of itself, read by other programs' means."""
    if file.suffix == ".pt2":
        found = {"atelier.json": ""}
        torch.export.load(file, extra_files=found)
        return json.loads(found["atelier.json"])
    if file.suffix == ".safetensors":
        with safetensors.safe_open(file, framework="pt") as opened:
            texts = opened.metadata()
    else:
        import onnx

        texts = {one.key: one.value for one in onnx.load(file).metadata_props}
    names = ("experiment", "config_hash", "task", "torch")
    return {key: value if key in names else json.loads(value) for key, value in texts.items()}


def expected(kind: str, task: Any, data: Any, inputs: Tensor) -> list[Tensor]:
    """The run's own outputs."""
    with torch.no_grad():
        if "vae" in kind:
            return [task.pictures(task.encode(inputs / 255)[0])]
        if "gan" in kind:
            return [task.pictures(inputs)]
        found = task(data.normalise(inputs))
        return [found, task.encoding.decode(found)] if kind == "clock" else [found]


def cases(*chosen: tuple[str, str]) -> list[Any]:
    """Each kind of run in the two formats of programs; the `chosen` are not slow."""
    every = [(kind, format) for kind in KINDS for format in ("torch", "onnx")]
    return [pytest.param(*one, marks=[] if one in chosen else pytest.mark.slow) for one in every]


@pytest.mark.parametrize(("kind", "format"), cases(("classifier", "onnx"), ("rnn", "torch"), ("gan", "torch")))
def test_a_file_computes_what_its_run_computes(
    run_of: Run, exported: Run, task_of: Open, raw: Run, kind: str, format: str
) -> None:
    encoding = ["encoding=angles"] if kind == "clock" else []
    run = run_of(kind, *encoding)
    file = exported(run, format)
    task, data = task_of(run)
    for count in (1, 7):
        inputs = torch.randn(count, task.latent_size) if "gan" in kind else raw(data, count)
        found = outputs(file, inputs)
        wanted = expected(kind, task, data, inputs)
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_a_clocks_file_tells_the_time_in_every_encoding(
    run_of: Run, exported: Run, task_of: Open, raw: Run, encoding_option: str
) -> None:
    """Also as the mean over quarter turns."""
    run = run_of("clock", f"encoding={encoding_option}", "task.quarter_turns=true")
    task, data = task_of(run)
    inputs = raw(data, 5)
    wanted = expected("clock", task, data, inputs)
    for found, one in zip(outputs(exported(run, "onnx"), inputs), wanted, strict=True):
        torch.testing.assert_close(found, one, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("kind", ["classifier", "gru", "gan", "averaged_gan", "scratch"])
def test_weights_have_the_networks_names(run_of: Run, exported: Run, task_of: Open, kind: str) -> None:
    run = run_of(kind)
    task, _ = task_of(run)
    state = task.network.state_dict()
    found = safetensors.torch.load_file(exported(run, "safetensors"))
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("format", ["safetensors", "torch", "onnx"])
def test_a_file_says_what_it_is(run_of: Run, exported: Run, format: str) -> None:
    run = run_of("classifier")
    manifest = json.loads((run / "run.json").read_text())
    found = facts(exported(run, format))
    assert found["classes"] == [str(digit) for digit in range(10)]
    assert found["data"]["shape"] == [1, 8, 8]
    assert found["data"]["mean"] == pytest.approx(0.3053, abs=0.01)
    assert "folder" not in found["data"], "no path of this machine"
    assert found["config"]["network"]["_target_"] == "atelier.networks.lenet5.LeNet5"
    assert found["objective"] == manifest["objective"]
    assert found["test"] == manifest["test"]
    assert found["config_hash"] == manifest["config_hash"]
    assert found["input"] == {
        **{"name": "inputs", "dtype": "uint8", "shape": ["N", 1, 8, 8]},
        "values": "as the data set stores them",
    }
    assert found["outputs"] == [{"name": "logits", "dtype": "float32", "shape": ["N", 10]}]


@pytest.mark.parametrize("format", ["safetensors", "torch", "onnx"])
def test_what_a_file_says_is_json_of_any_program(
    run_of: Run, run_verb: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    """A number that is none, such as the area under the curve of a test of one class, is null."""
    run = Path(shutil.copytree(run_of("classifier"), tmp_path / "run"))
    content = json.loads((run / "run.json").read_text())
    content["test"] |= {"auroc": float("nan"), "loss": float("inf")}
    content["objective"]["best"] = float("-inf")
    (run / "run.json").write_text(json.dumps(content))
    assert run_verb("export", f"run={run}", f"format={format}").code == 0
    (file,) = (run / "export").glob(f"*.{ENDINGS[format]}")
    read = json.loads
    monkeypatch.setattr(json, "loads", lambda text: read(text, parse_constant=pytest.fail))
    found = facts(file)
    assert found["test"] == content["test"] | {"auroc": None, "loss": None}
    assert found["objective"]["best"] is None


def test_weights_that_were_not_tested_have_no_test(run_of: Run, run_verb: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_of("classifier"), tmp_path / "run"))
    manifest, config = json.loads((run / "run.json").read_text()), (run / "config.yaml").read_text()
    assert manifest["test"]
    checkpoints = run / "checkpoints"

    def told(*overrides: str) -> Any:
        file = tmp_path / "weights.safetensors"
        assert run_verb("export", f"run={run}", "format=safetensors", f"output={file}", *overrides).code == 0
        return facts(file)["test"]

    assert told("checkpoint=last") == {}
    assert told("checkpoint=best") == manifest["test"]
    (run / "config.yaml").write_text(config.replace("\ncheckpoint: null\n", "\ncheckpoint: last\n"))
    assert told("checkpoint=last") == manifest["test"]
    assert told("checkpoint=best") == {}
    (run / "config.yaml").write_text(config)
    assert told("task.mirrored=true") == {}, "another computation"
    assert told("data.eval_batch_size=7") == manifest["test"]
    (checkpoints / "best.ckpt").unlink()  # as where the objective was never measured
    assert told("checkpoint=best") == manifest["test"]


@pytest.mark.slow
def test_a_program_is_read_without_this_project(run_of: Run, exported: Run) -> None:
    file = exported(run_of("classifier"), "torch")
    script = (
        "import sys, torch; module = torch.export.load(sys.argv[1]).module(); "
        "print(module(torch.zeros(4, 1, 8, 8, dtype=torch.uint8))[0].shape); "
        "print([name for name in sys.modules if name.startswith('atelier')])"
    )
    found = subprocess.run([sys.executable, "-c", script, file], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["torch.Size([4, 10])", "[]"]


def test_a_strangers_run_is_written_into_its_own_folder(run_verb: Run, run_of: Run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_of("classifier"), tmp_path / "a" / "run"))
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**manifest, "experiment": "../../../precious"}))
    assert run_verb("export", f"run={run}", "format=safetensors").code == 0
    assert (run / "export" / "precious.safetensors").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    shutil.rmtree(run / "export")
    (run / "export").symlink_to(tmp_path)
    outcome = run_verb("export", f"run={run}", "format=safetensors")
    assert outcome.code == 2
    assert outcome.err.startswith(f"{run / 'export'} is a link")


@pytest.mark.slow
def test_the_programs_of_the_page_read_the_files(run_of: Run, exported: Run, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    for format, ending in ENDINGS.items():
        shutil.copy(exported(run_of("classifier"), format), tmp_path / f"default.{ending}")
    programs = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(programs) == 3
    for program in programs:
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_without_its_data_a_run_is_compared_on_made_up_images(run_verb: Run, run_of: Run, tmp_path: Path) -> None:
    outcome = run_verb(
        "export", f"run={run_of('classifier')}", "format=safetensors", environment={"DATA_DIR": str(tmp_path / "none")}
    )
    assert outcome.code == 0, outcome.err
    assert "64 made-up images, since the data are not here" in " ".join(outcome.out.split())
