"""The classifier that scores samples is named by the user: nothing is trained or chosen behind one's back."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atelier.compose.build import build_task, check_run
from atelier.compose.features import how_to_make, trained_classifier
from atelier.compose.preflight import check_job
from atelier.errors import InputError

Run = Callable[..., Any]
Small = dict[str, list[str]]
Change = Callable[[dict[str, Any], dict[str, Any]], None]
ROOT = Path(__file__).parents[2]
GIVEN: dict[str, Any] = {
    "experiment": None,
    "data_set": "atelier.data.digits.Digits",
    "source": "real",
    "shape": [1, 8, 8],
    "crc32": None,
}


@pytest.fixture
def copied(classifier: Path, tmp_path: Path) -> Callable[..., Path]:
    """`copied(change)`: the classifier's run in another folder, its run.json and best checkpoint changed."""

    def copy(change: Change = lambda manifest, checkpoint: None) -> Path:
        folder = Path(shutil.copytree(classifier, tmp_path / "copied"))
        manifest, path = json.loads((folder / "run.json").read_text()), folder / "checkpoints" / "best.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        change(manifest, checkpoint)
        (folder / "run.json").write_text(json.dumps(manifest))
        torch.save(checkpoint, path)
        return folder

    return copy


def other_weights(manifest: dict[str, Any], checkpoint: dict[str, Any]) -> None:
    weights = checkpoint["state_dict"]
    weights.update({name: tensor + 1 for name, tensor in weights.items() if tensor.dim() > 1})


# ---------------------------------------------------------------------- none is named


def test_where_none_is_named_the_commands_that_make_it_and_go_on_are_told_and_work(
    run_verb: Run, tmp_path: Path, small_models: Small, small_classifier: list[str], short: list[str]
) -> None:
    typed = [*small_models["gan"], *short, "features=digits"]
    outcome = run_verb("train", *typed, logs=tmp_path)
    assert outcome.code == 2
    assert list(tmp_path.iterdir()) == [], "before anything is made"
    told, train, go_on = outcome.err.strip().splitlines()
    assert "features.run" in told
    assert "features=pixels" in told
    command = ["python", "src/train.py"]
    assert shlex.split(train)[:3] == [*command, "experiment=digits_features"]
    assert shlex.split(go_on)[:-1] == [*command, *typed]
    assert run_verb("train", *shlex.split(train)[2:], *small_classifier, logs=tmp_path).code == 0
    ended = run_verb("train", *shlex.split(go_on)[2:], logs=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert run_verb("train", *typed, logs=tmp_path).err.strip().splitlines()[1:] == [go_on], "it is there now"


def test_a_classifier_that_was_interrupted_is_told_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "mnist_features" / "scores"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "interrupted"}))
    assert how_to_make("mnist_features", tmp_path)[1] == f"  python src/train.py resume={folder}"


def test_a_classifier_without_a_recipe_is_asked_for(run_verb: Run, tmp_path: Path) -> None:
    outcome = run_verb("train", "experiment=digits_vae", "features=classifier", logs=tmp_path)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert "features.run is missing" in outcome.err


@pytest.mark.parametrize("experiment", ["mnist_gan", "cats_vae"])
def test_a_sweep_says_it_before_its_first_job(data_dir: Path, experiment: str) -> None:
    environment = {"DATA_DIR": str(data_dir)}
    first, second = (
        check_job(ROOT, environment, None, [], [f"experiment={experiment}", "trainer=cpu", f"seed={seed}"])
        for seed in (0, 1)
    )
    assert first["problem"].startswith("features.run is missing")
    assert first == second, "told once for all jobs"


@pytest.mark.parametrize("experiment", ["digits_gan", "digits_vae"])
def test_digits_need_none(compose: Callable[..., Any], experiment: str) -> None:
    assert compose(f"experiment={experiment}").features._target_ == "atelier.metrics.features.Pixels"


# ---------------------------------------------------------------------- one is named that does not fit

