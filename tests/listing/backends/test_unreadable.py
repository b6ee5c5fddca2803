"""A server whose replies cannot be read: one sentence, the same at every door, and no empty draft that looks right."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli.main import main
from listing import IplError, build_pipeline, draft
from listing.intake.photos import intake
from listing.request import DraftEvent, DraftRequest
from tests.fakes import jpeg
from tests.listing.backends.chat_stub import Answer, Request, Stub, event, prompt_of, reply, seeing, serving

SENTENCE = "The replies of the model 'stub/vision-1' cannot be read: it fills in no form and answers no question"
UNREADABLE = ["lorem qx ipsum ##", "", "I'm sorry, but I cannot help with that.", "<think> well, let me see"]


def answering(answer_text: Callable[[Request], str]) -> Callable[[Request], Answer]:
    """A model that writes "A hoodie" and replies to everything else by ``said``."""

    def script(request: Request) -> Answer:
        if request.body.get("stream"):
            return Answer(pieces=(event("Hoodie\nA hoodie."), event(finish="stop")))
        return reply(answer_text(request))

    return seeing(script, logprobs=False)


@pytest.fixture(params=UNREADABLE)
def broken(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A server that replies nonsense, and a folder ``photos`` with four photos; no embedded model is set up."""
    monkeypatch.setenv("IPL_HOME", str(tmp_path / "home"))
    (tmp_path / "photos").mkdir()
    for number in range(4):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(jpeg((20, 30, 60 + 20 * number)))
    with serving(answering(lambda _: request.param)) as stub:
        yield stub


def test_a_batch_says_so_with_a_count_and_fails(
    broken: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    assert main(["batch", str(tmp_path / "photos"), "-o", str(out), "--model", broken.url]) == 1
    last = capsys.readouterr().err.splitlines()[-2:]
    assert "4 of them could not be drafted" in last[0]
    assert "100% of the items failed" in last[1]
    assert SENTENCE in last[1]
    rows = [json.loads(line) for line in out.open()]
    assert [row["error"]["code"] for row in rows] == ["unreadable"] * 4


def test_a_draft_says_the_same_and_fails(broken: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draft", str(tmp_path / "photos" / "0.jpg"), "--model", broken.url]) == 1
    printed = capsys.readouterr()
    assert f"ipl: {SENTENCE}" in printed.err
    assert printed.out == ""


def test_the_library_says_the_same(broken: Stub, tmp_path: Path) -> None:
    with pytest.raises(IplError, match=SENTENCE):
        draft([tmp_path / "photos" / "0.jpg"], model=broken.url)


def test_the_pages_get_a_draft_that_says_it(broken: Stub, tmp_path: Path) -> None:
    events = build_pipeline(broken.url, False, tmp_path / "home").run(DraftRequest(photos=intake([jpeg()])))
    (drafted,) = (e.draft for e in events if isinstance(e, DraftEvent))
    assert next(f.message for f in drafted.flags if f.code == "unreadable").startswith(SENTENCE)


@pytest.mark.parametrize("category", [None, "Hoodie"])
def test_one_answer_that_can_be_read_is_enough(tmp_path: Path, category: str | None) -> None:
    asked = "What is it?" if category is None else "What colour is it?"
    answer_text = "hoodie" if category is None else "navy"
    with serving(answering(lambda r: answer_text if prompt_of(r).startswith(asked) else "lorem")) as stub:
        request = DraftRequest(photos=intake([jpeg()]), category=category)
        events = build_pipeline(stub.url, False, tmp_path / "home").run(request)
        (drafted,) = (e.draft for e in events if isinstance(e, DraftEvent))
    assert drafted.category.value == "Hoodie"
    assert "unreadable" not in {flag.code for flag in drafted.flags}


def test_a_model_that_writes_the_texts_cannot_be_left_out(
    broken: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(tmp_path / "photos" / "0.jpg")
    assert main(["draft", photo, "--model", broken.url, "--without-mllm"]) != 0
    assert "cannot be left out" in capsys.readouterr().err
