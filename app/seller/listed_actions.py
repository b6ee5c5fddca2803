"""Presses under My listings: a listing is changed, sold, handed over, deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from app.drafting.draft_photos import moved_photo
from app.market.sellers_words import taken_out
from app.seller import words
from app.seller.fields import FACT, TYPED, FieldActions, Press, number
from app.seller.pictures import Shot, read_photos
from app.seller.session import Notice
from app.store import listing_repo
from app.views import AppError, Changed, field_version


class ListedActions(FieldActions):
    """Does what one seller presses on published listings; what cannot be done becomes a notice of one sentence."""

    def _name_removed(self, typed: Iterable[str | None]) -> None:
        """Name the contact data that were taken out of what the seller typed."""
        contacts = ", ".join(f"“{text}”" for text in taken_out(text for text in typed if text))
        if contacts:
            sentence = f"Buyers reach you here, so this does not stand in the listing: {contacts}."
            self.session.notify("warn", "Contact data was taken out", sentence)

    def do_save(self, data: Press) -> None:
        """Save the fields that came, each alone and only over the version that the tab was showing."""
        listing, versions = str(data["id"]), data.get("versions")
        sent = versions if isinstance(versions, Mapping) else {}
        for field in (f for f in data if f in TYPED or str(f).startswith(FACT)):
            try:
                self._save(listing, field, str(data[field]), sent)
            except AppError as error:
                if error.http_status not in (409, 422):
                    raise
                typed = str(data[field]) if error.http_status == 409 else ""
                title = f"The {words.attribute_label(field.removeprefix(FACT)).lower()} was not saved"
                self.not_saved(Notice("bad", title, str(error), typed, at=f"{listing}-{field}"))
        if not self.session.notices:
            review = self.services.listings.get(self.seller, listing).review
            self.session.notify("warn" if review else "good", "Saved", review or "Buyers see the change now.")
        self._name_removed([str(data.get("title") or ""), str(data.get("description") or "")])

    def _save(self, listing: str, field: str, typed: str, sent: Mapping[str, str]) -> None:
        """One field of a published listing, over the version that the tab was showing."""
        publisher, name = self.services.publisher, field.removeprefix(FACT)
        if name == field:
            publisher.change(self.seller, listing, {field: typed}, field_versions=sent)
            return
        now, version = self.services.listings.versioned(self.seller, listing)
        grade = name == listing_repo.CONDITION
        present = now.condition if grade else now.attributes.get(name)
        if sent.get(field) not in (None, field_version(present)) and typed != (present or ""):
            raise Changed(words.attribute_label(name).lower(), present)
        facts = {**now.attributes, name: typed}
        changes = {"attributes": facts, **({"condition": typed} if grade else {})}
        publisher.change(self.seller, listing, changes, version=version)

    def do_adding_to(self, data: Press) -> None:
        """Further photos of a published listing are being chosen."""
        self.session.adding_to = str(data["id"])

    def add_to_listing(self, files: Sequence[str | Path] | None) -> None:
        """Further photos of the published listing for which they were chosen; each is judged alone."""
        listing, at = self.session.adding_to, f"{self.session.adding_to}-photos"
        with self._chosen("adding photos to a listing", files, at=at) as paths:
            photos, problems = read_photos(paths, self.services.listings.get(self.seller, listing).photos)
            if photos:
                self.services.listing_photos.add(self.seller, listing, photos)
            for title, reason in problems:
                self.session.notify("bad", title, reason, at)

    def do_listed_photo(self, data: Press) -> None:
        """A photo of a published listing goes to another place, or is removed (no place)."""
        listing, photo, to = str(data["id"]), str(data["photo"]), data.get("to")
        present = [p.id for p in self.services.listings.get(self.seller, listing).photos]
        if photo not in present:
            return
        moved = [p for p in present if p != photo] if to is None else moved_photo(present, photo, number(data, "to"))
        with self._noticed("photos of a listing", at=f"{listing}-photos"):
            self.services.listing_photos.arrange(self.seller, listing, moved)

    def do_sold(self, data: Press) -> None:
        self.services.publisher.mark_sold(self.seller, str(data["id"]))

    def do_relist(self, data: Press) -> None:
        self.services.publisher.relist(self.seller, str(data["id"]))

    def do_handed(self, data: Press) -> None:
        self.services.orders.complete(self.seller, str(data["id"]))
        self.session.notify("good", "Handed over", "The order is complete.")

    def do_cancel(self, data: Press) -> None:
        order = self.services.orders.cancel(self.seller, str(data["id"]))
        again = self.services.listings.get(self.seller, order.listing_id).status == "active"
        self.session.notify("good", "Cancelled", f"The buyer is told{', and it is on sale again' if again else ''}.")

    def do_reply(self, data: Press) -> None:
        """Answer a buyer's question."""
        with self._noticed("an answer", at=f"question-{data['id']}"):
            answered = self.services.messages.answer(self.seller, str(data["id"]), str(data.get("text") or ""))
            self.session.notify("good", "Answered", "Your answer stands on the listing's page.")
            if answered.taken_out:
                self._name_removed([str(data["text"])])

    def do_delete(self, data: Press) -> None:
        self.services.publisher.delete(self.seller, str(data["id"]))
        if self.session.published is not None and self.session.published.id == data["id"]:
            self.session.start_over()
            self.session.page = "mine"
        self.session.notify("good", "Deleted", "The listing, its photos and its history are gone.")

    def do_throw_away(self, data: Press) -> None:
        self._not_busy()
        draft = str(data["id"])
        self.services.drafts.abandon(self.seller, draft)
        if self.session.view is not None and self.session.view.draft_id == draft:
            self.session.start_over()
            self.session.page = "mine"
        self.session.notify("good", "Thrown away", "The draft and its photos are gone.")

    def do_find(self, data: Press) -> None:
        self.session.find_text, self.session.find_photo = str(data.get("value") or ""), None

    def find_by_photo(self, file: str | None) -> None:
        """A photo to search one's listings by; an unreadable one becomes a notice."""
        with self._chosen("searching by a photo", [file] if file else None) as paths:
            if paths:
                photos, problems = read_photos(paths)
                self.session.find_photo, self.session.find_text = (Shot.of(photos[0]) if photos else None), ""
                for _, reason in problems:
                    self.session.notify("bad", "This photo cannot be searched by", reason)
