"""A seller's drafts: looked at, changed field by field, thrown away.

A draft of somebody else is answered like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.drafting.queue import DraftQueue
from app.editing import edits, prices
from app.store import draft_repo
from app.store.db import Store
from app.store.deletions import Deletions
from app.store.tables import DraftRow, ListingRow, now
from app.views import AppError, DraftState, DraftView
from listing.decide.claims import to_check
from listing.decide.settle import item_of
from listing.observe.seller import FIELDS, Edit
from listing.revise import follow
from listing.rules import PressRules
from listing.say.plan import fits, is_detail
from listing.schema import DETAIL, Draft


class Drafts:
    """Every method raises AppError (404) for a draft that is not the seller's.

    ``version``: what the seller was shown, see ``edits.check_version``; what changed since is not overwritten (409).
    """

    def __init__(self, store: Store, queue: DraftQueue, deletions: Deletions, currency: str, rules: PressRules) -> None:
        self.store, self.queue, self.deletions, self.currency, self.rules = store, queue, deletions, currency, rules
        with store.write() as session:
            draft_repo.settle_older(session, rules)

    def get(self, seller: str, draft_id: str) -> DraftView:
        """The draft with the seller's changes."""
        with self.store.read() as session:
            return self._view(session, draft_repo.draft_of_seller(session, seller, draft_id))

    def unfinished(self, seller: str, *, limit: int = 50) -> list[DraftView]:
        """The seller's drafts that are not published, the one that was changed last first."""
        with self.store.read() as session:
            return [self._view(session, row) for row in draft_repo.unfinished(session, seller, limit)]

    def edit(
        self,
        seller: str,
        draft_id: str,
        field: str,
        value: str | None,
        *,
        version: edits.Version = None,
        along: bool = False,
    ) -> DraftView:
        """Set ``title``, ``description``, ``price``, ``category`` or a fact by its attribute's name, and lock it.

        For a fact, None means "leave it out"; for the price, None or "" means no price. A fact's question disappears,
        and the texts say what it now is. ``detail:`` and a phrase is confirmed or left out in the same way.
        ``along``: another press changed a text, and settles its facts: a typed text is not read again.
        AppError (422) says why a value cannot be used.
        """
        return self._add(seller, draft_id, field, value, version, along=along)

    def note(self, seller: str, draft_id: str, typed: str) -> str:
        """Save the note from which the draft is written the next time, and return it as it is saved.

        The draft keeps its version: what it says stays as it is.
        """
        clean = edits.clean_note(typed)
        with self.store.write() as session:
            row = draft_repo.draft_of_seller(session, seller, draft_id, lock=True)
            draft_repo.check_at_rest(row)
            if clean != row.note:
                row.note, row.updated_at = clean, now()
        return clean

    def settle(
        self,
        seller: str,
        draft_id: str,
        values: Mapping[str, str | None],
        *,
        confirm: bool = False,
        version: edits.Version = None,
    ) -> DraftView:
        """Several claims of the texts at once, all or none, by their names (see ``listing.decide.claims``).

        ``confirm``: what is still marked afterwards is right.
        """
        for name in values:
            if name in FIELDS and name != "category":
                raise AppError("bad_field", f"The {name} is no claim; claims are the category, facts and details.", 422)
        with self.store.write() as session:
            row = draft_repo.draft_of_seller(session, seller, draft_id, lock=True)
            draft_repo.check_at_rest(row)
            view = self._view(session, row)
            edits.check_version(view, version)
            kind = values.get("category")
            made = [self._edit_of(name, value, view, kind) for name, value in values.items()]
            along = edits.name_along(values["category"], view) if "category" in values else None
            for edit in (*made, *filter(None, [along])):
                self._write(session, row, edit)
            marked = to_check(self._view(session, row).draft) if confirm else {}
            for name, value in marked.items():
                self._write(session, row, Edit("set", name, value))
            return self._view(session, row)

    def unlock(self, seller: str, draft_id: str, field: str, *, version: edits.Version = None) -> DraftView:
        """Undo what the seller changed in a field: back to what the model wrote."""
        return self._add(seller, draft_id, field, None, version, undo=True)

    def stop(self, seller: str, draft_id: str) -> None:
        """Stop the writing of a draft; its iterator ends with a ``stopped`` view. Nothing happens when none runs."""
        with self.store.read() as session:
            draft_repo.draft_of_seller(session, seller, draft_id)
        self.queue.cancel(draft_id)

    def abandon(self, seller: str, draft_id: str) -> None:
        """Throw an unpublished draft away: stopped, its photos and history deleted; an event with its id remains."""
        self.stop(seller, draft_id)
        with self.store.write() as session:
            row = draft_repo.draft_of_seller(session, seller, draft_id, lock=True)
            if row.state == DraftState.PUBLISHED:
                raise AppError("published", "This draft is published; delete its listing instead.", 409)
            draft_repo.note_event(session, "abandoned", seller, draft=draft_id)
            draft_repo.delete_drafts(session, [draft_id])
        self.deletions.after()

    def _edit_of(self, field: str, value: str | None, view: DraftView, kind: str | None = None) -> Edit:
        """The edit; ``kind``: what the item is called along with it."""
        text = value or ""
        if field == "title":
            return Edit("set", field, edits.clean_text(text, edits.TITLE_LENGTH, "The title"))
        if field == "description":
            clean = edits.clean_text(text, edits.DESCRIPTION_LENGTH, "The description", lines=True)
            return Edit("set", field, clean)
        if field == "price":
            price = prices.parse_price(value)
            return Edit("set", field, None if price is None else f"{price:.2f}")
        if field == "category":
            return Edit("set", field, edits.category_name(text))
        if field in (taxonomy := self.rules.of(view.draft).taxonomy).attributes:
            clean = edits.clean_text(text, edits.FACT_LENGTH, "This fact")
            name = edits.category_name(kind) if kind else view.category.value if view.category is not None else None
            node = taxonomy.node(name)
            if clean and name and field not in (*node.attributes, *(a.name for a in view.attributes)):
                label = taxonomy.attributes[field].label
                message = f"{node.phrase!r} has no fact {label!r}; write it into the description."
                raise AppError("bad_field", message, 422)
            return Edit("set", field, clean) if clean else Edit("drop", field)
        if is_detail(field, view.draft):
            return Edit("set", field, field.removeprefix(DETAIL)) if text else Edit("drop", field)
        raise AppError("bad_field", f"There is no field {field[:60]!r}.", 422)

    def _add(
        self,
        seller: str,
        draft_id: str,
        field: str,
        value: str | None,
        version: edits.Version,
        *,
        undo: bool = False,
        along: bool = False,
    ) -> DraftView:
        with self.store.write() as session:
            row = draft_repo.draft_of_seller(session, seller, draft_id, lock=True)
            view = self._view(session, row)
            edit = Edit("undo", field[:64]) if undo else self._edit_of(field, value, view)
            edit = replace(edit, kind="along") if along and field in view.locked else edit
            name = edits.name_along(value, view) if field == "category" else None
            if row.state == DraftState.PUBLISHED:
                raise AppError("published", "This draft is published already; edit its listing instead.", 409)
            if not edits.holds(view, edit, version):
                self._write(session, row, edit)
            if name is not None:
                self._write(session, row, name)
            return self._view(session, row)

    def _write(self, session: Session, row: DraftRow, edit: Edit) -> None:
        """Keep an edit, and what it does to texts that the seller typed."""
        draft, written = draft_repo.settled(row), draft_repo.generated(row)
        if edit.kind == "set" and draft is not None and not self._fits(draft, edit.field):
            message = f"A text has no words for {edit.value!r} of such a thing; write it into the description."
            raise AppError("bad_field", message, 422)
        made = draft_repo.edit_rows(session, row.id)
        along = follow(written, made, edit, self.rules.of(written)) if written is not None else []
        for each in [edit, *along]:
            draft_repo.add_edit(session, row, each)
        draft_repo.settle(session, row, self.rules)

    def _fits(self, draft: Draft, field: str) -> bool:
        return fits(draft, field, item_of(draft.category.value, self.rules.of(draft).taxonomy))

    def _view(self, session: Session, row: DraftRow) -> DraftView:
        listing = session.scalar(select(ListingRow.id).where(ListingRow.draft_id == row.id))
        return draft_repo.view(session, row, self.currency, listing)
