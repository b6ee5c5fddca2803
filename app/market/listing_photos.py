"""The photos of a published listing: added, put in order, removed; index and feed follow."""

from __future__ import annotations

from collections.abc import Sequence

from app.drafting.draft_photos import DraftPhotos, check_count, check_new, check_order
from app.store import draft_repo, listing_repo
from app.store.db import Store
from app.store.deletions import Deletions
from app.store.outbox import Outbox
from app.views import AppError
from listing.intake.photos import Photo
from listing.schema import Listing


class ListingPhotos:
    """Every method raises AppError (404) for a listing that is not the seller's."""

    def __init__(self, store: Store, photos: DraftPhotos, outbox: Outbox, deletions: Deletions) -> None:
        self.store, self.photos, self.outbox, self.deletions = store, photos, outbox, deletions

    def check_room(self, seller: str, listing_id: str, count: int) -> None:
        """Raises AppError where ``add`` of so many would, whatever they show: before they are decoded."""
        with self.store.read() as session:
            listing_repo.listing_of_seller(session, seller, listing_id)
            check_count(len(draft_repo.photos_of(session, listing=listing_id)), count)

    def add(self, seller: str, listing_id: str, photos: Sequence[Photo]) -> Listing:
        """Add photos at the end: all of them or none (AppError 422: too many, or one is there already)."""
        with self.photos.files(photos), self.store.write() as session:
            row = listing_repo.listing_of_seller(session, seller, listing_id, lock=True)
            present = draft_repo.photos_of(session, listing=listing_id)
            check_new(present, [p.ref for p in photos])
            listing_repo.add_photos(session, row, photos, len(present))
            listing = listing_repo.to_listing(session, row)
        self.outbox.follow()
        return listing

    def arrange(self, seller: str, listing_id: str, photo_ids: Sequence[str]) -> Listing:
        """Let the photos be those of these ids in this order; those left out are deleted, row and file.

        AppError (422): an id that is not there, or none is left.
        """
        with self.store.write() as session:
            row = listing_repo.listing_of_seller(session, seller, listing_id, lock=True)
            present = [p.id for p in draft_repo.photos_of(session, listing=listing_id)]
            check_order(present, photo_ids, "listing")
            if not photo_ids:
                raise AppError("no_photo", "A listing needs a photo; add another one before you remove the last.", 422)
            if list(photo_ids) != present:
                listing_repo.arrange_photos(session, row, photo_ids)
            listing = listing_repo.to_listing(session, row)
        self.deletions.after()
        self.outbox.follow()
        return listing
