"""An erasure beside services of this process, which have the index: their outbox does its part, as a server does."""

from __future__ import annotations

import threading
from typing import Any

from app.accounts.erase import Erased, erase
from app.services import Services


def erase_beside(services: Services, who: str, **options: Any) -> Erased:
    """What was erased, once the index is rebuilt."""
    done = threading.Event()

    def follow() -> None:
        while not done.wait(0.1):
            services.outbox.catch_up()

    following = threading.Thread(target=follow)
    following.start()
    try:
        return erase(services.settings, who, **options)
    finally:
        done.set()
        following.join()
