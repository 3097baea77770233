"""The network of a finished run in Python, and its answers: for files, texts, arrays."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import atelier
from atelier.api.finished import FinishedRun

Left = Callable[..., Path]
Run = Callable[..., Any]
DIGIT = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)


def refused(message: str) -> Any:
    return pytest.raises(atelier.InputError, match=message)


def test_the_network_has_the_weights_of_its_checkpoint(run: FinishedRun) -> None:
    for name in ("best", "last"):
        stored = torch.load(run.folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        task = atelier.load(run.folder, checkpoint=name).task
        assert not task.network.training
        for key, value in task.network.state_dict().items():
            assert torch.equal(value, stored[f"network.{key}"])


def test_the_tested_accuracy_is_found_again(run: FinishedRun) -> None:
    test = run.data.sets["test"]
    images, classes = test[torch.arange(len(test))]
    answers = run(images)
    assert len(answers) == 359
    right = [answer["class"] == run.data.classes[label] for answer, label in zip(answers, classes, strict=True)]
    assert np.mean(right) == pytest.approx(run.manifest["test"]["accuracy"])
    with torch.no_grad():
        probability, index = run.network(run.data.normalise(images[:1])).softmax(1).max(1)
    assert answers[0] == {"class": run.data.classes[index], "probability": round(probability.item(), 4)}


def test_arrays_tensors_and_files_are_answered_alike(
    run: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(DIGIT[0]).save(tmp_path / "a.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    (told,) = run(DIGIT)
    assert run(torch.tensor(DIGIT)) == run(DIGIT[None]) == run(DIGIT[:, ::-1, ::-1][:, ::-1, ::-1]) == [told]
    at_home = "~", "~/a.png", [Path("~/a.png")], b"~/a.png"
    for given in (tmp_path / "a.png", str(tmp_path / "a.png"), tmp_path, [tmp_path / "a.png"], *at_home):
        (answer,) = run(given, invert=False)
        assert answer["file"] == str(tmp_path / "a.png")
        assert told.items() <= answer.items()


def test_a_split_is_answered_in_one_process_as_far_as_the_trainer_goes(
    run: FinishedRun, run_verb: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several processes each would have answers for its own samples."""
    from atelier.compose import build

    asked: list[Any] = []
    built = build.build_trainer
    monkeypatch.setattr(build, "build_trainer", lambda *given: asked.append(given[0].trainer) or built(*given))
    typed = ["trainer=ddp_cpu", "trainer.devices=2", "+trainer.limit_predict_batches=1", "data.eval_batch_size=50"]
    outcome = run_verb("predict", f"run={run.folder}", "split=test", "format=json", *typed)
    assert outcome.code == 0, outcome.err
    assert [trainer.devices for trainer in asked] == [1]
    assert [row["index"] for row in json.loads(outcome.out)] == [*range(50)]


def test_answers_of_files_are_those_of_the_command(run: FinishedRun, run_verb: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "$5 ${HOME} [x]"
    folder.mkdir(parents=True)
    Image.fromarray(DIGIT[0]).resize((20, 9)).save(folder / "a.png")
    (folder / "b.png").write_text("no picture")
    outcome = run_verb("predict", f"run={run.folder}", f"inputs=['{folder.parent}']", "format=json", "predict.fit=pad")
    assert outcome.code == 1, outcome.err
    assert run(folder.parent, fit="pad") == json.loads(outcome.out)
    assert [set(row) for row in run(folder, fit="pad")] == [
        *[{"file", "class", "probability", "note"}, {"file", "error"}]
    ]


def test_wrong_inputs_are_told(run: FinishedRun) -> None:
    wrong: list[tuple[Any, str]] = [
        ("no.png", "there is no file or folder no.png"),
        ([], r"inputs=\[\]: give text"),
        (None, "inputs=null: give text"),
        ([DIGIT], "several arrays are given as one"),
        (Image.fromarray(DIGIT[0]), "inputs: Image is no file or text"),
        ([Image.fromarray(DIGIT[0])], "inputs: Image is no file or text"),
        ([["a.png"]], "inputs: list is no file or text"),
        (DIGIT / 255, "an array of float64; give images uint8, 0 to 255"),
        (DIGIT.astype(int), "an array of int64; give images uint8"),
        (DIGIT[0], r"an array \[8, 8\]; Digits takes N inputs \[N, 1, 8, 8\]"),
        (DIGIT[None][:0], r"an array \[0, 1, 8, 8\]; Digits takes"),
    ]
    for inputs, told in wrong:
        with refused(told):
            run(inputs)


def test_a_wrong_way_of_reading_files_is_told(run: FinishedRun, tmp_path: Path) -> None:
    with refused("predict.fit=stretch: give one of: crop, pad, squeeze"):
        run(tmp_path, fit="stretch")  # type: ignore[arg-type]


def test_texts_are_answered(untrained: Left) -> None:
    run = atelier.load(untrained("data=palindromes", "data.length=3", "network=rnn", "task=sequence"))
    answers = run(["727", 72, "05"])
    assert [answer["input"] for answer in answers] == ["727", "72", "05"]
    told = {key: answers[1][key] for key in ("class", "probability")}
    assert run(torch.tensor([7, 2])) == run(np.array([[7, 2]], dtype=np.int32)) == [told]
    for inputs, words in (("1234", "is not 2 digits"), (np.array([[7.0, 2.0]]), "float64; give int64")):
        with refused(words):
            run(inputs)


def test_a_gan_gives_no_answers(untrained: Left, run_verb: Callable[..., Any]) -> None:
    run = atelier.load(untrained("experiment=digits_gan", "features=pixels"))
    with refused("GAN makes pictures, and gives no answers about pictures"):
        run(DIGIT)
    outcome = run_verb("predict", f"run={run.folder}", "split=test")
    assert outcome.code == 2
    told = "GAN makes pictures, and gives no answers about pictures: python src/sample.py run=…\n"
    assert (outcome.out, outcome.err) == ("", told)
    assert not (run.folder / "predictions").exists()
    assert run.task.pictures(run.task.draw_latents(2, seed=0)).shape == (2, 1, 8, 8)  # type: ignore[operator]
    assert set(dict(run.network.named_children())) == {"generator", "discriminator"}


def test_a_task_that_defines_no_answers_says_so(run: FinishedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    from atelier.tasks.task import Task

    monkeypatch.setattr(type(run.task), "answers", Task.answers)
    with refused("task: Classifier gives no answers about inputs"):
        run(DIGIT)


def test_data_that_have_changed_are_told(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(data: Any, recorded: Any) -> None:
        raise atelier.InputError(f"the data have changed: {recorded}")

    run = atelier.load(left("run", data={"checksum": "aa"}))
    monkeypatch.setattr(type(run.stated), "check_same", changed)
    with refused("the data have changed: {'checksum': 'aa'}"):
        run.data  # noqa: B018


def test_data_that_are_not_here_are_told(untrained: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network and its answers need none."""
    shape = ["data.images=pictures", "data.classes=[a,b]", "data.shape=[1,8,8]", "network.hidden=[4]"]
    run = atelier.load(untrained("data=image_folder", *shape))
    with refused("data.images=pictures: there is no "):
        run.data  # noqa: B018
    assert len(run(DIGIT)) == 1