WRONG: dict[str, tuple[Change, dict[str, Any], str]] = {
    "unfinished": (lambda run, _: run.update(status="failed"), {}, "this run is failed, not completed; go on with it"),
    "other data": (lambda _, kept: None, {"data_set": "mnist"}, "was trained on atelier.data.digits.Digits, not mn"),
    "made up": (lambda _, kept: kept["config"]["data"].update(source="fake"), {}, "trained on made-up data"),
    "other shape": (lambda _, kept: None, {"shape": [3, 8, 8]}, r"trained on \[1, 8, 8\], not \[3, 8, 8\]"),
    "no classifier": (lambda _, kept: kept["config"].update(network=None), {}, "this run has trained no classifier"),
    "other weights": (other_weights, {"crc32": "0badc0de"}, r"began with the weights 0badc0de, this run has \w{8}"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_run_that_does_not_fit_is_refused(copied: Callable[..., Path], case: str) -> None:
    change, changed, message = WRONG[case]
    folder = copied(change)
    with pytest.raises(InputError, match=message) as refused:
        trained_classifier(run=str(folder), **{**GIVEN, **changed})
    assert str(refused.value).startswith(f"features.run={folder}: ")
    assert "\n" not in str(refused.value)


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    for run in (tmp_path, tmp_path / "nothing", "latest"):
        with pytest.raises(InputError, match=r"features.run=.*: there is no run in this folder"):
            trained_classifier(run=str(run), **GIVEN)


def test_a_tilde_in_an_option_file_names_a_run_at_home(
    compose: Callable[..., Any], classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(classifier.parent))
    config = compose("experiment=digits_gan", "features=digits", f"features.run='~/{classifier.name}'")
    check_run(config)
    assert config.features.run == str(classifier)
    assert config.features.crc32


@pytest.mark.parametrize("content", ["", "{", "[]", '{"objective": 3}'])
def test_a_damaged_run_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run.json is damaged: "):
        trained_classifier(run=str(tmp_path), **GIVEN)


def test_a_checkpoint_that_holds_more_than_tensors_is_not_opened(copied: Callable[..., Path], tmp_path: Path) -> None:
    folder = copied(lambda _, checkpoint: checkpoint.update(path=Path("x")))
    with pytest.raises(InputError, match="holds more than tensors and plain data"):
        trained_classifier(run=str(folder), **GIVEN)


def test_the_command_line_refuses_it_before_anything_is_made(
    run_verb: Run, copied: Callable[..., Path], small_models: Small, tmp_path: Path
) -> None:
    folder = copied(lambda manifest, _: manifest.update(status="interrupted"))
    named = ["features=digits", f"features.run={folder}"]
    outcome = run_verb("train", *small_models["vae"], *named, logs=tmp_path / "logs")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert f"features.run={folder}: this run is interrupted" in outcome.err
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("task", ["gan", "vae"])
def test_weights_that_are_not_there_are_told_before_anything_is_made(
    run_verb: Run, small_models: Small, tmp_path: Path, task: str
) -> None:
    gone = tmp_path / "gone.pth"
    named = ["features=inception", f"features.weights={gone}"]
    outcome = run_verb("train", *small_models[task], *named, logs=tmp_path / "logs")
    told = f"features.weights={gone}: there is no such file; features=pixels needs none\n"
    assert (outcome.code, outcome.err) == (2, told)
    assert not (tmp_path / "logs").exists()


def test_scores_change_no_number_of_the_training(compose: Callable[..., Any], classifier: Path) -> None:
    drawn = []
    for features in (["features=pixels"], ["features=digits", f"features.run={classifier}"]):
        task = build_task(compose("experiment=digits_gan", *features))
        drawn.append((task.latents, torch.rand(3)))
    for one, other in zip(*drawn, strict=True):
        assert torch.equal(one, other)


# ---------------------------------------------------------------------- a run keeps its classifier


def test_runs_are_of_one_setting_if_the_weights_are_the_same_wherever_they_lie(
    classifier: Path, copied: Callable[..., Path], data_dir: Path
) -> None:
    def setting(folder: Path) -> str:
        named = ["experiment=digits_vae", "features=digits", f"features.run={folder}", "trainer=cpu"]
        return check_job(ROOT, {"DATA_DIR": str(data_dir)}, None, [], named)["config_hash"]

    same = copied()
    assert setting(same) == setting(classifier)
    path = same / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    other_weights({}, checkpoint)
    torch.save(checkpoint, path)
    assert setting(same) != setting(classifier)


@pytest.fixture
def begun(run_verb: Run, copied: Callable[..., Path], small_models: Small, short: list[str], tmp_path: Path) -> Any:
    """A VAE's run that is scored by a classifier in `tmp_path/copied`."""
    named = ["features=digits", f"features.run={copied()}", "trainer.max_epochs=1"]
    outcome = run_verb("train", *small_models["vae"], *short, *named, logs=tmp_path / "logs")
    assert outcome.code == 0, outcome.err
    return outcome


def test_a_run_goes_on_with_the_weights_it_began_with_wherever_they_lie(
    run_verb: Run, begun: Any, classifier: Path, tmp_path: Path
) -> None:
    checksum = begun.manifest["features"]["weights_crc32"]
    shutil.rmtree(tmp_path / "copied")
    gone = run_verb("eval", f"run={begun.folder}", "trainer=cpu")
    assert gone.code == 2
    assert gone.err == f"features.run={tmp_path / 'copied'}: there is no run in this folder\n"
    without, again = (
        run_verb("eval", f"run={begun.folder}", "trainer=cpu", option)
        for option in ("+task.features=null", f"+task.features.run={classifier}")
    )
    assert (without.code, again.code) == (0, 0), without.err + again.err
    assert "elbo" in without.out
    assert ("frechet_distance" in without.out, "frechet_distance" in again.out) == (False, True)
    more = ["trainer.max_epochs=2", "features=digits", f"features.run={classifier}"]
    outcome = run_verb("train", f"resume={begun.folder}", *more, logs=begun.logs)
    assert (outcome.code, outcome.err) == (0, "")
    assert begun.manifest["epochs"] == 2
    assert begun.manifest["features"]["weights_crc32"] == checksum
    assert begun.manifest["features"]["run"] == str(classifier)


def test_a_run_does_not_go_on_with_other_scores(run_verb: Run, begun: Any, tmp_path: Path) -> None:
    before = (begun.folder / "run.json").read_text()

    def refused(verb: str, *options: str) -> str:
        outcome = run_verb(verb, *options, logs=begun.logs)
        assert outcome.code == 2
        assert len(outcome.err.splitlines()) == 1
        assert (begun.folder / "run.json").read_text() == before
        return outcome.err

    assert "features." in refused("train", f"resume={begun.folder}", "trainer.max_epochs=2", "features=pixels")
    path = tmp_path / "copied" / "checkpoints" / "best.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    other_weights({}, checkpoint)
    torch.save(checkpoint, path)
    assert "features.crc32=" in refused("train", f"resume={begun.folder}", "trainer.max_epochs=2")
    for verb, key in (("train", "resume"), ("eval", "run"), ("sample", "run")):
        told = refused(verb, f"{key}={begun.folder}")
        assert "the scores began with the weights" in told
