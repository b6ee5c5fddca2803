"""A stopwatch of the seller's page: what 20 listings take a seller who knows what the photos show, in a browser.

    ./ipl serve --port 7861                    # on a home of its own: what is published here is found as a past listing
    python -m benchmarks.serving.seller_stopwatch now=http://127.0.0.1:7861/ --out runs.jsonl
    python -m benchmarks.serving.seller_stopwatch --out runs.jsonl       # the table of all runs so far

The photos are those of ``seller_stopwatch.txt`` (of IPL_DATA/clothing_cc0): of 20 validation senders, drawn by
``random.Random(0)``, one photo each whose label is right, drawn before the first run. The seller is that of
``benchmarks.drafts.effort``: they add the photo, wait, and put right what the annotation contradicts; chips that stand
there come first (category, marked words, offers, questions), then the field that finds details and facts, by as many
letters as bring the right one up first and Enter; what none of these can say is typed; then all that is marked is
confirmed, a price typed and the listing published.

Of each listing: clicks, and typed letters (Enter is one) apart, and where both went; seconds from a press until the
page has answered it; pixels that had to be scrolled to reach what was pressed; whether title and text stood whole in
the window when the draft was done, in those of a phone (390x844, where all of it is done) and of a desktop
(1280x800); and what was still wrong or missing when it was published. The page is driven by marks of the HTML that
all editions share.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from app.setup.external_tools import find_chromium
from benchmarks.common import arguments, markdown
from benchmarks.drafts.effort import Truth, claims_of, unsaid
from finetune.data.files import read_lines
from finetune.data.photosets import data_root, read_annotations
from listing.decide.claims import name_of
from listing.decide.settle import item_of
from listing.say.ask import statable
from listing.schema import Draft, Span
from listing.taxonomy import load_taxonomy
from tests.app.support.local_servers import CHROMIUM_ARGS

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
PHOTOS = Path(__file__).with_suffix(".txt")
LONGEST_MS = 600_000
PRESSED = "addEventListener('pointerdown', () => { window.pressed = performance.now(); }, true)"
READY = "document.querySelector('#ipl-draft .bottom .main') && !document.querySelector('#ipl-status .work')"
# Whether title and text stand whole in the window, and not behind what is fixed at its lower edge.
WHOLE_IN_WINDOW = """() => ['title', 'description'].every((name) => {
  const [box, bar] = [`#t-${name}`, '#ipl-draft .bottom'].map((e) => document.querySelector(e).getBoundingClientRect());
  return box.top >= 0 && box.bottom <= Math.min(innerHeight, bar.top);
})"""


class Seller:
    """One listing in one page; counts what it takes. ``truth``: what the seller knows."""

    def __init__(self, page: Page, url: str, truth: Truth) -> None:
        self.page, self.url, self.truth = page, url, truth
        self.key, self.height = "", page.evaluate("innerHeight")
        self.clicks = self.letters = 0
        self.steps: dict[str, list[int]] = {}
        self.seconds = self.scrolled = 0.0

    def list_it(self, photo: Path) -> dict[str, Any]:
        """From an empty page to the published listing."""
        with self.page.expect_file_chooser() as chooser:
            self.press("#ipl-add")
        self.page.evaluate("window.pressed = performance.now()")
        chooser.value.set_files(photo)
        self.wait("document.querySelector('.shot')")
        before = self.seconds
        self.press("#ipl-write", READY)
        self.note("write")
        self.key = self.page.locator("#ipl-draft-form input[name=key]").input_value()
        visibility = self.visibility()
        draft_seconds = self.seconds - before
        self.choose_category()
        self.note("category")
        self.change_marked()
        self.note("marked words")
        self.tell_facts()
        self.note("offers, questions, facts")
        self.find_what_is_missing()
        self.note("found by letters")
        if self.page.locator("[data-do=all_right]").count():
            self.press("[data-do=all_right]", "!document.querySelector('[data-do=all_right]')")
        self.note("all is right")
        self.type_the_rest()
        self.note("typed")
        self.press("#price")
        self.type("15")
        self.press("#ipl-draft .bottom .main", "document.querySelector('.done-page')")
        self.note("price, publish")
        left = self.wrong_and_missing()
        counts = {"clicks": self.clicks, "letters": self.letters, "scrolled": round(self.scrolled)}
        waits = {"seconds": round(self.seconds, 2), "draft_seconds": round(draft_seconds, 2)}
        return {**counts, **waits, **visibility, "left": left, "steps": self.steps}

    def note(self, step: str) -> None:
        """Clicks and letters since the last step."""
        clicks, letters = (sum(counts) for counts in zip(*self.steps.values(), strict=True)) if self.steps else (0, 0)
        self.steps[step] = [self.clicks - clicks, self.letters - letters]

    def visibility(self) -> dict[str, bool]:
        """Size of the window -> title and text are visible without scrolling."""
        phone = self.page.evaluate(WHOLE_IN_WINDOW)
        self.page.set_viewport_size(DESKTOP)
        self.page.wait_for_timeout(300)
        desktop = self.page.evaluate(WHOLE_IN_WINDOW)
        self.page.set_viewport_size(PHONE)
        return {"phone": phone, "desktop": desktop}

    # What a hand does.

    def press(self, target: str | Locator, answered: str = "") -> None:
        """Scroll to it where needed, press it, and wait until a condition in the page says that it was answered."""
        element = self.page.locator(target).first if isinstance(target, str) else target
        self.reach(element)
        self.clicks += 1
        element.click()
        if answered:
            self.wait(answered)

    def wait(self, condition: str) -> None:
        done = self.page.wait_for_function(f"() => ({condition}) && performance.now() - window.pressed")
        self.seconds += done.json_value() / 1000

    def reach(self, target: Locator) -> None:
        """Scroll no further than until the target stands in the window, and not behind what is fixed there."""
        box = target.bounding_box()
        assert box is not None, f"{target} cannot be seen"
        lower = self.height if target.evaluate("e => Boolean(e.closest('.bottom'))") else self.lower_edge()
        way = min(box["y"], max(0.0, box["y"] + box["height"] - lower))
        if abs(way) >= 1:
            before = self.page.evaluate("scrollY")
            self.page.evaluate("way => scrollBy({ top: way, behavior: 'instant' })", way)
            self.scrolled += abs(self.page.evaluate("scrollY") - before)

    def lower_edge(self) -> float:
        """The height at which the fixed bar with the button begins, or the window ends."""
        bar = self.page.locator("#ipl-draft .bottom")
        box = bar.bounding_box() if bar.is_visible() else None
        return min(self.height, box["y"]) if box else self.height

    def type(self, words: str) -> None:
        self.letters += len(words)
        self.page.keyboard.type(words)

    # What a seller knows.

    def draft(self) -> Draft:
        """The draft as the server has it."""
        return Draft.model_validate(self.page.request.get(f"{self.url}v1/drafts/{self.key}").json()["draft"])

    def wrong(self, draft: Draft) -> list[Span]:
        """Claims of the texts that are not so."""
        spans = claims_of(draft, load_taxonomy())
        return [s for s in spans if self.truth.judge(s.attribute or "", s.value) is False]

    def wrong_and_missing(self) -> list[str]:
        draft = self.draft()
        text = f"{draft.title} {draft.description}".lower()
        missing = [fact for fact in unsaid(draft, self.truth, load_taxonomy()) if in_words(*fact).lower() not in text]
        return [f"not {span.value}" for span in self.wrong(draft)] + [value for _, value in missing]

    def choose_category(self) -> None:
        label = self.truth.category
        if self.draft().category.value == label:
            return
        chip = f"#ipl-draft .chip[data-do=category][data-value='{label}']"
        answered = f'document.querySelector("{chip}[aria-pressed=true]") && {READY}'
        field, other = "#cat-other", "#ipl-draft details.else summary"  # asked for, or under "Something else"
        if not self.page.locator(f"{field}:visible, {other}:visible").count():
            self.open_more()
        if self.page.locator(f"{chip}[aria-pressed]").count():
            self.press(f"{chip}[aria-pressed]", answered)
            return
        self.press(field if self.page.locator(field).is_visible() else other)
        self.page.keyboard.type(label)
        self.letters += len(label)
        self.press("#ipl-draft form.other button", answered)

    def change_marked(self) -> None:
        """Another choice for each marked word that is wrong, or it is left out."""
        tried: set[tuple[str, str]] = set()
        while fresh := [
            s for s in self.wrong(self.draft()) if s.status == "check" and (s.attribute or "", s.value) not in tried
        ]:
            span = fresh[0]
            attribute = span.attribute or ""
            tried.add((attribute, span.value))
            mark = self.page.locator(f".field.{span.field} mark.check[data-start='{span.start}']")
            panel = mark.get_attribute("data-open")
            likeliest = f".checks .chip[data-name='{name_of(span)}']"  # offered beside, where the page does that
            if not self.right_of(attribute, likeliest):
                self.press(mark)
            right = self.right_of(attribute, likeliest) or self.right_of(attribute, f"#{panel} .chip:not(.yes)")
            drop = self.page.locator(f"#{panel} [data-do=fact_drop]")
            if right or drop.count():
                gone = f"!document.querySelector('mark[data-open=\"{panel}\"]') && {READY}"
                self.press(right[0] if right else drop, gone)
            else:
                self.page.keyboard.press("Escape")

    def right_of(self, attribute: str, chips: str) -> list[Locator]:
        """Those of the chips that say what is so."""
        named = self.page.locator(f"{chips}[data-value]").all()
        return [c for c in named if self.truth.judge(attribute, c.get_attribute("data-value") or "")]

    def tell_facts(self) -> None:
        """State what is missing, as far as there is a chip or a question for it."""
        for attribute, value in list(unsaid(self.draft(), self.truth, load_taxonomy())):
            offer, asked = (f"{part} .chip[data-value='{value}']" for part in (".adds", ".ask"))
            asked += f"[data-name='{attribute}']"
            if self.page.locator(offer).count() and not self.page.locator(offer).first.is_visible():
                self.press("#h-more")
            if self.page.locator(offer).first.is_visible():
                self.press(offer, f'!document.querySelector("{offer}")')
            elif self.page.locator(asked).count():
                self.press(asked, f"document.querySelector('#f-{attribute} .lock')")
            elif attribute == "brand":
                self.answer_in_words(attribute, value)

    def find_what_is_missing(self) -> None:
        """By its first letters in the field that finds details and facts."""
        field, tried = self.page.locator("#more"), set[tuple[str, str]]()
        while True:
            draft = self.draft()
            item = item_of(draft.category.value, load_taxonomy())
            words = {(o.attribute, o.value): o.label for o in statable(draft, item)}
            missing = [m for m in unsaid(draft, self.truth, load_taxonomy()) if m in words and m not in tried]
            if not missing:
                return
            if not tried:
                self.open_more()
                self.press(field)
            tried.add(missing[0])
            label = words[missing[0]]
            for letter in label:
                self.type(letter)
                if self.page.locator("#s-adds button").first.text_content() == label:
                    break
            confirmation = json.dumps(f"“{label}” is in the text")
            self.enter(f"document.querySelector('#ipl-draft .bottom').textContent.includes({confirmation})")

    def enter(self, answered: str) -> None:
        self.letters += 1
        self.page.evaluate("window.pressed = performance.now()")
        self.page.keyboard.press("Enter")
        self.wait(answered)

    def answer_in_words(self, attribute: str, value: str) -> None:
        form = self.page.locator(f".ask form:has(input[name=name][value='{attribute}'])")
        if form.count():
            self.press(form.locator("input[type=text]"))
            self.type(value)
            self.press(form.locator("button"), f"document.querySelector('#f-{attribute} .lock')")

    def open_more(self) -> None:
        if self.page.locator("#h-more").count() and not self.page.locator("#h-facts").is_visible():
            self.press("#h-more")

    def type_the_rest(self) -> None:
        """Wrong words are selected (two taps) and typed anew; what is missing is typed behind the text."""
        draft = self.draft()
        for span in sorted(self.wrong(draft), key=lambda s: -s.start):
            field = self.page.locator(f"#t-{span.field}")
            self.reach(field)
            field.focus()
            field.evaluate("(f, [from, to]) => f.setSelectionRange(from, to)", [span.start, span.end])
            self.clicks += 2
            words = self.truth.right(span.attribute or "")
            if words:
                self.type(words)
            else:
                self.page.keyboard.press("Backspace")
                self.letters += 1
        missing = [in_words(*fact) for fact in unsaid(draft, self.truth, load_taxonomy())]
        if missing:
            # Into the text, with all editions: the field above it would take the first words that it proposes.
            field = self.page.locator("#t-description")
            self.press(field)
            field.evaluate("f => f.setSelectionRange(f.value.length, f.value.length)")
            self.type(f" {', '.join(missing)}.")


def in_words(attribute: str, value: str) -> str:
    """A value in the words of texts."""
    closed = load_taxonomy().attributes.get(attribute)
    return closed.phrases[value][0] if closed is not None and value in closed.phrases else value


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """A page of its own, ready to be pressed."""
    context = browser.new_context(viewport=PHONE)
    context.set_default_timeout(LONGEST_MS)
    context.add_init_script(PRESSED)
    page = context.new_page()
    # The browser hands over its file dialogs only some time after it was asked to: asked early, none is missed.
    page.on("filechooser", lambda chooser: None)
    page.goto(url)
    page.locator("#ipl-top header").wait_for()
    yield page
    context.close()


def run(edition: str, url: str, out: Path) -> None:
    """All photos on one page; a line of ``out`` for each, and none again for those that have one."""
    folder = data_root() / "clothing_cc0"
    rows = {Path(row["image"]).name: row for row in read_annotations(folder)}
    done = {row["photo"] for row in lines(out) if row["edition"] == edition}
    with sync_playwright() as play, out.open("a", encoding="utf-8") as file:
        browser = play.chromium.launch(executable_path=str(find_chromium()), args=CHROMIUM_ARGS)
        for name in [n for n in PHOTOS.read_text(encoding="utf-8").split() if n not in done]:
            with opened(browser, url) as page:
                measures = Seller(page, url, Truth(rows[name], load_taxonomy())).list_it(Path(rows[name]["image"]))
            line = {"edition": edition, "photo": name, **measures}
            print(json.dumps(line), file=file, flush=True)
        browser.close()


def lines(file: Path) -> list[dict[str, Any]]:
    """Measurements so far."""
    return read_lines(file) if file.is_file() else []


def table(rows: list[dict[str, Any]]) -> str:
    """Medians and ranges by edition, as Markdown."""
    names = {"clicks": "clicks", "letters": "letters", "seconds": "seconds", "scrolled": "px scrolled"}
    head = ["edition", "n", *names.values(), "draft seconds", "seen at 390x844", "seen at 1280x800", "left wrong"]
    out = []
    for edition in dict.fromkeys(row["edition"] for row in rows):
        mine = [row for row in rows if row["edition"] == edition]
        numbers = [[row[name] for row in mine] for name in (*names, "draft_seconds")]
        ranges = [f"{median(n):.4g} ({min(n):g} to {max(n):g})" for n in numbers]
        whole = [f"{sum(row[size] for row in mine)} of {len(mine)}" for size in ("phone", "desktop")]
        out.append([edition, str(len(mine)), *ranges, *whole, str(sum(len(row["left"]) for row in mine))])
    return markdown(head, out)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("page", nargs="?", metavar="NAME=URL", help="a name for this edition, and where it is served")
    parser.add_argument("--out", type=Path, required=True, help="the lines of all runs")
    args = parser.parse_args()
    if args.page:
        edition, _, url = args.page.partition("=")
        run(edition, url, args.out)
    print(table(lines(args.out)))


if __name__ == "__main__":
    main()
