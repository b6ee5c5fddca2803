"""Fields that are typed in: each is saved alone, and only over the version that its tab was showing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.editing import edits
from app.seller import words
from app.seller.desk import Desk, Kept, Notice
from app.services import Services
from app.views import TEXT_FIELDS, AppError, DraftView, field_version

Press = Mapping[str, Any]
TYPED = (*TEXT_FIELDS, "price")


@dataclass(frozen=True)
class Flagged:
    """The flagged words that were pressed, in the text as it stands now."""

    field: str
    words: str
    start: int
    version: str


def keep_typed(services: Services, seller: str, desk: Desk, data: Press) -> bool:
    """Save what stands typed in the fields, each alone: a press may come while a field is still being typed in.

    False, with a notice for each, when there are fields that could not be saved.
    """
    versions = data.get("versions")
    shown = versions if isinstance(versions, Mapping) else {}
    view, fields = desk.view, [f for f in TYPED if isinstance(data.get(f), str)]
    saved = [keep(services, seller, desk, view, f, data[f], shown.get(f)) for f in fields]
    return all(saved)


def keep(
    services: Services, seller: str, desk: Desk, view: DraftView | None, field: str, typed: str, shown: str | None
) -> bool:
    """Save what was typed in one field of ``view``, over the version that the tab was showing (None: that of the view).

    False, with a notice that holds what was typed, when the field was changed elsewhere or cannot hold this.
    """
    if view is None:
        return True
    here = view.field_version(field)
    shown = shown or here
    last = desk.kept.get((view.draft_id, field))
    last = last if last is not None and last.shown == shown else None
    if (last is not None and last.typed == typed) or (shown == here and typed == painted(view, field)):
        return True  # nothing new: it came with another press already, or nobody typed
    try:
        saved = services.drafts.edit(seller, view.draft_id, field, typed, version=last.after if last else shown)
    except AppError as error:
        if error.http_status not in (409, 422) or error.code == "published":
            raise
        not_saved(desk, Notice("bad", f"The {field} was not saved", str(error), typed))
        refresh(services, seller, desk)
        return False
    text = last.text if last is not None else (view.value(field) or "") if shown == here else ""
    desk.kept[view.draft_id, field] = Kept(shown, typed, text, saved.field_version(field))
    if not desk.busy:
        desk.view = saved
    return True


def not_saved(desk: Desk, notice: Notice) -> None:
    """Show what was typed and not saved; the page is drawn again, so that the field shows what is there."""
    desk.notices[:] = [*(n for n in desk.notices if n.title != notice.title), notice]
    desk.conflicts += 1


def painted(view: DraftView, field: str) -> str:
    """What the page puts into a field."""
    return words.amount_text(view.asked) if field == "price" else str(getattr(view, field))


def refresh(services: Services, seller: str, desk: Desk) -> None:
    """Show the draft as it stands now; one that is being written comes by itself."""
    if desk.view is not None and not desk.busy:
        desk.view = services.drafts.get(seller, desk.view.draft_id)


def flagged(services: Services, seller: str, desk: Desk, data: Press) -> Flagged | None:
    """The flag that was pressed, after what is being typed was saved; None when that could not be saved.

    Raises:
        AppError: the text is another than the one in which the words were shown (409, code ``changed``).
    """
    assert desk.view is not None
    field, said, start = str(data["field"]), str(data["words"]), int(data.get("start") or 0)
    shown = str(data.get("version") or desk.view.field_version(field))
    if not keep_typed(services, seller, desk, data):
        return None
    refresh(services, seller, desk)
    text, version = desk.view.value(field) or "", desk.view.field_version(field)
    last = desk.kept.get((desk.view.draft_id, field))
    if shown == version:
        at = start if said and text.startswith(said, start) else -1
    elif last is not None and (last.shown, last.after) == (shown, version):
        at = edits.moved(last.text, text, said, start)  # this tab typed around the words
    else:
        at = -1
    if at < 0:
        message = f"The {field} has changed since these words were shown; look at it again, nothing was taken out."
        raise AppError("changed", message, 409)
    return Flagged(field, said, at, field_version(text))
