"""CPU seconds and bytes of one draft, one publishing, one page of the feed and one order, for docs/scale.md.

    python -m benchmarks.serving.unit_costs [--drafts 8] [--items 5000] [--pages 200] [--orders 200]

CPU seconds (all threads of this process), not wall time: they hold on a busy machine too. Model and index are the
real ones; for pages and orders the store is filled with rows directly, and the feed runs without trained models.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.services import Services
from app.settings import Settings
from app.store.draft_repo import new_id
from app.store.tables import ListingRow, now
from benchmarks.common import arguments, machine
from listing.home import ipl_home
from listing.intake.photos import intake
from tests.fakes import FakeIndex, FakePipeline

PHOTOS = ("hoodie.jpg",)


def cost(work: Callable[[int], Any], count: int) -> float:
    """CPU seconds of one call, over ``count`` calls after one that is not counted."""
    work(-1)
    started = time.process_time()
    for number in range(count):
        work(number)
    return (time.process_time() - started) / count


def folder_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def listings(home: Path, demo: Path, count: int) -> dict[str, float]:
    """Drafts by the real model, then published with the real index."""
    for name in ("models", "index"):
        source = ipl_home() / name
        if name == "models":
            (home / name).symlink_to(source)
        else:
            shutil.copytree(source, home / name)
    services = Services(Settings(home=home))
    me = services.sellers.only().id
    files = [demo / name for name in PHOTOS]
    draft_ids: list[str] = []
    draft = cost(
        lambda _: draft_ids.append(list(services.draft_writer.start(me, intake(files)))[-1].draft_id),
        count,
    )
    before = services.settings.home / "store.sqlite"
    categories = iter(draft_ids)

    def publish(_: int) -> None:
        one = next(categories)
        if services.drafts.get(me, one).draft.category.value is None:
            services.drafts.edit(me, one, "category", "Hoodie")
        services.publisher.publish(me, one, key=one)

    published = cost(publish, count)
    media = folder_bytes(services.settings.media_folder) / len(draft_ids)
    services.close()
    return {
        "draft_cpu_s": draft,
        "publish_cpu_s": published,
        "photo_bytes": media,
        "store_bytes": before.stat().st_size / len(draft_ids),
    }


def fill(services: Services, count: int) -> list[str]:
    seller = services.sellers.named("seller").id
    ids = [f"ipl-{new_id()[:24]}" for _ in range(count)]
    with services.store.write() as session:
        session.add_all(
            ListingRow(
                id=i, seller_id=seller, category=f"C{n % 40}", title=f"Thing {n}", description="Words. " * 20,
                attributes={"colour": "navy"}, price=5.0 + n % 90, currency="EUR", published_at=now(),
            )
            for n, i in enumerate(ids)
        )  # fmt: skip
    return ids


def traffic(home: Path, items: int, pages: int, orders: int) -> dict[str, float]:
    """Pages and orders on a store with that many items."""
    settings = Settings(home=home, feed_per_second=1e9)
    services = Services(settings, pipeline=FakePipeline(), index=FakeIndex())
    ids = fill(services, items)
    services.close()
    before = (home / "store.sqlite").stat().st_size
    started = time.process_time()
    services = Services(settings, pipeline=FakePipeline(), index=FakeIndex())
    start = time.process_time() - started
    buyer = services.sellers.named("buyer").id
    page = cost(lambda n: services.feed.page(f"visitor {n % 50}", 20), pages)
    services.store.engine.dispose()
    rows = (home / "store.sqlite").stat().st_size + (home / "store.sqlite-wal").stat().st_size - before \
        if (home / "store.sqlite-wal").exists() else (home / "store.sqlite").stat().st_size - before  # fmt: skip
    stored = rows / (pages + 1)
    order = cost(lambda n: services.orders.buy(buyer, ids[n + 1], f"k{n}", price=5.0 + (n + 1) % 90), orders)
    services.close()
    return {"start_cpu_s": start, "page_cpu_s": page, "page_bytes": stored, "order_cpu_s": order}


def main() -> int:
    args = arguments(__doc__, drafts=8, items=5000, pages=200, orders=200).parse_args()
    demo = Path(__file__).resolve().parents[2] / "demo"
    costs: dict[str, Any] = {**machine()}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        costs |= listings(Path(one), demo, args.drafts)
        costs |= traffic(Path(two), args.items, args.pages, args.orders)
    print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in costs.items()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
