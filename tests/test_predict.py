"""A trained network's answers about a user's own files: as a table, as JSON, and drawn on the picture."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def clocks(trained: Any, data_dir: Path) -> list[np.ndarray]:
    """Three pictures (32, 32) of the test set."""
    with safe_open(data_dir / "clocks_32px_2160_seed0.safetensors", "np") as file:
        return list(file.get_tensor("test_images")[:3, 0])


@pytest.fixture
def photos(clocks: list[np.ndarray], tmp_path: Path) -> Path:
    """A folder with two pictures and a file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(clocks[0]).save(folder / "a.png")
    Image.fromarray(clocks[1]).convert("RGB").resize((200, 150)).save(folder / "b.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def predict(run_verb: Run, trained: Any, tmp_path: Path) -> Run:
    def run(inputs: str, *overrides: str) -> Any:
        return run_verb(
            "predict", f"run={trained.folder}", f"inputs={inputs}", f"output={tmp_path / 'out'}", *overrides
        )

    return run


def answers(outcome: Any) -> list[dict[str, Any]]:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_the_json_names_each_file_with_its_time(predict: Run, photos: Path) -> None:
    found = answers(predict(f"[{photos / 'a.png'},{photos / 'b.jpg'}]", "format=json"))
    assert [answer["file"] for answer in found] == [str(photos / "a.png"), str(photos / "b.jpg")]
    for answer in found:
        assert 0 <= answer["minutes"] < 720
        hour, minute = map(int, re.fullmatch(r"(\d\d?):(\d\d)", answer["time"]).groups())  # type: ignore[union-attr]
        assert (hour % 12) * 60 + minute == round(answer["minutes"]) % 720


def test_a_folder_stands_for_its_pictures(predict: Run, photos: Path) -> None:
    found = answers(predict(str(photos), "format=json"))
    assert [Path(answer["file"]).name for answer in found] == ["a.png", "b.jpg"]


def test_files_and_folders_can_be_mixed(predict: Run, photos: Path, tmp_path: Path, clocks: list[np.ndarray]) -> None:
    Image.fromarray(clocks[2]).save(tmp_path / "c.png")
    found = answers(predict(f"[{tmp_path / 'c.png'},{photos}]", "format=json"))
    assert [Path(answer["file"]).name for answer in found] == ["c.png", "a.png", "b.jpg"]


def test_the_answer_is_what_the_stored_network_says(
    predict: Run, trained: Any, photos: Path, clocks: list[np.ndarray], compose: Callable[..., Any], tiny: list[str]
) -> None:
    """Rebuilt by hand: the network of the configuration, the checkpoint's weights, pictures normalised as stated."""
    from hydra.utils import instantiate

    config = compose(*tiny)
    network, encoding = instantiate(config.network, _convert_="all"), instantiate(config.encoding, _convert_="all")
    state = torch.load(trained.folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    own = {name.removeprefix("network."): value for name, value in state.items() if name.startswith("network.")}
    network.load_state_dict(own)
    picture = (torch.tensor(clocks[0])[None, None] / 255 - config.data.mean) / config.data.std
    with torch.inference_mode():
        minutes = encoding.decode(network.eval()(picture)).item()
    (answer,) = answers(predict(str(photos / "a.png"), "format=json"))
    assert answer["minutes"] == pytest.approx(minutes, abs=0.02)


def test_a_file_is_read_alike_in_any_company(predict: Run, photos: Path) -> None:
    (alone,) = answers(predict(str(photos / "b.jpg"), "format=json"))
    assert answers(predict(str(photos), "format=json"))[1]["minutes"] == pytest.approx(alone["minutes"], abs=0.02)


def test_the_table_says_what_the_json_says(predict: Run, photos: Path) -> None:
    found = answers(predict(str(photos), "format=json"))
    table = predict(str(photos))
    assert table.code == 0
    times = [answer["time"] for answer in found]
    assert re.findall(r"\b\d\d?:\d\d\b", table.out) == times


def test_the_answer_is_drawn_with_each_picture(predict: Run, photos: Path, tmp_path: Path) -> None:
    outcome = predict(str(photos))
    drawn = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in drawn] == ["a_answer.png", "b_answer.png"]
    assert str(tmp_path / "out") in outcome.out.replace("\n", "")
    for file in drawn:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("L"))
        assert len(np.unique(pixels[: pixels.shape[0] // 2])) > 1, "the picture"
        assert (pixels[-pixels.shape[0] // 4 :] < 128).any(), "the answer stands under the picture"


def test_the_pictures_go_to_the_run_unless_told_otherwise(run_verb: Run, trained: Any, photos: Path) -> None:
    assert run_verb("predict", f"run={trained.folder}", f"inputs={photos}").code == 0
    assert {file.name for file in (trained.folder / "predictions").iterdir()} == {"a_answer.png", "b_answer.png"}


def test_files_of_one_name_are_both_drawn(predict: Run, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (photos / "a.png").rename(other / "b.png")
    assert predict(f"[{photos / 'b.jpg'},{other / 'b.png'}]").code == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


# ---------------------------------------------------------------------- what is done, and any name


def test_what_was_done_stands_in_the_table_and_in_the_json(predict: Run, photos: Path) -> None:
    with Image.open(photos / "a.png") as image:
        image.resize((200, 60)).save(photos / "wide.png")
    found = answers(predict(str(photos), "format=json", "predict.fit=pad", "predict.invert=true"))
    notes = {Path(answer["file"]).name: answer["note"] for answer in found}
    assert notes["a.png"].startswith("inverted")
    assert notes["wide.png"].startswith("padded; width / height 3.3, in training 1")
    assert "squeezed" in predict(str(photos / "wide.png"), "predict.fit=squeeze").out


def test_a_wide_picture_of_a_clock_is_padded_unless_told_otherwise(
    predict: Run, tmp_path: Path, clocks: list[np.ndarray]
) -> None:
    """What stands beside the clock changes nothing: no hand is cut off, and none is turned."""
    square = np.full((64, 64), 200, np.uint8)
    square[16:48, 16:48] = clocks[0]
    wide = tmp_path / "wide.png"
    Image.fromarray(square[16:48]).save(wide)
    Image.fromarray(square).save(tmp_path / "square.png")
    padded, same = answers(predict(f"[{wide},{tmp_path / 'square.png'}]", "format=json", "predict.invert=false"))
    assert padded["note"].startswith("padded")
    assert padded["minutes"] == pytest.approx(same["minutes"], abs=0.02)
    (cut,) = answers(predict(str(wide), "format=json", "predict.fit=crop"))
    assert "50% cut off" in cut["note"]


def test_a_run_tells_how_sure_its_answers_are_and_an_older_one_that_it_does_not_know(
    run_verb: Run, trained: Any, photos: Path, tmp_path: Path
) -> None:
    words = [f"inputs={photos / 'a.png'}", f"output={tmp_path}", "format=json"]
    outcome = run_verb("predict", f"run={trained.folder}", *words)
    (sure,) = answers(outcome)
    assert "calibrated" not in outcome.err
    older = tmp_path / "older"
    shutil.copytree(trained.folder, older)
    manifest = json.loads((older / "run.json").read_text())
    assert manifest.pop("sureness").keys() == {"spread", "blur", "doubt", "probability"}
    (older / "run.json").write_text(json.dumps(manifest))
    outcome = run_verb("predict", f"run={older}", *words)
    (unknown,) = answers(outcome)
    assert len(outcome.err.splitlines()) == 1
    assert "not calibrated" in outcome.err
    assert sure == unknown | {key: sure[key] for key in ("sure", "probability")}


NAMES: list[str | bytes] = [
    *("IMG [final].png", "[red]scan.png", ":smile:.png", "$5^^$.png", "a\nb.png", "x" * 251 + ".png"),
    b"caf\xe9.png",
]


def test_any_name_is_shown_as_it_is(
    predict: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "600")
    for name in NAMES:
        place = os.path.join(os.fsencode(tmp_path / "x["), os.fsencode(name))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(photos / "a.png", place)
    shutil.copy(photos / "a.png", tmp_path / "x[" / "red].png")
    outcome = predict(str(tmp_path))
    assert outcome.code == 0, outcome.err
    outcome.out.encode()
    for name in [*NAMES, "x[/red].png"]:
        shown = name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name.replace("\n", "\\n")
        assert shown in outcome.out
    assert len(list((tmp_path / "out").iterdir())) == 10


def test_long_names_that_begin_alike_are_shown_to_their_ends(
    predict: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for name in ("first", "second"):
        (photos / "a.png").copy if False else (photos / f"{'long' * 30}{name}.png").write_bytes(
            (photos / "a.png").read_bytes()
        )
    cells = re.sub(r"[\s│|]|\d+:\d\d|\d+\.\d+", "", predict(str(photos)).out)
    assert "first.png" in cells
    assert "second.png" in cells


def test_one_bad_file_does_not_stop_the_others(predict: Run, photos: Path) -> None:
    (photos / "aa.png").touch()
    (photos / "zz.jpg").write_text("no picture")
    outcome = predict(f"[{photos},{photos / 'nowhere.png'}]", "format=json")
    assert outcome.code == 1
    rows = json.loads(outcome.out)
    assert [Path(row["file"]).name for row in rows if "time" in row] == ["a.png", "b.jpg"]
    bad = {Path(row["file"]).name for row in rows if "error" in row}
    assert bad >= {"aa.png", "zz.jpg", "nowhere.png"}
    for name in ("aa.png", "zz.jpg", "nowhere.png"):
        assert str(photos / name) in outcome.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("predict.fit=stretch", "predict.fit=stretch: give one of: crop, pad, squeeze"),
        ("predict.invert=maybe", "predict.invert=maybe: give auto or true or false"),
    ],
)
def test_another_word_is_refused_with_the_choices(predict: Run, photos: Path, given: str, told: str) -> None:
    refused(predict(str(photos), given), told)


# ---------------------------------------------------------------------- what cannot be read


def refused(outcome: Any, told: str) -> None:
    assert outcome.code == 2
    assert told in outcome.err
    assert 1 <= len(outcome.err.splitlines()) <= 2
    assert outcome.out == ""


def test_a_missing_file_is_named(predict: Run, tmp_path: Path) -> None:
    refused(predict(str(tmp_path / "no.png")), f"inputs: there is no file or folder {tmp_path / 'no.png'}")


@pytest.mark.parametrize("content", [b"not a picture", b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_a_file_that_is_no_image_is_named(predict: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clock.png").write_bytes(content)
    refused(predict(str(tmp_path / "clock.png")), f"inputs: {tmp_path / 'clock.png'} is no image that can be read")


def test_a_truncated_image_is_named(predict: Run, photos: Path) -> None:
    file = photos / "b.jpg"
    file.write_bytes(file.read_bytes()[:700])
    refused(predict(str(file)), f"inputs: {file} is no image that can be read")


def test_a_folder_without_images_is_named(predict: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(predict(str(tmp_path / "empty")), f"inputs: the folder {tmp_path / 'empty'} holds no images")


def test_no_inputs_at_all_are_told(predict: Run) -> None:
    refused(predict("[]"), "inputs=[]: give text or a whole number or a number or a list that is not empty")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "inputs is missing: give inputs=[FILE, …], or split=test for the run's own data"),
        (["split=test", "inputs=[a.png]"], "inputs=… and split=test: give inputs=[FILE, …], or split=test"),
        (["split=tests"], "split=tests: give one of: train, val, test"),
    ],
)
def test_either_inputs_or_a_split_is_asked_for(run_verb: Run, trained: Any, given: list[str], told: str) -> None:
    refused(run_verb("predict", f"run={trained.folder}", *given), told)


def test_an_unknown_format_lists_the_formats(predict: Run, photos: Path) -> None:
    refused(predict(str(photos), "format=xml"), "format=xml: give one of: table, json")


def test_an_evaluation_which_keeps_nothing_does_not_calibrate(
    run_verb: Run, trained: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrated: list[Any] = []
    monkeypatch.setattr("atelier.tasks.clock.ClockReader.calibrate", lambda task, data: calibrated.append(data))
    assert run_verb("eval", f"run={trained.folder}", f"output={tmp_path}", "callbacks=none").code == 0
    assert calibrated == []
