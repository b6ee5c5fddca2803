"""Every press on the seller's page: a table from its name to what it does. No page library here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.market.own_words import taken_out
from app.seller.desk import Desk, Notice
from app.seller.fields import TYPED, flagged, keep, keep_typed, not_saved, refresh
from app.seller.pictures import Shot, read_photos
from app.services import Services
from app.views import AppError, DraftView
from listing.intake.photos import Photo, PhotoError, PhotoLimits

log = logging.getLogger(__name__)
Press = Mapping[str, Any]
Action = Callable[[Services, str, Desk, Press], None]
BROKEN = "Something went wrong on our side; try it again."


def add_photos(services: Services, seller: str, desk: Desk, files: Sequence[str | Path]) -> None:
    """Photos through intake, each judged alone; what is too many or unreadable is named with its reason.

    Once there is a draft they are stored with it at once.
    """
    desk.notices.clear()
    paths = [Path(file) for file in files]
    try:
        with _noticed(services, seller, desk, "adding photos"):
            if desk.busy:
                raise AppError("running", "The listing is being written right now; add photos once it is done.", 409)
            fresh = _judged(desk, paths)
            if desk.view is None:
                desk.shots += [Shot.of(photo) for photo in fresh]
            elif fresh:
                desk.show(services.draft_photos.add(seller, _draft(desk), fresh), services.media)
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _judged(desk: Desk, paths: Sequence[Path]) -> list[Photo]:
    """Those photos that can be added; the others stand on the desk with their reasons."""
    room = PhotoLimits().count - len(desk.shots)
    taken, refused = read_photos([(p.name, p) for p in paths[:room]])
    known = {shot.ref.phash for shot in desk.shots}
    desk.refused = [(r.name, r.message) for r in refused]
    desk.refused += [(p.name, "A listing has room for 8 photos; remove one first.") for p in paths[room:]]
    fresh = []
    for photo in taken:
        if photo.ref.phash in known:
            desk.refused.append((photo.name, "This photo is there already."))
            continue
        known.add(photo.ref.phash)
        fresh.append(photo)
    return fresh


@contextmanager
def _noticed(services: Services, seller: str, desk: Desk, what: str) -> Iterator[None]:
    """What cannot be done becomes a notice of one sentence."""
    try:
        yield
    except (AppError, PhotoError) as error:
        if error.code == "changed":
            refresh(services, seller, desk)
        if not (error.code == "published" and desk.published is not None):
            desk.notices.append(Notice("bad", "That did not work", str(error)))
    except Exception:
        log.exception("%s failed", what)
        desk.notices.append(Notice("bad", "That did not work", BROKEN))


def press(services: Services, seller: str, desk: Desk, data: Press) -> None:
    """Do what was pressed; what cannot be done becomes a notice of one sentence."""
    action = ACTIONS.get(str(data.get("do")))
    # A field that is left while another one's conflict is shown does not take away what was typed there.
    desk.notices[:] = [notice for notice in desk.notices if notice.typed and action is _field]
    if action is None:
        return
    with _noticed(services, seller, desk, f"the press {data.get('do')!r}"):
        action(services, seller, desk, data)


def writing(services: Services, seller: str, desk: Desk, data: Press) -> Iterator[DraftView | None]:
    """Write the listing, or write it again (another tone or category); yields whenever there is something new."""
    desk.notices.clear()
    before = desk.view
    if desk.busy:
        return
    try:
        run = _run(services, seller, desk, data)
        if run is None:
            return
        for view in run:
            # A rewrite that ends without a draft leaves the earlier one standing.
            keeps = view.state in ("failed", "stopped") and before is not None and before.state == "ready"
            if keeps and before is not None and view.problem is not None:
                desk.view = services.drafts.get(seller, before.draft_id)
                desk.notices.append(Notice("warn", "Your earlier text is still here", view.problem.message))
            else:
                desk.view = view
            yield view
    except (AppError, PhotoError) as error:
        desk.view = before
        title = "Many people are writing right now" if getattr(error, "code", "") == "busy" else "That did not work"
        desk.notices.append(Notice("bad", title, str(error)))
        yield None
    except Exception:
        log.exception("a draft failed")
        desk.view = before
        desk.notices.append(Notice("bad", "That did not work", BROKEN))
        yield None


def _run(services: Services, seller: str, desk: Desk, data: Press) -> Iterator[DraftView] | None:
    do, category, note = data.get("do"), data.get("value"), str(data.get("note") or "")
    if do == "category" and not category:
        return None
    if desk.view is not None:
        draft = desk.view.draft_id
        try:
            if do in ("tone", "category") and desk.view.state == "ready":
                if not keep_typed(services, seller, desk, data):
                    return None
                tone = data.get("tone")
                return services.draft_writer.write_again(
                    seller, draft, tone=tone, category=category, note=note, from_photos=False
                )
            return services.draft_writer.write_again(seller, draft, note=note, category=category)
        except AppError as error:
            if error.code != "not_found":
                raise
            # It was deleted elsewhere; the photos that are on the screen become a draft of their own.
            desk.shots = [shot.renamed() for shot in desk.shots]
    photos = [shot.photo() for shot in desk.shots]
    return services.draft_writer.start(seller, photos, note, category=category)


def _draft(desk: Desk) -> str:
    if desk.view is None or desk.published is not None:
        raise AppError("not_found", "There is no draft on this page; start a new one.", 404)
    return desk.view.draft_id


def _go(services: Services, seller: str, desk: Desk, data: Press) -> None:
    desk.page = "mine" if data.get("to") == "mine" else "sell"


def _photo_remove(services: Services, seller: str, desk: Desk, data: Press) -> None:
    photo = str(data.get("photo"))
    if desk.view is None:
        desk.shots = [shot for shot in desk.shots if shot.ref.id != photo]
    else:
        desk.show(services.draft_photos.remove(seller, _draft(desk), photo), services.media)
    desk.refused = []


def _photo_move(services: Services, seller: str, desk: Desk, data: Press) -> None:
    photo, to = str(data.get("photo")), int(data.get("to", 0))
    if desk.view is not None:
        desk.show(services.draft_photos.move(seller, _draft(desk), photo, to), services.media)
        return
    place = next((n for n, shot in enumerate(desk.shots) if shot.ref.id == photo), None)
    if place is not None:
        desk.shots.insert(min(max(to, 0), len(desk.shots) - 1), desk.shots.pop(place))


def _fact(services: Services, seller: str, desk: Desk, data: Press) -> None:
    _set_fact(services, seller, desk, str(data["name"]), str(data.get("value") or ""))


def _fact_drop(services: Services, seller: str, desk: Desk, data: Press) -> None:
    _set_fact(services, seller, desk, str(data["name"]), None)


def _set_fact(services: Services, seller: str, desk: Desk, name: str, value: str | None) -> None:
    draft, version = _draft(desk), _shown(desk, name)
    desk.view = services.drafts.edit(seller, draft, name, value, version=version)


def _shown(desk: Desk, field: str) -> str | None:
    """The version of a field that this tab was showing."""
    return desk.view.field_version(field) if desk.view is not None else None


def _fact_unlock(services: Services, seller: str, desk: Desk, data: Press) -> None:
    field = str(data["name"])
    # What is being typed comes first: the same words may come again, with the field that was left by this press.
    if keep_typed(services, seller, desk, data):
        desk.view = services.drafts.unlock(seller, _draft(desk), field, version=_shown(desk, field))


def _answer(services: Services, seller: str, desk: Desk, data: Press) -> None:
    name, value = str(data["name"]), str(data.get("value") or "").strip()
    if value:
        version = _shown(desk, name)
        desk.view = services.drafts.answer(seller, _draft(desk), name, value, version=version)


def _field(services: Services, seller: str, desk: Desk, data: Press) -> None:
    """A field was left. It may come a moment after the press that left it: then it is kept, and shown with the rest."""
    if desk.published is None and _draft(desk):
        field, value, shown = str(data["field"]), str(data.get("value") or ""), data.get("version")
        keep(services, seller, desk, desk.view, field, value, shown)


def _claim_remove(services: Services, seller: str, desk: Desk, data: Press) -> None:
    draft, flag = _draft(desk), flagged(services, seller, desk, data)
    if flag is not None:
        desk.view = services.drafts.remove_claim(
            seller, draft, flag.field, flag.words, start=flag.start, version=flag.version
        )


def _claim_true(services: Services, seller: str, desk: Desk, data: Press) -> None:
    draft, flag = _draft(desk), flagged(services, seller, desk, data)
    if flag is not None:
        desk.view = services.drafts.confirm_claim(seller, draft, flag.field, flag.words, version=flag.version)


def _stop(services: Services, seller: str, desk: Desk, data: Press) -> None:
    services.drafts.stop(seller, _draft(desk))


def _publish(services: Services, seller: str, desk: Desk, data: Press) -> None:
    draft = _draft(desk)
    stale = not _is_shown(services, seller, desk, draft)
    if not keep_typed(services, seller, desk, data) or desk.view is None:
        return
    if stale:
        desk.show(services.drafts.get(seller, draft), services.media)
        raise AppError("changed", "This draft was changed on another page; look at it and publish again.", 409)
    desk.published = services.publisher.publish(seller, draft, key=f"page-{draft}", version=desk.view.version)
    if desk.view is not None:
        _say_taken_out(desk, [desk.view.title, desk.view.description, *(a.value for a in desk.view.attributes)])


def _say_taken_out(desk: Desk, typed: Iterable[str | None]) -> None:
    """Name the contact data that were taken out of what the seller typed."""
    found = ", ".join(f"“{text}”" for text in taken_out(text for text in typed if text))
    if found:
        sentence = f"Buyers reach you here, so this does not stand in the listing: {found}."
        desk.notices.append(Notice("warn", "Contact data was taken out", sentence))


def _is_shown(services: Services, seller: str, desk: Desk, draft: str) -> bool:
    """Whether the draft is what is on the screen, so that another page changed neither words nor photos."""
    view = services.drafts.get(seller, draft)
    same = desk.view is not None and desk.view.version == view.version
    return view.state == "published" or (same and [p.id for p in view.photos] == [shot.ref.id for shot in desk.shots])


def _again(services: Services, seller: str, desk: Desk, data: Press) -> None:
    desk.page, desk.shots, desk.refused, desk.view, desk.published = "sell", [], [], None, None


def _save(services: Services, seller: str, desk: Desk, data: Press) -> None:
    """Save the fields that came, each alone and only over the version that the tab was showing."""
    listing, versions = str(data["id"]), data.get("versions")
    shown = versions if isinstance(versions, Mapping) else {}
    for field in (f for f in TYPED if f in data):
        try:
            services.publisher.change(seller, listing, {field: data[field]}, shown=shown)
        except AppError as error:
            if error.http_status not in (409, 422):
                raise
            not_saved(desk, Notice("bad", f"The {field} was not saved", str(error), str(data[field])))
    if not desk.notices:
        desk.notices.append(Notice("good", "Saved", "Buyers see the change now."))
    _say_taken_out(desk, [str(data.get("title") or ""), str(data.get("description") or "")])


def _sold(services: Services, seller: str, desk: Desk, data: Press) -> None:
    services.publisher.mark_sold(seller, str(data["id"]))


def _relist(services: Services, seller: str, desk: Desk, data: Press) -> None:
    services.publisher.relist(seller, str(data["id"]))


def _handed(services: Services, seller: str, desk: Desk, data: Press) -> None:
    services.orders.complete(seller, str(data["id"]))
    desk.notices.append(Notice("good", "Handed over", "The order is complete."))


def _refund(services: Services, seller: str, desk: Desk, data: Press) -> None:
    services.orders.refund(seller, str(data["id"]))
    desk.notices.append(Notice("good", "Refunded", "The order is taken back. Its piece does not go on sale by itself."))


def _delete(services: Services, seller: str, desk: Desk, data: Press) -> None:
    services.publisher.delete(seller, str(data["id"]))
    if desk.published is not None and desk.published.id == data["id"]:
        _again(services, seller, desk, data)
        desk.page = "mine"
    desk.notices.append(Notice("good", "Deleted", "The listing, its photos and its history are gone."))


def _find(services: Services, seller: str, desk: Desk, data: Press) -> None:
    desk.find_text, desk.find_photo = str(data.get("value") or ""), None


def _find_clear(services: Services, seller: str, desk: Desk, data: Press) -> None:
    desk.find_text, desk.find_photo = "", None


ACTIONS: dict[str, Action] = {
    "go": _go,
    "photo_remove": _photo_remove,
    "photo_move": _photo_move,
    "fact": _fact,
    "fact_drop": _fact_drop,
    "fact_unlock": _fact_unlock,
    "answer": _answer,
    "text": _field,
    "price": _field,
    "claim_remove": _claim_remove,
    "claim_true": _claim_true,
    "stop": _stop,
    "publish": _publish,
    "again": _again,
    "save": _save,
    "sold": _sold,
    "relist": _relist,
    "handed": _handed,
    "refund": _refund,
    "delete": _delete,
    "find": _find,
    "find_clear": _find_clear,
}


def look_for(desk: Desk, file: str | None) -> None:
    """A photo to search own listings by; an unreadable one becomes a notice."""
    desk.notices.clear()
    if not file:
        return
    taken, refused = read_photos([(Path(file).name, Path(file))])
    desk.find_photo, desk.find_text = (Shot.of(taken[0]) if taken else None), ""
    desk.notices += [Notice("bad", f"{r.name} cannot be searched by", r.message) for r in refused]
    Path(file).unlink(missing_ok=True)
