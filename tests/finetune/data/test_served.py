"""What tuning teaches is what a server is asked: a model that knows nothing but the samples gives a right draft."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from finetune.data.build import from_annotations, from_listings, write_data
from finetune.data.splits import is_validation_sender
from finetune.data.tasks import TaskPlan
from finetune.train.collator import read_samples
from listing.backends.openai import OpenAIBackend
from listing.intake.photos import intake
from listing.pipeline import Pipeline
from listing.request import DraftRequest
from listing.taxonomy import load_taxonomy
from tests.fakes import jpeg
from tests.finetune.rows import annotated
from tests.listing.backends.chat_stub import Answer, Request, event, prompt_of, reply, seeing, serving, spelled
from tests.listing.stubs import parts

TAXONOMY = load_taxonomy()
SENDERS = [
    next(i for i in range(100) if is_validation_sender(i)),
    next(i for i in range(100) if not is_validation_sender(i)),
]
LISTING = {"category": "Hoodie", "attributes": {"colour": "navy", "closure": "zip"}, "title": "", "description": ""}


def samples(tmp_path, teach, **more):
    rows = []
    for number, sender in enumerate(SENDERS):
        path = tmp_path / f"{number}.png"
        rough = Image.fromarray(np.random.default_rng(number).integers(0, 255, (6, 6, 3), dtype=np.uint8))
        rough.resize((64, 64), Image.Resampling.BICUBIC).save(path)
        rows.append({**annotated(image=str(path), sender_id=sender), **more})
    write_data(rows, teach, tmp_path / "made")
    return read_samples(tmp_path / "made" / "train.jsonl")


@pytest.mark.parametrize(
    ("teach", "more"),
    [
        (from_annotations(TAXONOMY, TaskPlan()), {}),
        (from_listings(TAXONOMY), {"listing": LISTING}),
    ],
)
def test_a_model_that_knows_the_samples_alone_gives_a_right_draft(tmp_path, teach, more):
    answers = {}
    for sample in samples(tmp_path, teach, **more):
        for asked, answer in zip(sample["messages"][::2], sample["messages"][1::2], strict=True):
            answers[asked["content"].removeprefix("<image>\n")] = answer["content"]

    def script(request: Request) -> Answer:
        if request.body.get("stream"):
            return Answer(pieces=(event("Hoodie\nA hoodie."), event(finish="stop")))
        answer = answers.get(prompt_of(request), "I was not taught that.")
        return reply(answer, spelled(answer))

    with serving(seeing(script)) as stub:
        pipeline = Pipeline(parts(OpenAIBackend(stub.url)))
        draft = list(pipeline.run(DraftRequest(photos=intake([jpeg()]))))[-1].draft
        assert len(stub.chats()) == 2 + 2, "the look at what the server can, the form, the text"
    assert draft.category.value == "Hoodie"
    assert draft.category.confidence > 0.95
    facts = {fact.name: fact.value for fact in draft.attributes if fact.value}
    assert (facts["colour"], facts["closure"]) == ("navy", "zip")
