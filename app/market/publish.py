"""Publishing, changing and deleting: the store first, in one transaction, then the index.

The transaction that changes a listing also writes a row into the outbox (``app/store/outbox.py``), by which feed and
index follow whatever dies or is away in between: the store is the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.drafting.drafts import Drafts
from app.editing import edits, prices
from app.market import orders, reviews, sellers_words
from app.metrics import Metrics
from app.store import draft_repo, listing_repo
from app.store.db import Store
from app.store.deletions import Deletions
from app.store.outbox import Outbox
from app.store.tables import DraftRow, KeyRow, ListingRow
from app.views import AppError, Busy, Changed, DraftState
from listing.revise import proven
from listing.safety.clauses import scrub_listing
from listing.safety.prohibited_goods import GoodsVerdict
from listing.schema import Draft, Listing

STATUSES = ("active", "reserved", "sold", "removed")
CHANGEABLE = ("title", "description", "price", "stock", "condition", "status", "attributes")
WORDS = frozenset({"title", "description", "condition", "attributes"})
KEY_REUSED = "This idempotency key was used for another draft; take a new one."
IN_REVIEW = "A person has to look at this listing first; until then you can only edit or delete it."
PUBLISH_TRIES = 5
_MAX_STOCK = 1_000_000
_MAX_FACTS = 50


@dataclass(frozen=True)
class Ready:
    """A draft in one version, as it may be published: without contact data, nothing that may not be listed.

    ``verdict``: what a person has to look at first.
    """

    version: int
    content: Draft
    price: float | None
    verdict: GoodsVerdict | None


class Publisher:
    """Changes listings and keeps photos, index and feed in step with them."""

    def __init__(
        self, store: Store, metrics: Metrics, drafts: Drafts, outbox: Outbox, deletions: Deletions, currency: str
    ) -> None:
        self.store, self.metrics, self.currency = store, metrics, currency
        self.drafts, self.outbox, self.deletions = drafts, outbox, deletions

    def publish(self, seller: str, draft_id: str, *, key: str, version: int | None = None) -> Listing:
        """Publish a draft as its seller sees it; the same key, or the same draft again, gives the same listing.

        Words that need a person give a listing with the status ``review``, which others see once it is approved.

        Args:
            version: the draft's, as the seller was shown it; None publishes it as it is.

        Raises:
            AppError: no title or category, goods that may not be listed (422), the key was used for another draft, or
                the draft changed since it was shown (409), a full disk (507), 404.
        """
        key = edits.clean_text(key, 200, "The idempotency key")
        if not key:
            raise AppError("no_key", "The idempotency key is empty; send any text that is unique to this wish.", 422)
        for _ in range(PUBLISH_TRIES):
            ready = self._ready(seller, draft_id)
            try:
                listing = self._publish(seller, draft_id, key, version, ready)
            except IntegrityError:
                continue  # the same wish ran elsewhere and was faster: its listing is the answer
            if listing is not None:
                self.outbox.follow()
                return listing
        raise Busy("The draft is being changed right now; publish it again in a moment.", 1)

    def edit_and_publish(
        self, seller: str, draft_id: str, values: Mapping[str, str], *, key: str, version: int | None = None
    ) -> Listing:
        """Set fields, then publish. For a key that was used already nothing is set any more.

        ``version``: the draft's, as it was read; one that was changed since is refused (AppError 409).
        """
        earlier = self.published_by(seller, draft_id, key)
        if earlier is not None:
            return earlier
        try:
            if version is not None:
                edits.check_version(self.drafts.get(seller, draft_id), version)
            for field, value in sorted(values.items(), key=lambda entry: entry[0] != "category"):
                view = self.drafts.edit(seller, draft_id, field, value, version=version)
                version = None if version is None else view.version
        except AppError as error:
            if error.code != "published":
                raise
            version = None  # the same wish runs elsewhere as well and was faster: the answer is its listing
        return self.publish(seller, draft_id, key=key, version=version)

    def published_by(self, seller: str, draft_id: str, key: str) -> Listing | None:
        """The listing that this key, or an earlier publishing of this draft, gave; None when there is none."""
        with self.store.read() as session:
            used = session.get(KeyRow, (seller, key))
            condition = ListingRow.id == used.listing_id if used is not None else ListingRow.draft_id == draft_id
            row = session.scalar(select(ListingRow).where(condition, ListingRow.seller_id == seller))
            if row is not None and row.draft_id != draft_id:
                raise AppError("key_reused", KEY_REUSED, 409)
            return listing_repo.to_listing(session, row) if row is not None else None

    def _ready(self, seller: str, draft_id: str) -> Ready | None:
        """The draft as it would be published, its words checked while nobody waits; None when there is none."""
        with self.store.read() as session:
            where = DraftRow.id == draft_id, DraftRow.seller_id == seller, DraftRow.state == DraftState.READY
            draft = session.scalar(select(DraftRow).where(*where))
            settled = draft_repo.settled(draft) if draft is not None else None
            if draft is None or settled is None:
                return None
            word, version = draft_repo.word_on(session, draft_id), draft.version
        price = prices.parse_price(word.values.get("price"))
        content = sellers_words.without_contacts(proven(settled, self.drafts.rules.of(settled).taxonomy))
        facts = {a.name: a.value for a in content.attributes}
        verdict = sellers_words.check_listed(content.category.value or "", content.title, content.description, facts)
        return Ready(version, content, price, verdict)

    def _publish(
        self, seller: str, draft_id: str, key: str, version: int | None, ready: Ready | None
    ) -> Listing | None:
        """None when the draft is not what was made ready any more."""
        with self.store.write() as session:
            used = session.get(KeyRow, (seller, key))
            if used is not None:
                if used.draft_id != draft_id:
                    raise AppError("key_reused", KEY_REUSED, 409)
                earlier = listing_repo.listing_of_seller(session, seller, used.listing_id)
                return listing_repo.to_listing(session, earlier)
            draft = draft_repo.draft_of_seller(session, seller, draft_id, lock=True)
            row = session.scalar(select(ListingRow).where(ListingRow.draft_id == draft_id))
            if row is None:
                if draft.state != DraftState.READY or draft.generated is None:
                    raise AppError("not_ready", "The draft is not done yet; wait for it, or start it again.", 409)
                if version is not None and version != draft.version:
                    raise Changed("draft")
                if ready is None or ready.version != draft.version:
                    return None
                row = self._new_listing(session, draft, ready)
            session.add(KeyRow(seller_id=seller, key=key, listing_id=row.id, draft_id=draft_id))
            session.flush()
            return listing_repo.to_listing(session, row)

    def _new_listing(self, session: Session, draft: DraftRow, ready: Ready) -> ListingRow:
        row = listing_repo.add_listing(session, draft, ready.content, ready.price, self.currency)
        if ready.verdict is not None:
            row.published_at = None
            reviews.hold(session, row, ready.verdict)
        listing_repo.to_index(session, row.id)
        draft_repo.note_event(session, "published", draft.seller_id, draft=draft.id, listing=row.id)
        self.metrics.count_listing(draft.generated or {}, row.published or {})
        return row

    def change(
        self,
        seller: str,
        listing_id: str,
        changes: Mapping[str, Any],
        *,
        version: int | None = None,
        field_versions: Mapping[str, str] | None = None,
    ) -> Listing:
        """Change ``title``, ``description``, ``price``, ``stock``, ``condition``, ``status`` or ``attributes``.

        ``version``: the listing's, as it was read. ``field_versions``: those of fields, as the page had them.

        Raises:
            AppError: no such field, an unusable value, goods that may not be listed (422); changed since it was shown,
                a sold piece that would come back, a status while a person has to look at it (409); 404.
        """
        clean = _clean(changes)
        verdict = self._check_words(seller, listing_id, clean) if WORDS & clean.keys() else None
        with self.store.write() as session:
            row = listing_repo.listing_of_seller(session, seller, listing_id, lock=True)
            listing_repo.check_versions(row, clean, version, field_versions or {})
            orders.check_change(session, row, clean)
            if row.status in reviews.HELD and "status" in clean:
                raise AppError("in_review", IN_REVIEW, 409)
            for field, value in clean.items():
                setattr(row, field, value)
            if WORDS & clean.keys():
                reviews.after_edit(session, row, verdict)
            row.version += 1
            listing_repo.to_index(session, row.id)
            session.flush()
            listing = listing_repo.to_listing(session, row)
        self.outbox.follow()
        return listing

    def mark_sold(self, seller: str, listing_id: str) -> Listing:
        """Sold: out of the feed, kept as a comparable."""
        return self.change(seller, listing_id, {"status": "sold", "stock": 0})

    def relist(self, seller: str, listing_id: str) -> Listing:
        """Sell again: active, with the pieces that are left, or one; AppError (409) while its last order stands."""
        with self.store.read() as session:
            stock = listing_repo.listing_of_seller(session, seller, listing_id).stock
        return self.change(seller, listing_id, {"status": "active", **({} if stock else {"stock": 1})})

    def _check_words(self, seller: str, listing_id: str, clean: Mapping[str, Any]) -> GoodsVerdict | None:
        """The listing as it would be. Apart from the change itself: long texts take a while, and others wait for it."""
        with self.store.read() as session:
            row = listing_repo.listing_of_seller(session, seller, listing_id)
            new = {field: clean.get(field, getattr(row, field)) for field in WORDS}
            facts = {**new["attributes"], "condition": new["condition"]}
            return sellers_words.check_listed(row.category, new["title"], new["description"], facts)

    def delete(self, seller: str, listing_id: str) -> None:
        """Delete a listing: its photos, vectors and draft history are gone, events and ended orders keep its id."""
        with self.store.write() as session:
            row = listing_repo.listing_of_seller(session, seller, listing_id, lock=True)
            orders.check_delete(session, row)
            draft_repo.note_event(session, "deleted", seller, draft=row.draft_id, listing=row.id)
            listing_repo.delete_listing(session, row)
        self.deletions.after()
        self.outbox.follow()


def _clean(changes: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        names = ", ".join(CHANGEABLE)
        raise AppError("bad_field", f"{unknown[0]!r:.60} cannot be changed; these can: {names}.", 422)
    return {field: _value(field, value) for field, value in changes.items()}


def _value(field: str, value: Any) -> Any:
    if field == "title":
        title = sellers_words.clean_title(edits.clean_text(str(value or ""), edits.TITLE_LENGTH, "The title"))
        if not title:
            raise AppError("no_title", "A listing needs a title.", 422)
        return title
    if field == "description":
        return scrub_listing(
            edits.clean_text(str(value or ""), edits.DESCRIPTION_LENGTH, "The description", lines=True)
        )
    if field == "price":
        return prices.parse_price(value)
    if field == "condition":
        return sellers_words.clean_fact(edits.clean_text(str(value or ""), edits.FACT_LENGTH, "The condition"))
    if field == "status":
        if value not in STATUSES:
            raise AppError("bad_status", f"The status has to be one of {', '.join(STATUSES)}.", 422)
        return value
    if field == "stock":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_STOCK:
            raise AppError("bad_stock", f"The stock has to be a whole number from 0 to {_MAX_STOCK}.", 422)
        return value
    return _facts(value)


def _facts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > _MAX_FACTS:
        raise AppError("bad_facts", f"The facts have to be pairs of name and text, at most {_MAX_FACTS}.", 422)
    clean = {
        sellers_words.clean_fact(edits.clean_text(str(name), 64, "The name of a fact")): sellers_words.clean_fact(
            edits.clean_text(str(text), edits.FACT_LENGTH, "A fact")
        )
        for name, text in value.items()
    }
    return {name: text for name, text in clean.items() if name and text}
