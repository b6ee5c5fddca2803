"""Remove and It is true: on the words that are shown, in the text that is shown, and never on others."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from app.seller.actions import Actions
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from listing.say import patch
from listing.say.check import guard
from listing.taxonomy import load_taxonomy
from tests.fakes import UNSUPPORTED

ROOT = Path(__file__).parents[3]


@pytest.fixture
def tab(services, me, photos):
    """A tab that shows a finished draft with one flag in its description."""
    session = SellerSession()
    session.view = list(services.draft_writer.start(me, photos))[-1]
    return session


@pytest.fixture
def press(services, me, tab):
    """A press in the tab, and what it then says."""

    def _press(**data):
        Actions(services, me, tab).press(data)
        return " ".join(notice.words for notice in tab.notices)

    return _press


def flag_of(services, tab):
    """What the page sends when a button beside the flag is pressed: everything painted on that button."""
    button = re.search(r"<button[^>]*data-do=\"claim_remove\"[^>]*>", PageRenderer(services).draft(tab, "x"))[0]
    return {name: value for name, value in re.findall(r'data-(\w+)="([^"]*)"', button) if name != "do"}


# -- which words --


def test_words_that_were_shown_in_another_text_are_not_taken_out_elsewhere(services, me, tab, press):
    flag = flag_of(services, tab)
    changed = f"The lining is {UNSUPPORTED.lower()}. This is a hoodie. {UNSUPPORTED} by me. It is soft."
    services.drafts.edit(me, tab.view.draft_id, "description", changed)
    assert "has changed" in press(do="claim_remove", **flag)
    assert tab.view.description == changed == services.drafts.get(me, tab.view.draft_id).description
    fresh = flag_of(services, tab)
    assert press(do="claim_remove", **fresh) == ""
    assert UNSUPPORTED not in tab.view.description
    assert tab.view.description.endswith("It is soft.")


def test_the_field_that_was_left_by_the_press_does_not_undo_it(services, me, tab, press):
    shown, flag = tab.view.description, flag_of(services, tab)
    typed = shown + " Two buttons."
    press(do="claim_remove", **flag, description=typed)
    cut = tab.view.description
    press(do="text", field="description", value=typed, **({"version": flag["version"]} if "version" in flag else {}))
    assert tab.view.description == cut
    assert UNSUPPORTED not in cut


# -- It is true --


def test_confirmed_words_stay_confirmed_while_they_stand(services, me, tab, press):
    press(do="claim_true", **flag_of(services, tab))
    assert tab.view.flags == ()
    press(do="text", field="description", value=f"Soft. {UNSUPPORTED}, I promise.")
    assert tab.view.flags == ()


def test_confirmed_words_that_were_changed_are_not_confirmed_any_more(services, me, tab, press):
    press(do="claim_true", **flag_of(services, tab))
    press(do="text", field="description", value="Soft. Never worn.")
    press(do="fact_unlock", name="description")
    assert UNSUPPORTED in tab.view.description
    assert [f.field for f in tab.view.flags] == ["description"]


# -- what remains --


@pytest.mark.parametrize(
    ("text", "words", "left"),
    [
        ("Warm hoodie. Rarely worn.", "Rarely worn", "Warm hoodie."),
        ("Rarely worn. Warm hoodie.", "Rarely worn", "Warm hoodie."),
        ("A warm, rarely worn hoodie.", "rarely worn", "A warm hoodie."),
        ("A hoodie, rarely worn.", "rarely worn", "A hoodie."),
        ("Warm.\n\nRarely worn.\nSoft.", "Rarely worn", "Warm.\n\nSoft."),
        ("Rarely worn", "Rarely worn", ""),
        ("Warm.", "Rarely worn", "Warm."),
        ("This is a polo shirt. It is soft.", "polo shirt", "It is soft."),
        ("Soft. This is a navy polo shirt with buttons.", "polo shirt", "Soft."),
        ("It comes with a tag. It is soft.", "tag", "It is soft."),
        ("Navy hoodie with a zip and a hood.", "zip", "Navy hoodie with a hood."),
        ("This hoodie is as new. It is soft.", "as new", "It is soft."),
        ("This hoodie is new. It is soft.", "This hoodie", "It is soft."),
        ("Size 38.5 and 100 % cotton. Soft.", "100 % cotton", "Size 38.5. Soft."),
        ("Bought in the U.S. and never worn. Soft.", "never worn", "Bought in the U.S. Soft."),
        ("Cosy.\nThis is a gift.\nSoft.", "gift", "Cosy.\nSoft."),
        ("Is it new? Yes! It is very warm.", "warm", "Is it new? Yes!"),
        ("A wool-blend coat. Soft.", "wool", "A coat. Soft."),
        ("A soft, warm and never worn coat.", "never worn", "A soft, warm coat."),
    ],
)
def test_no_broken_sentence_remains(text, words, left):
    assert patch.without(text, words, max(text.find(words), 0)) == left


def real_texts():
    """Titles and descriptions that models and people wrote."""
    texts = [json.loads(line)["text"] for line in (ROOT / "finetune/annotations/sets/real_claims.jsonl").open()]
    for number in ("", "_2"):
        path = ROOT / f"finetune/annotations/labelled_drafts{number}.jsonl"
        texts += [part for line in path.open() for part in json.loads(line)["after"].split("\n")]
    with gzip.open(ROOT / "finetune/annotations/clothing_cc0.jsonl.gz", "rt") as lines:
        texts += [json.loads(line)["description"] or "" for line in lines][::8]
    return [text for text in texts if text]


STUMP = re.compile(
    r"(?<![\w-])(?:an?|the|its?|this|that|is|are|was|has|have|with|and|or|but|of|in|on|at|from|by|for|to|very|comes)$",
    re.I,
)


def test_no_stump_is_left_in_texts_of_real_drafts():
    from listing.say.statements import find_statements

    cuts = 0
    for text in real_texts():
        for claim in find_statements(text):
            left = patch.without(text, claim.text, claim.start)
            cuts += 1
            assert len(left) < len(text), (text, claim.text)
            for sentence in re.split(r"(?<=[.!?])\s+|\n", left):
                if sentence and sentence not in text:
                    bare = sentence.rstrip(".!? ")
                    assert len(re.findall(r"\w{2,}", bare)) >= 1, (text, claim.text, left)
                    assert not STUMP.search(bare), (text, claim.text, left)
                    assert not re.search(r" [,.;]|,\s*[,.;]|\b(?:an?|the) (?:and|with|in|of)\b", sentence), (text, left)
    assert cuts > 2000


def test_a_flag_of_words_that_were_taken_out_does_not_point_at_others():
    rows = [json.loads(line) for line in (ROOT / "finetune/annotations/sets/real_claims.jsonl").open()]
    flagged = 0
    for row in rows:
        text, flags = guard(row["text"], row["facts"], row["category"], load_taxonomy(), note=row["note"])
        for flag in flags:
            flagged += 1
            words = re.search("“(.+?)”", flag.message)[1]
            assert flag.span is None or text[slice(*flag.span)] == words, (text, words)
    assert flagged > 50
