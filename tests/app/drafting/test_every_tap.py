"""Whatever is pressed, the texts stay English, say what was pressed, and the score does not fall."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import count

import pytest

from app.seller.renderer import PageRenderer
from app.views import DraftView
from finetune.data.photosets import read_annotations
from listing.decide.claims import Claim, name_of
from listing.decide.settle import item_of, settle
from listing.details import detail_forms
from listing.intake.photos import intake
from listing.observe.seller import Edit
from listing.request import DraftRequest
from listing.revise import follow
from listing.say.marks import find_spans
from listing.say.plan import stated_claims
from listing.schema import Draft
from listing.taxonomy import load_taxonomy
from tests.app.support.clients import client_of
from tests.app.support.tabs import Tab
from tests.app.support.taps import Press, Replay, faults, pressed, presses, stored_drafts, view_of
from tests.fakes import jpeg
from tests.listing.stubs import NOW

pytestmark = pytest.mark.slow

STORED = stored_drafts()
# Of the stored drafts two, one of them with words of the seller's, and every night all.
EACH = [pytest.param(n, marks=[pytest.mark.nightly] * (n % 20 > 0)) for n in range(len(STORED))]
EACH_AND_TYPED = [
    pytest.param(n, typed, marks=[pytest.mark.nightly] * (n != 20 * typed))
    for n in range(len(STORED))
    for typed in (False, True)
]
EACH_OF_A_MODEL = [pytest.param(n, marks=[pytest.mark.nightly] * (n > 0)) for n in range(0, len(STORED), 3)]


def wrong(before: DraftView, after: DraftView, press: Press) -> list[str]:
    """What a seller would stumble over after a press."""
    name, value = press
    out = faults(after.title, after.description)
    attribute = load_taxonomy().attributes.get(name)
    wanted = [] if value is None else value.split(", ") if attribute is not None and attribute.many else [value]
    assert after.draft is not None
    out += [f"still says {s.value}" for s in after.draft.spans if name_of(s) == name and s.value not in wanted]
    kinds = [detail_forms()[s.value].kind for s in _described(after.draft) if s.value in detail_forms()]
    out += [f"two values of {kind}" for kind in set(kinds) - {None} if kinds.count(kind) > 1]
    if after.quality.score < before.quality.score:
        out.append(f"the score fell from {before.quality.score} to {after.quality.score}")
    return out


def _described(draft: Draft):
    unique = {s.value: s for s in draft.spans if s.field == "description" and s.attribute == "detail"}
    return unique.values()


def broken(written: Draft, made: list[Edit], *, all_words: bool = True) -> tuple[int, list[str]]:
    """How many presses there are, and those after which something is wrong."""
    before, bad = view_of(written, made), []
    taps = presses(before, all_words=all_words)
    for press in taps:
        after = view_of(written, pressed(written, made, press))
        if found := wrong(before, after, press):
            bad.append(f"{press}: {after.title} | {after.description}: {found}")
    return len(taps), bad


def by_a_model(written: Draft) -> Draft:
    """The draft with a description as a model that writes would put it."""
    own, blank, note = written.description.partition("\n\n")
    for ours, theirs in (("This is a", "I sell a"), ("It has", "You get"), ("They have", "You get")):
        own = own.replace(ours, theirs)
    fields = {"title": written.title, "description": f"{own} A nice piece for every day."}
    marks = find_spans(fields, settle(stated_claims(written), load_taxonomy()))
    return written.model_copy(update={"description": fields["description"] + blank + note, "spans": marks})


def typed(written: Draft) -> list[Edit]:
    """A word of the seller's own in the title, and a sentence in the description."""
    own, blank, note = written.description.partition("\n\n")
    title = f"Lovely {written.title[:1].lower()}{written.title[1:]}"
    return [Edit("set", "title", title), Edit("set", "description", f"{own} My sister loved it.{blank}{note}")]


