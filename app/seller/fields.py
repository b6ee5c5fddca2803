"""The base of all presses: errors become notices; fields are saved alone, over the version that their tab showed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.seller import words
from app.seller.session import Notice, SavedField, SellerSession
from app.services import Services
from app.views import TEXT_FIELDS, AppError, DraftView
from listing.errors import IplError

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
