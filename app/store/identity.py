"""Whose photos a media folder holds: it carries the id of its store, and another store is not opened beside it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.settings import Settings
from app.store.db import Store, StoreError, engine_of, open_store, sentences
from app.store.media import Media
from app.store.tables import IdentityRow


def open_marked_store(settings: Settings, media: Media) -> Store:
    """The store of ``settings``, its schema brought up to date, whose photos lie in ``media``; the folder is marked.

    Raises:
        StoreError: the photos belong to another store (nothing was changed), or the store cannot be opened.
    """
    if media.in_use() and _is_new(settings.store_url):
        raise _foreign(settings)
    store = open_store(settings.store_url)
    try:
        check_photos(settings, media, store.engine)
        media.write_mark(store_id(store.engine) or "")
    except BaseException:
        store.engine.dispose()
        raise
    return store


def check_photos(settings: Settings, media: Media, engine: Engine) -> None:
    """Raises StoreError when the photos in the media folder are not those of the store.

    Without a mark (an older version wrote none) the store has to know most of them, or most of its own are there.
    """
    mark = media.mark()
    if mark is None:
        files, names = set(media.ids()), photo_ids(engine)
        both = 2 * len(files & names)
        foreign = bool(files) and both <= len(files) and (not names or both <= len(names))
    else:
        foreign = mark != store_id(engine)
    if foreign:
        raise _foreign(settings)


@sentences()
def photo_ids(engine: Engine) -> set[str]:
    """The photos that a store of any version knows."""
    with engine.connect() as connection:
        return set(connection.scalars(text("SELECT id FROM photos")))


@sentences()
def store_id(engine: Engine) -> str | None:
    """The id of the store; None when its schema is of a version that had none."""
    if not inspect(engine).has_table(IdentityRow.__tablename__):
        return None
    with engine.connect() as connection:
        return connection.scalar(select(IdentityRow.id))


def _is_new(url: str) -> bool:
    """Whether there is no store yet, so that opening it would make an empty one."""
    try:
        parsed = make_url(url)
    except ArgumentError:  # opening it says so
        return False
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        return True
    with engine_of(url) as engine:
        try:
            return not inspect(engine).has_table("alembic_version")
        except DBAPIError:  # opening it says what is wrong
            return False


def _foreign(settings: Settings) -> StoreError:
    store = make_url(settings.store_url).render_as_string(hide_password=True)
    return StoreError(
        f"The photos in {settings.media_folder} belong to another store than {store}: name their store with IPL_STORE "
        "(or IPL_HOME), or another folder with IPL_MEDIA; if the store was lost, bring it back with ./ipl restore; "
        "photos that are nobody's can be moved away."
    )
