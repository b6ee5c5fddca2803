"""A writer's decoding: whatever the model would like to say, no word comes out that the prompt does not hold."""

from dataclasses import replace

import pytest
from finetune.data.cutting import FRAME, RENDERED, WORD, stem

from finetune.evaluate.writer import Candidate, Writer, choose, hints_of, missing
from finetune.train.loading import load_base, with_lora
from listing.taxonomy import load_taxonomy
from listing.text.claims import Claim
from listing.text.render import render
from tests.finetune.tiny import build

TAXONOMY = load_taxonomy()
CLAIMS = [
    Claim("category", "Hoodie"),
    Claim("colour", "navy"),
    Claim("pattern", "striped", "check"),
    Claim("detail", "kangaroo pocket", "certain", 0.9),
]


@pytest.fixture(scope="module")
def hints():
    return hints_of(CLAIMS, render(CLAIMS, TAXONOMY, key="k"), TAXONOMY)


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """A random model, which writes noise where nothing holds it back."""
    folder = build("ipl-mini", tmp_path_factory.mktemp("model"))
    base, _, family = load_base(folder, precision="32")
    with_lora(base, family, 4, 8, 0.0, ()).save_pretrained(folder / "adapter")
    return Writer(folder, folder / "adapter")


def test_the_prompt_holds_every_claim_by_its_status(hints):
    prompt = hints.prompt(["Grey hoodie. Soft."])
    assert prompt.splitlines() == [
        "Listing: hoodie",
        "Certain: navy; kangaroo pocket",
        "Likely: striped",
        "Tone: Grey hoodie. Soft.",
    ]


def test_wear_is_said_in_the_renderers_words():
    claim, word = Claim("condition", "creased"), "creased"
    hints = hints_of([*CLAIMS, claim], render([*CLAIMS, claim], TAXONOMY, key="k"), TAXONOMY)
    assert word in hints.beside
    assert word not in hints.words()


def test_no_foreign_word_can_be_decoded(writer, hints):
    texts = writer.decode(hints.prompt([]), hints.words(), lambda text: True, seed=1)
    assert any(texts)
    words = {w for text, _, _ in texts for w in WORD.findall(text.rpartition(" ")[0].lower())}
    assert all(w in FRAME | RENDERED or stem(w) in {stem(v) for v in hints.words()} for w in words)


def test_no_text_ends_before_it_says_every_claim(writer, hints):
    ended = [text for text, _, ended in writer.decode(hints.prompt([]), hints.words(), lambda text: False) if ended]
    assert not ended
    assert not any(missing(f"{c.title} {c.description}", hints) for c in writer.candidates(hints))


def test_the_likeliest_text_is_taken_and_none_that_leaves_a_claim_out(hints):
    full = Candidate("Navy striped hoodie", "Navy striped hoodie with a kangaroo pocket.", -0.4)
    more = Candidate("Striped hoodie", "Striped navy hoodie with a kangaroo pocket.", -0.3)
    less = Candidate("Navy hoodie", "Navy hoodie with a kangaroo pocket.", -0.1)
    assert missing(less.description, hints) == ["striped"]
    assert choose([less, full, more], hints) == more
    assert choose([less], hints) is None
    assert choose([replace(full, description="Navy striped hoodie. A kangaroo pocket.")], hints) is None
    assert choose([replace(full, description=f"{full.description} It is navy and navy.")], hints) is None
    assert choose([replace(full, likelihood=-3.0)], hints) is None