@pytest.mark.parametrize(("number", "seller_typed"), EACH_AND_TYPED)
def test_each_press_leaves_english(number, seller_typed):
    written = STORED[number]
    tried, bad = broken(written, typed(written) if seller_typed else [], all_words=not seller_typed)
    assert tried > (50 if seller_typed else 100)
    assert bad == []


def own_words(before: DraftView, name: str) -> Counter[str]:
    """The words of a typed title that speak of other things than this field."""
    title, fact = before.title, before.draft.attribute(name)
    item, value = item_of(before.draft.category.value, load_taxonomy()), fact and (fact.value or fact.suggestion)
    named = [Claim(name, each) for each in item.values_in(name, value)] if value else []
    found = find_spans({"title": title, "description": ""}, item, named)
    spans = [s for s in before.draft.spans if s.field == "title"]
    free = [s for s in found if not any(s.start < other.end and other.start < s.end for other in spans)]
    for start, end in sorted(((s.start, s.end) for s in (*spans, *free) if name_of(s) == name), reverse=True):
        title = title[:start] + title[end:]
    return Counter(w for w in re.findall(r"[\w'-]+", title.lower()) if w not in ("and", "by", "with"))


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(2, 25))])
def test_a_press_beside_typed_texts_touches_no_other_word_and_no_fact(seed):
    written, rng, made = STORED[seed], random.Random(seed), list[Edit]()
    facts = {"audience": "women", "size": "M", "brand": "Zara", "material": "cotton", "text": "LOVE"}
    for press in facts.items():
        made = pressed(written, made, press)
    view = view_of(written, made)
    made += [Edit("set", "title", f"{view.title}, great condition")]
    made += [Edit("set", "description", f"My favourite piece. {view.description} It fits well.")]
    view = view_of(written, made)
    for _ in range(8):
        name, value = rng.choice([p for p in presses(view, all_words=False) if p[0] != "category"])
        made = pressed(written, made, (name, value))
        before, view = view, view_of(written, made)
        facts.pop(name, None)
        assert facts.items() <= {a.name: a.value for a in view.attributes}.items()
        left = Counter(re.findall(r"[\w'-]+", view.title.lower()))
        assert own_words(before, name) - left == {}, (name, value, before.title, view.title)
        assert [w for w in ("My favourite piece.", "It fits well.") if w not in view.description] == []
        assert view.title.endswith(", great condition")
        assert faults(view.title, "A dress.") == []
        plain = Counter(w for w in re.findall(r"[\w'-]+", view.title.lower()) if w != "print")
        assert max(plain.values()) == 1, view.title


@pytest.mark.parametrize("number", [0, 9, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(10, 25))])
def test_an_undo_beside_typed_texts_leaves_no_word(number):
    written, rng = STORED[number], random.Random(number)
    view = view_of(written)
    made = [Edit("set", "title", f"*NEW* {view.title} - barely worn")]
    made += [Edit("set", "description", f"My favourite. {view.description} It fits well.")]
    before = view_of(written, made)
    offered = [p for p in presses(before, all_words=False) if p[0] != "category"]
    for name, value in rng.sample(offered, 8):
        after = pressed(written, made, (name, value))
        after = pressed(written, after, (name, rng.choice([v for n, v in offered if n == name])))
        undo = Edit("undo", name)
        view = view_of(written, [*after, undo, *follow(written, after, undo, NOW)])
        assert (view.title, view.description) == (before.title, before.description), (name, value)
        assert view.attributes == before.attributes


@pytest.mark.parametrize("number", range(len(STORED)))
def test_a_name_beside_a_typed_title_stands_in_it(number):
    written = STORED[number]
    made = [Edit("set", "title", f"*NEW* {written.title} - barely worn")]
    for value in ("tunic", None):
        made = pressed(written, made, ("item_type", value))
        view = view_of(written, made)
        assert (value or item_of(written.category.value, load_taxonomy()).noun) in view.title.lower()
        assert faults(view.title, view.description) == []


