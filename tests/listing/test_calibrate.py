"""``./ipl calibrate``: a server's model measured on photos with known answers, at the command."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from app.cli.main import main
from listing.calibration import PRIOR_WEIGHT, Calibration, QuestionCalibration
from listing.measure.photos import SHIPPED, read_table
from listing.measure.weights import Case, as_usual, fitted
from listing.observe.printed.ocr import Reader
from listing.pipeline_parts import calibration_file
from listing.taxonomy import load_taxonomy
from tests.listing.backends.chat_stub import (
    Answer,
    Request,
    Script,
    Stub,
    event,
    photo_of,
    prompt_of,
    reply,
    seeing,
    serving,
)

pytestmark = pytest.mark.slow
COLOURS = ["navy", "red", "white", "green"]
RGB = {"navy": (20, 30, 90), "red": (200, 30, 30), "white": (240, 240, 240), "green": (30, 150, 40)}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve hoodies of one colour each."""
    lines = ["photo,category,colour,closure"]
    for number in range(12):
        Image.new("RGB", (200, 200 + number), RGB[COLOURS[number % 4]]).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,hoodie,{COLOURS[number % 4]},")
    (tmp_path / "own.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "own.csv"


def form(colour: str) -> str:
    """A filled form about a hoodie."""
    return json.dumps({"category": {"value": "hoodie", "sure": 0.9}, "colour": {"value": colour, "sure": 0.9}})


def shown(request: Request) -> str:
    """The colour of the photo that was sent."""
    raw = base64.b64decode((photo_of(request) or "").partition(",")[2])
    seen = Image.open(io.BytesIO(raw)).convert("RGB").getpixel((5, 5))
    return min(RGB, key=lambda name: sum(abs(a - b) for a, b in zip(RGB[name], seen, strict=True)))


def calibrate(table: Path, stub: Stub) -> int:
    return main(["calibrate", "--model", stub.url, "--photos", str(table)])


def written(home: Path) -> Calibration:
    (file,) = (home / "calibrations").iterdir()
    return Calibration.load(file)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "home"
    monkeypatch.setenv("IPL_HOME", str(place))
    monkeypatch.setattr(Reader, "read", lambda self, image: [])  # there is no print on them
    return place


def answering(right: bool, fails_at: int = -1) -> tuple[list[Request], Script]:
    """A model that sees the colour, or says another; a request that fails has no reply."""
    asked: list[Request] = []

    def script(request: Request) -> Answer:
        asked.append(request)
        if len(asked) - 1 == fails_at:
            return Answer(401, {"error": "out of order"})
        colour = shown(request)
        return reply(form(colour if right else COLOURS[COLOURS.index(colour) - 1]))

    return asked, seeing(script, logprobs=False)


def test_a_right_model_is_heard_more_and_a_wrong_one_less(home: Path, table: Path, tmp_path: Path) -> None:
    weights = {}
    for right in (True, False):
        _, script = answering(right)
        with serving(script) as stub:
            assert calibrate(table, stub) == 0
        (file,) = (home / "calibrations").iterdir()
        found = Calibration.load(file)
        assert found.measured_on == {"photos": 12}
        weights[right] = found.of("colour").weights["mllm"]
        assert "closure" not in found.questions, "what nobody annotated keeps the prior"
        file.unlink()
    assert weights[True] > 1.2 * weights[False]


def test_an_interrupted_measuring_goes_on(home: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked, script = answering(True, fails_at=9)
    with serving(script) as stub:
        assert calibrate(table, stub) == 1
        assert "out of order" in capsys.readouterr().err
        before = len(asked)
        assert calibrate(table, stub) == 0
    assert len(asked) - before <= 3 + 2 * 2, "what was measured is not asked again"
    assert written(home).measured_on == {"photos": 12}


def test_a_batch_ends_by_the_calibration_that_it_began_with(home: Path, tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        if request.body.get("stream"):
            pieces = [event("Navy hoodie\nA navy hoodie."), event(finish="stop"), b"data: [DONE]\n\n"]
            return Answer(headers={"content-type": "text/event-stream"}, pieces=pieces)
        return reply("{}" if "claim" in prompt_of(request) else form("navy"))

    photos, out = tmp_path / "photos", tmp_path / "out.jsonl"
    photos.mkdir()
    for number in range(3):
        Image.new("RGB", (200, 200 + number), RGB["navy"]).save(photos / f"{number}.png")
    with serving(seeing(script, logprobs=False)) as stub:
        command = ["batch", str(photos), "-o", str(out), "--model", stub.url]
        assert main(command) == 0
        undisturbed = out.read_bytes()
        out.write_bytes(undisturbed.splitlines(keepends=True)[0])
        moved = {"colour": QuestionCalibration(weights={"mllm": 0.1}, threshold=0.98)}
        Calibration(questions=moved).save(calibration_file(stub.url, home))
        assert main([*command, "--resume", "--concurrency", "2"]) == 0
        assert out.read_bytes() == undisturbed
        out.unlink()
        assert main(command) == 0
        assert out.read_bytes() != undisturbed


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0.png,hoodie,mauvish,", "colour cannot be 'mauvish'"),
        ("0.png,spaceship,navy,", "no category 'spaceship'"),
        ("gone.png,hoodie,navy,", "no photo"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_before_anything_is_asked(
    home: Path, table: Path, line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table.write_text(f"photo,category,colour,closure\n{line}\n")
    assert main(["calibrate", "--model", "http://127.0.0.1:9/v1", "--photos", str(table)]) == 2
    assert says in capsys.readouterr().err
    assert not home.exists()


def test_the_photos_that_ship_are_small_known_and_of_half_the_validation_senders() -> None:
    photos = read_table(SHIPPED, load_taxonomy())
    assert len(photos) == 160
    assert sum(photo.path.stat().st_size for photo in photos) < 4_000_000
    assert len({photo.path.name for photo in photos}) == 160
    assert all(photo.truths["category"] for photo in photos)


def test_few_cases_move_little() -> None:
    before = QuestionCalibration(weights={"classifier": 1.0, "mllm": PRIOR_WEIGHT}, threshold=0.9)
    wrong = Case({"classifier": {"red": 0.8, "navy": 0.2}, "mllm": {"navy": 0.9, "red": 0.1}}, frozenset({"red"}))
    weights = [fitted([wrong] * count, before).weights["mllm"] for count in (1, 8, 64)]
    assert PRIOR_WEIGHT > weights[0] > weights[1] > weights[2]
    assert weights[0] > 0.7 * PRIOR_WEIGHT


def test_photos_that_are_easier_than_usual_do_not_lower_a_model() -> None:
    before = QuestionCalibration(weights={"classifier": 1.0, "mllm": PRIOR_WEIGHT}, threshold=0.9)

    def case(tower: str, model: str) -> Case:
        towers = {v: 0.8 if v == tower else 0.2 for v in ("red", "navy")}
        return Case({"classifier": towers, "mllm": {"red": 0.1, "navy": 0.1, model: 0.9}}, frozenset({"red"}))

    easy = [case("red", "red")] * 16 + [case("red", "navy")] * 4 + [case("navy", "red")]
    usual = as_usual(easy, before, 0.85)
    assert sum(c.weight for c in usual) == pytest.approx(len(easy))
    assert usual[-1].weight == pytest.approx(0.15 * len(easy))
    assert fitted(usual, before).weights["mllm"] > fitted(easy, before).weights["mllm"]
