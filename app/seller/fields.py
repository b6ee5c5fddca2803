"""The base of all presses: errors become notices; what is typed and pressed of a draft's fields and facts is saved.

Each alone, and only over the version that its tab was showing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.seller import words
from app.seller.session import Notice, SavedField, SellerSession, Undo
from app.services import Services
from app.views import TEXT_FIELDS, AppError, DraftView
from listing.errors import IplError
from listing.revise import statement_of, with_statement
from listing.say.phrases import in_centimetres

log = logging.getLogger(__name__)
Press = Mapping[str, Any]
FAILED = "That did not work"
FACT = "fact-"
# What an error is about, where its code says so.
PLACES = {"no_title": "title", "no_category": "category", "no_cover": "cover"}
BROKEN = "Something went wrong on our side; try it again."
TYPED = (*TEXT_FIELDS, "price")


class Pressed(dict[str, Any]):
    """A press of which something is missing, or no number, is refused in one sentence."""

    def __missing__(self, key: str) -> Any:
        raise AppError("bad_press", f"The page did not say which {key}; load the page again.", 422)


def number(data: Press, key: str) -> int:
    """The number of that name in a press; 0 where there is none."""
    text = str(data.get(key) or 0)
    if len(text) > 6 or not text.lstrip("-").isdecimal():
        raise AppError("bad_press", "The page sent no number; load the page again.", 422)
    return int(text)


class FieldActions:
    """Saves what one seller types on one page; what cannot be done becomes a notice of one sentence."""

    def __init__(self, services: Services, seller: str, session: SellerSession) -> None:
        self.services, self.seller, self.session = services, seller, session

    def keep_typed(self, data: Press) -> bool:
        """Save what stands typed in the fields, each alone: a press may come while a field is still being typed in.

        False, with a notice for each, when there are fields that could not be saved.
        """
        versions, view = data.get("versions"), self.session.view
        base = versions if isinstance(versions, Mapping) else {}
        saved = [self.keep(view, f, data[f], base.get(f)) for f in TYPED if isinstance(data.get(f), str)]
        return all(saved)

    def keep(self, view: DraftView | None, field: str, typed: str, base: str | None) -> bool:
        """Save what was typed in one field of ``view``, over the version that the tab showed (None: that of the view).

        False, with a notice that holds what was typed, when the field was changed elsewhere or cannot hold this.
        """
        if view is None:
            return True
        here = view.field_version(field)
        base = base or here
        last = self.session.saved.get((view.draft_id, field))
        last = last if last is not None and last.base == base else None
        displayed = words.amount_text(view.asked) if field == "price" else getattr(view, field)
        if (last is not None and last.typed == typed) or (base == here and typed == displayed):
            return True  # nothing new: it came with another press already, or nobody typed
        version = last.after if last else base
        try:
            saved = self.services.drafts.edit(self.seller, view.draft_id, field, typed, version=version)
        except AppError as error:
            if error.http_status not in (409, 422) or error.code == "published":
                raise
            conflict = typed if error.http_status == 409 else ""  # else it stands in the field, to be put right there
            self.not_saved(Notice("bad", f"The {field} was not saved", str(error), conflict, at=field))
            self.refresh()
            return False
        text = last.text if last is not None else (view.value(field) or "") if base == here else ""
        self.session.saved[view.draft_id, field] = SavedField(base, typed, text, saved.field_version(field))
        if not self.session.busy:
            self.session.view = saved
        return True

    def not_saved(self, notice: Notice) -> None:
        """Show what was typed and not saved; the page is drawn again, so that the field shows what is there."""
        self.session.notices[:] = [*(n for n in self.session.notices if n.at != notice.at), notice]
        self.session.conflicts += 1

    def refresh(self) -> None:
        """Show the draft as it stands now; one that is being written comes by itself."""
        if self.session.view is not None and not self.session.busy:
            self.session.view = self.services.drafts.get(self.seller, self.session.view.draft_id)

    @contextmanager
    def _noticed(self, what: str, at: str = "") -> Iterator[None]:
        """Turns an error into a notice of one sentence; ``at``: the field that was pressed."""
        try:
            yield
        except IplError as error:
            if error.code == "changed":
                self.refresh()
            if not (error.code == "published" and self.session.published is not None):
                place = PLACES.get(error.code, at)
                self.session.notify("bad", FAILED, str(error), place)
        except Exception:
            log.exception("%s failed", what)
            self.session.notify("bad", FAILED, BROKEN)

    @contextmanager
    def _chosen(self, what: str, files: Iterable[str | Path] | None, at: str = "") -> Iterator[list[Path]]:
        """The files that were chosen, which are deleted at the end; errors become notices as in ``_noticed``."""
        self.session.notices.clear()
        paths = [Path(file) for file in files or ()]
        try:
            with self._noticed(what, at=at):
                yield paths
        finally:
            for path in paths:
                path.unlink(missing_ok=True)

    def _not_busy(self) -> None:
        if self.session.busy:
            message = "Your listing is being written right now; wait until it is done, or stop it."
            raise AppError("running", message, 409)

    def _draft(self) -> str:
        if self.session.view is None or self.session.published is not None:
            message = "There is no draft on this page any more; look under My listings, or start a new one."
            raise AppError("not_found", message, 404)
        return self.session.view.draft_id

    # Facts of the draft.

    def _edit(self, name: str, value: str) -> None:
        """Sets a field of the draft over the version that this tab was showing."""
        draft, view = self._draft(), self.session.view
        version = view.field_version(name) if view is not None else None
        self.session.view = self.services.drafts.edit(self.seller, draft, name, value, version=version)

    def do_fact(self, data: Press) -> None:
        """A fact was set, or left out (no value)."""
        self._edit(str(data["name"]), str(data.get("value") or ""))

    def do_answer(self, data: Press) -> None:
        if value := str(data.get("value") or "").strip():
            name = str(data["name"])
            self._edit(name, in_centimetres(value) if name == "dimensions" else value)

    def do_fact_drop(self, data: Press, added: bool = False) -> None:
        """A fact or detail is left out; until the next press that can be taken back."""
        name, before = str(data["name"]), self.session.view
        self._edit(name, str(data.get("value") or "") if added else "")
        if before is not None and self.session.view is not None:
            label = str(data.get("label") or words.claim_label(name))
            self.session.undo = Undo((name,), label, before, self.session.view, added)

    def do_add(self, data: Press) -> None:
        """Puts what was offered or typed into the text; until the next press it can be taken back."""
        typed = str(data.get("more") or "").strip()
        if data.get("name"):
            self.do_fact_drop(data, added=True)
        elif typed and self.session.view is not None:
            try:
                self._state(self.session.view, typed)
            except AppError as error:
                self.session.notices.append(Notice("bad", FAILED, str(error), typed, at="adds"))
                self.refresh()

    def _state(self, before: DraftView, typed: str) -> None:
        """Details and facts of the taxonomy in what was typed become facts; all of it is in the text."""
        if before.draft is None:
            return
        drafts, draft = self.services.drafts, before.draft_id
        taxonomy = drafts.rules.of(before.draft).taxonomy
        statement = statement_of(before.draft, typed, taxonomy)
        names, view = [*statement.facts], before
        if names:
            view = drafts.settle(self.seller, draft, statement.facts, version=before.version)
        text = with_statement(view.draft, statement, taxonomy) if view.draft is not None else view.description
        if text != view.description:
            version = view.field_version("description")
            view = drafts.edit(self.seller, draft, "description", text, version=version, along=True)
            names.append("description")
        self.session.view = view
        self.session.statements += 1
        if names:
            label = ", ".join([*statement.stated, *statement.words])
            self.session.undo = Undo(names, label, before, view, added=True)

    def do_undo(self, data: Press) -> None:
        """Puts back what was left out last, takes out what was added last, in the texts that were typed as well."""
        out, view, self.session.undo = self.session.undo, self.session.view, None
        if out is None or view is None or self.session.published is not None:
            return
        changed = [f for f in TEXT_FIELDS if out.before.value(f) != out.after.value(f)]
        typed_since = [f for f in changed if view.value(f) != out.after.value(f)]
        for name in (n for n in out.names if n not in typed_since):
            view = self._put_back(name, out.before, view)
        for field in (f for f in changed if f in out.before.locked and f not in typed_since):
            view = self._put_back(field, out.before, view)
        self.session.view = view
        for field in typed_since:
            message = f"You typed in the {field} since then; take out there what you do not want."
            self.session.notify("note", f"The {field} stays as it is", message, field)

    def _put_back(self, field: str, before: DraftView, now: DraftView) -> DraftView:
        """The draft whose field is again what it was before."""
        draft, version, drafts = now.draft_id, now.field_version(field), self.services.drafts
        if field in before.locked:
            along = field in TEXT_FIELDS
            return drafts.edit(self.seller, draft, field, before.value(field), version=version, along=along)
        return drafts.unlock(self.seller, draft, field, version=version)

    def do_fact_unlock(self, data: Press) -> None:
        draft, field, view = self._draft(), str(data["name"]), self.session.view
        version = view.field_version(field) if view is not None else None
        self.session.view = self.services.drafts.unlock(self.seller, draft, field, version=version)

    def do_all_right(self, data: Press) -> None:
        """Everything that is marked in the texts is as they say."""
        draft, settle = self._draft(), self.services.drafts.settle
        if self.session.view is not None:
            self.session.view = settle(self.seller, draft, {}, confirm=True, version=self.session.view.version)
