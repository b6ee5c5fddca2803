"""Every press on the seller's page: what is called NAME there is done by ``do_NAME``. No page library here."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextvars import copy_context
from dataclasses import replace

from app.seller import words
from app.seller.draft_part import BUSY
from app.seller.fields import Press, Pressed
from app.seller.listed_actions import FACT, FAILED
from app.seller.photo_actions import PhotoActions
from app.seller.session import Notice, SellerSession, Undo
from app.services import Services
from app.views import INTERRUPTED, TEXT_FIELDS, AppError, DraftView
from listing.request import TONES
from listing.say.claims import NAME
from listing.say.phrases import in_centimetres
from listing.say.seller_words import read_statement
from listing.taxonomy import load_taxonomy


class Actions(PhotoActions):
    """Does what one seller presses on one page; what cannot be done becomes a notice of one sentence."""

    def __init__(self, services: Services, seller: str, session: SellerSession) -> None:
        super().__init__(services, seller, session)
        self._before: DraftView | None = None  # the draft before a fact was set

    def press(self, data: Press) -> None:
        """Do what was pressed; what cannot be done becomes a notice of one sentence."""
        name = str(data.get("do"))
        # A field that is left takes away what was said of it, and not what was said of another one.
        left = str(data.get("field")) if name in ("text", "price") else ""
        self.session.notices[:] = [n for n in self.session.notices if left and n.at not in ("", left)]
        if name not in ("text", "price", "undo"):
            self.session.undo = None
        action = getattr(self, f"do_{name}", None)
        if action is not None:
            with self._noticed(f"the press {name!r}", at=self._about(data)):
                action(Pressed(data))

    def _about(self, data: Press) -> str:
        """The fact or question that is shown on the page and was pressed; empty for anything else."""
        view, fact = self.session.view, data.get("name")
        if view is None or data.get("do") not in ("fact", "answer", "fact_drop"):
            return ""
        displayed = {a.name for a in view.attributes} | {q.attribute for q in view.questions}
        return f"{FACT}{fact}" if fact in displayed else ""

    def write(self, data: Press) -> None:
        """Begin to write the listing, or to write it again; that goes on in a thread, whoever looks on."""
        views = self.writing(data)
        if next(views, None) is not None and self.session.busy:
            run = copy_context().run
            self.session.writer = threading.Thread(target=run, args=(deque, views, 0), daemon=True)
            self.session.writer.start()

    def look(self) -> None:
        """Show what is new of the draft that is being written, here, for another page, or by a server that ended."""
        view = self.session.view
        if view is not None and self.session.busy and not self.session.writes:
            self.session.view = view = self.services.drafts.get(self.seller, view.draft_id)
        if view is not None and view.problem is not None and view.problem.code == INTERRUPTED:
            self.write({"do": "write", "note": view.note})

    def writing(self, data: Press) -> Iterator[DraftView | None]:
        """Write the listing, or write it again (another tone or category); yields whenever there is something new."""
        self.session.notices.clear()
        self.session.refused = []
        if self.session.busy:
            return
        before = self.session.view
        with self._noticed("a draft", busy="Many people are writing right now"):
            if not self._tell_first(data):
                yield before
                return
            before = self.session.view
            self.session.runs += 1
            for view in self._run(data):
                # A rewrite that ends without a draft leaves the earlier one standing.
                keeps = view.state in ("failed", "stopped") and before is not None and before.state == "ready"
                if keeps and before is not None and view.problem is not None:
                    self.session.view = self.services.drafts.get(self.seller, before.draft_id)
                    self.session.notify("warn", "Your earlier text is still here", view.problem.message)
                elif before is not None and view.state in BUSY and before.draft_id == view.draft_id:
                    # Until its new words come, the earlier text stands where it stood.
                    title, text = view.title or before.title, view.description or before.description
                    self.session.view = replace(view, title=title, description=text)
                else:
                    self.session.view = view
                yield view
            return
        self.session.view = before
        yield None

    def _tell_first(self, data: Press) -> bool:
        """Saves what still stands typed; False, with a notice, when that cannot be, and nothing is written."""
        if self.session.view is None or self.session.view.state != "ready" or not data.get("more"):
            return True
        try:
            self.do_add({**data, "name": ""})
        except AppError as error:
            if error.code != "not_found":
                raise
            return True  # deleted elsewhere: there will be another draft, and what was typed stands in a notice
        return not self.session.notices

    def _run(self, data: Press) -> Iterator[DraftView]:
        do, category, note = data.get("do"), data.get("value"), str(data.get("note") or "")
        if do == "category" and not category:
            return iter(())
        if self.session.view is not None:
            draft = self.session.view.draft_id
            try:
                if do in ("tone", "category") and self.session.view.state == "ready":
                    if not self.fields.keep_typed(data):
                        return iter(())
                    if category and self._renamed_at_once(self.session.view, category):
                        version = self._field_version("category")
                        edit = self.services.drafts.edit
                        self.session.view = edit(self.seller, draft, "category", category, version=version)
                        return iter(())
                    tone = data.get("tone") if data.get("tone") in TONES else None
                    return self.services.draft_writer.write_again(
                        self.seller, draft, tone=tone, category=category, note=note, from_photos=False
                    )
                return self.services.draft_writer.write_again(self.seller, draft, note=note, category=category)
            except AppError as error:
                if error.code != "not_found":
                    raise
                # It was deleted elsewhere; the photos that are on the screen become a draft of their own.
                self.session.shots = [shot.renamed() for shot in self.session.shots]
        photos = [shot.photo() for shot in self.session.shots]
        return self.services.draft_writer.start(self.seller, photos, note, category=category)

    @staticmethod
    def _renamed_at_once(view: DraftView, category: str) -> bool:
        """True where another category only renames the item: both have the same facts, and the text says it."""
        categories = load_taxonomy().categories
        before, now = categories.get(view.category.value or "") if view.category else None, categories.get(category)
        named = view.draft is not None and any(s.attribute in ("category", NAME) for s in view.draft.spans)
        return named and before is not None and now is not None and before.attributes == now.attributes

    def _overtaken(self, data: Press) -> bool:
        """True where a later step to another page has arrived before this one."""
        number = str(data.get("press") or "")
        press = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
        if 0 < press < self.session.last_step:
            return True
        self.session.last_step = max(press, self.session.last_step)
        return False

    def do_go(self, data: Press) -> None:
        if self._overtaken(data):
            return
        self.session.page = "mine" if data.get("to") == "mine" else "sell"

    def enter(self, query: Mapping[str, str]) -> None:
        """A page is opened at an address with this query, or is still open there after the server was started again."""
        self.press({"do": "visit", "draft": query.get("draft"), "show": query.get("show")})
        self.look()

    def do_visit(self, data: Press) -> None:
        """An address is opened, or reached by back and forward: the listings, a draft or an empty page."""
        if self._overtaken(data):
            return
        draft, view = str(data.get("draft") or ""), self.session.view
        self.session.page = "mine" if data.get("show") == "listings" else "sell"
        self.session.visits += 1
        if self.session.page == "mine" or draft == (view.draft_id if view is not None else ""):
            return
        self._not_busy()
        if self.session.published is None and not self.fields.keep_typed(data):
            raise AppError("typed", "What you typed could not be saved; look at it before you leave.", 409)
        if view is not None:
            self.session.start_over()
        try:
            if draft:
                self.do_open({"id": draft})
        except AppError as error:
            self.session.page = "mine" if error.code == "published" else "sell"
            raise

    def do_fact(self, data: Press) -> None:
        """A fact was set, or left out (no value)."""
        # The texts follow a fact, so that what is being typed in them comes first.
        if self.fields.keep_typed(data):
            name, value = str(data["name"]), str(data.get("value") or "")
            draft, version = self._draft(), self._field_version(name)
            self._before = self.session.view
            self.session.view = self.services.drafts.edit(self.seller, draft, name, value, version=version)

    def _field_version(self, field: str) -> str | None:
        """The version of a field that this tab was showing."""
        return self.session.view.field_version(field) if self.session.view is not None else None

    def do_fact_drop(self, data: Press) -> None:
        """A fact or detail is left out; until the next press that can be taken back."""
        self._can_undo(Pressed(data, value=""))

    def do_add(self, data: Press) -> None:
        """Puts what was offered or typed into the text; until the next press it can be taken back."""
        typed = str(data.get("more") or "").strip()
        if data.get("name"):
            self._can_undo(data, added=True)
        elif typed and self.fields.keep_typed(data) and self.session.view is not None:
            try:
                self._tell(self.session.view, typed)
            except AppError as error:
                self.session.notices.append(Notice("bad", FAILED, str(error), typed, at="adds"))
                self.fields.refresh()

    def _tell(self, before: DraftView, typed: str) -> None:
        """Known details and facts of what was typed are facts; all of it is in the text, the rest word for word."""
        if before.draft is None:
            return
        statement = read_statement(typed, before.draft, load_taxonomy())
        drafts, draft = self.services.drafts, before.draft_id
        names, view = [*statement.facts], before
        if names:
            view = drafts.settle(self.seller, draft, statement.facts, version=before.version)
        text = statement.description(view.draft) if view.draft is not None else view.description
        if text != view.description:
            view = drafts.edit(self.seller, draft, "description", text, version=view.field_version("description"))
            names.append("description")
        self.session.view = view
        self.session.statements += 1
        if names:
            label = ", ".join([*statement.stated, *statement.words])
            self.session.undo = Undo(tuple(names), label, before, view, added=True)

    def _can_undo(self, data: Press, added: bool = False) -> None:
        self.do_fact(data)
        before, now = self._before, self.session.view
        if before is not None and now is not None and now is not before:
            name, label = str(data["name"]), str(data.get("said") or "")
            self.session.undo = Undo((name,), label or words.claim_label(name), before, now, added)

    def do_undo(self, data: Press) -> None:
        """Puts back what was left out last, takes out what was added last, in the texts that were typed as well."""
        out, draft = self.session.undo, self._draft()
        self.session.undo = None
        if out is None or not self.fields.keep_typed(data):
            return
        view = self.session.view
        changed = [f for f in TEXT_FIELDS if out.before.value(f) != out.after.value(f)]
        typed_since = [f for f in changed if view is not None and view.value(f) != out.after.value(f)]
        for name in (n for n in out.names if n not in typed_since):
            view = self._put_back(draft, name, out.before, view)
        for field in (f for f in changed if f in out.before.locked):
            if view is not None and view.value(field) == out.after.value(field):
                view = self._put_back(draft, field, out.before, view)
        self.session.view = view
        for field in typed_since:
            message = f"You typed in the {field} since then; take out there what you do not want."
            self.session.notify("note", f"The {field} stays as it is", message, field)

    def _put_back(self, draft: str, field: str, before: DraftView, now: DraftView | None) -> DraftView:
        """The draft whose field is again what it was before."""
        version = now.field_version(field) if now is not None else None
        if field in before.locked:
            return self.services.drafts.edit(self.seller, draft, field, before.value(field), version=version)
        return self.services.drafts.unlock(self.seller, draft, field, version=version)

    def _not_busy(self) -> None:
        if self.session.busy:
            message = "Your listing is being written right now; wait until it is done, or stop it."
            raise AppError("running", message, 409)

    def do_open(self, data: Press) -> None:
        """Go on with an unfinished draft."""
        self._not_busy()
        view = self.services.drafts.get(self.seller, str(data["id"]))
        if view.state == "published":
            raise AppError("published", "It is published already; you find it under My listings.", 409)
        self.session.start_over()
        self._show(view)
        self.session.note = view.note

    def do_later(self, data: Press) -> None:
        """The offered draft stays under My listings."""
        self.session.declined.add(str(data["id"]))

    def do_throw_away(self, data: Press) -> None:
        self._not_busy()
        draft = str(data["id"])
        self.services.drafts.abandon(self.seller, draft)
        if self.session.view is not None and self.session.view.draft_id == draft:
            self.session.start_over()
            self.session.page = "mine"
        self.session.notify("good", "Thrown away", "The draft and its photos are gone.")

    def do_all_right(self, data: Press) -> None:
        """Everything that is marked in the texts is as they say."""
        draft = self._draft()
        if self.fields.keep_typed(data) and self.session.view is not None:
            version = self.session.view.version
            self.session.view = self.services.drafts.settle(self.seller, draft, {}, confirm=True, version=version)

    def do_fact_unlock(self, data: Press) -> None:
        field = str(data["name"])
        # What is being typed comes first: the same words may come again, with the field that was left by this press.
        if self.fields.keep_typed(data):
            self.session.view = self.services.drafts.unlock(
                self.seller, self._draft(), field, version=self._field_version(field)
            )

    def do_answer(self, data: Press) -> None:
        if value := str(data.get("value") or "").strip():
            measured = data.get("name") == "dimensions"
            self.do_fact(Pressed(data, value=in_centimetres(value)) if measured else data)

    def do_field(self, data: Press) -> None:
        """A field was left. It may come a moment after the press that left it: then it is kept, and shown later."""
        if self.session.published is None and self._draft():
            field, value, version = str(data["field"]), str(data.get("value") or ""), data.get("version")
            self.fields.keep(self.session.view, field, value, version)

    do_text = do_price = do_field

    def do_claim_remove(self, data: Press) -> None:
        draft, flag = self._draft(), self.fields.flagged(data)
        if flag is not None:
            self.session.view = self.services.drafts.remove_claim(
                self.seller, draft, flag.field, flag.words, start=flag.start, version=flag.version
            )

    def do_claim_true(self, data: Press) -> None:
        draft, flag = self._draft(), self.fields.flagged(data)
        if flag is not None:
            self.session.view = self.services.drafts.confirm_claim(
                self.seller, draft, flag.field, flag.words, version=flag.version
            )

    def do_stop(self, data: Press) -> None:
        self.services.drafts.stop(self.seller, self._draft())

    def do_publish(self, data: Press) -> None:
        draft = self._draft()
        stale = not self._is_current(draft)
        if not self.fields.keep_typed(data) or self.session.view is None:
            return
        if stale:
            self._show(self.services.drafts.get(self.seller, draft))
            raise AppError("changed", "This draft was changed on another page; look at it and publish again.", 409)
        self.do_add({"more": data.get("more")})  # what still stands typed there
        if self.session.notices:
            return
        self.session.published = self.services.publisher.publish(
            self.seller, draft, key=f"page-{draft}", version=self.session.view.version
        )
        facts = (a.value for a in self.session.view.attributes)
        self._say_taken_out([self.session.view.title, self.session.view.description, *facts])

    def _is_current(self, draft: str) -> bool:
        """True where the draft is as on the screen, so that another page changed neither words nor photos."""
        view = self.services.drafts.get(self.seller, draft)
        same = self.session.view is not None and self.session.view.version == view.version
        return view.state == "published" or (
            same and [p.id for p in view.photos] == [shot.ref.id for shot in self.session.shots]
        )

    def do_again(self, data: Press) -> None:
        self.session.start_over()