def test_other_print_beside_a_typed_title_keeps_the_words_around_it():
    written = next(d for d in STORED if '"GAMER" print' in d.title)
    made = pressed(written, [Edit("set", "title", f"{written.title}, barely worn")], ("text", "LOVE"))
    assert view_of(written, made).title == written.title.replace("GAMER", "LOVE") + ", barely worn"


@pytest.mark.parametrize("number", EACH_OF_A_MODEL)
def test_each_press_leaves_models_words_english(number):
    tried, bad = broken(by_a_model(STORED[number]), [], all_words=False)
    assert tried > 50
    assert bad == []


def test_the_stored_drafts_read_well():
    assert len(STORED) == 25
    assert {d.schema_version for d in STORED} == {2}
    assert [f for d in STORED for f in faults(d.title, d.description)] == []


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 2))])
def test_presses_in_a_row_leave_english(build, me, seed):
    services = build(pipeline=Replay(iter(STORED[seed::3])))
    rng, bad = random.Random(seed), []
    with client_of(services) as client:
        for written in STORED[seed::3]:
            note = written.description.partition("\n\n")[2]
            view = list(services.draft_writer.start(me, intake([jpeg()]), note))[-1]
            for _ in range(8):
                left = [p for p in presses(view) if p[0] not in view.locked]
                name, value = rng.choice(left)
                answer = client.post(f"/v1/drafts/{view.draft_id}/claims", json={"facts": {name: value}})
                assert answer.status_code == 200
                before, view = view, services.drafts.get(me, view.draft_id)
                if found := wrong(before, view, (name, value)):
                    bad.append(f"{name}={value}: {before.description} -> {view.title} | {view.description}: {found}")
    assert bad == []


@pytest.mark.data
@pytest.mark.model
@pytest.mark.timeout(1800)
def test_presses_on_real_photos_leave_english(real_pipeline, data_folder, request):
    rows = read_annotations(data_folder / "clothing_cc0")
    tried, bad, many = 0, [], request.config.getoption("--sweep-photos")
    for row in rows[:: len(rows) // many][:many]:
        (*_, last) = real_pipeline.run(DraftRequest(photos=intake([row["image"]])))
        more, found = broken(last.draft, [], all_words=False)
        tried, bad = tried + more, bad + found
    assert tried > 50 * many
    assert bad == []


@pytest.fixture
def sell(build, me):
    """A tab that shows a stored draft, after these facts were set."""
    drafts: list[Draft] = []
    services = build(pipeline=Replay(iter(drafts.pop, None)))

    def _sell(written, **facts):
        drafts.append(written)
        tab, note = Tab(services), written.description.partition("\n\n")[2]
        tab.session.show(list(services.draft_writer.start(me, intake([jpeg()]), note))[-1], services.media)
        for name, value in facts.items():
            tab.press("fact", name=name, value=value)
        return tab

    return _sell


def count_of(view):
    return len(view.description.partition("\n\n")[0].split())


def shorter_is_grey(tab, me):
    page = PageRenderer(tab.page.services).draft(tab.session, me)
    button = page[page.index('data-tone="shorter"') :]
    return " disabled" in button[: button.index(">")]


def test_shorter_is_a_fifth_shorter_or_grey(sell, me):
    grey = 0
    for written in STORED:
        tab = sell(written)
        for press in count():
            if shorter_is_grey(tab, me):
                grey += not press
                break
            before = count_of(tab.draft)
            tab.run("tone", tone="shorter")
            assert count_of(tab.draft) <= 0.8 * before, (before, tab.draft.description)
            assert faults(tab.draft.title, tab.draft.description) == []
            assert press < 5
    assert grey < len(STORED) // 5, "most texts can be shorter"


@pytest.mark.parametrize("number", EACH)
def test_a_shorter_text_keeps_the_sellers_words(sell, number):
    tab = sell(STORED[number], defects="a tear at the hem", condition_grade="fair")
    tab.run("tone", tone="shorter")
    assert "a tear at the hem" in tab.draft.description
    assert "fair condition" in tab.draft.description
