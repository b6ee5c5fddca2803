"""The life of listings as one seller and their buyers know it: the answer that each call must have.

``Life`` makes calls through the API and keeps what must be true afterwards. A call during which the server is killed is
repeated after the next start, as a person would do; all calls here may be repeated.
"""

from __future__ import annotations

import copy
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
from PIL import Image

from app.market.messages import MAX_UNREAD as UNREAD
from tests.app.kills.life_server import ENDED, DraftModel, ListingModel, OneServer, OrderModel, World

CALL_SECONDS = 120.0
RETRIES = 20
LETTERS = "abcdefghijklmnop"


class Life:
    """A server, what was done to it, and what it has to answer."""

    def __init__(self, server: OneServer) -> None:
        self.server, self.world = server, World()
        self.client = httpx.Client(base_url=server.url, timeout=CALL_SECONDS)
        self.numbers = iter(range(10**9))
        self.kill_after: float | None = None  # seconds after which the next call's server is killed
        self.kills = 0
        self.orphaned: set[str] = set()  # words of drafts that nobody was told of, since the server was killed

    # what is used up

    def word(self) -> str:
        """A word that stands nowhere else; letters alone, as numbers would look like a telephone's."""
        number = next(self.numbers)
        return "zq" + "".join(LETTERS[(number >> shift) & 15] for shift in (20, 16, 12, 8, 4, 0)) + "qz"

    def photo(self) -> tuple[str, bytes, str]:
        """A photo like no other; its file name and its metadata hold words that may never be kept."""
        name, secret = self.word(), self.word()
        self.world.gone_words.update((name, secret))
        dice = np.random.default_rng(next(self.numbers))
        tiles = Image.fromarray(dice.integers(0, 255, (10, 8, 3), dtype=np.uint8)).resize(
            (256, 320), Image.Resampling.NEAREST
        )
        exif = Image.Exif()
        exif[0x010E] = secret
        file = io.BytesIO()
        tiles.save(file, "JPEG", exif=exif, comment=secret.encode())
        return f"{name}.jpg", file.getvalue(), "image/jpeg"

    # calls

    def ask(self, method: str, path: str, **named: object) -> httpx.Response:
        """The answer, after as many starts as it takes."""
        for _ in range(RETRIES):
            try:
                with self._killer():
                    answer = self.client.request(method, path, **named)  # type: ignore[arg-type]
            except httpx.TransportError:
                if self.server.process is not None:
                    raise
                self.server.start()
                continue
            if self.server.process is None:
                self.server.start()
            if answer.status_code in (429, 503):
                time.sleep(min(float(answer.headers.get("retry-after", 0.2)), 0.5))
                continue
            assert answer.status_code < 500, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
            return answer
        raise AssertionError(f"{method} {path} never had an answer")

    @contextmanager
    def _killer(self) -> Iterator[None]:
        """Kill the server during the call, if that is due."""
        after, self.kill_after = self.kill_after, None
        if after is None:
            yield
            return
        timer = threading.Timer(after, self.server.end)
        timer.start()
        try:
            yield
        finally:
            timer.join()  # also when the call was faster
            self.client.close()
            self.client = httpx.Client(base_url=self.server.url, timeout=CALL_SECONDS)
            self.kills += 1

    def expect(self, answer: httpx.Response, *statuses: int) -> httpx.Response:
        """The answer, if it has one of the statuses."""
        request = answer.request
        text = f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:300]}, not one of {statuses}"
        assert answer.status_code in statuses, text
        return answer

    # a draft's life

    def new_draft(self, photos: int, slow: bool) -> None:
        """Photos and a note become a draft."""
        word = self.word()
        note = f"{word} slowly" if slow else word
        files, kills = [("photos", self.photo()) for _ in range(photos)], self.kills
        body = self.expect(self.ask("POST", "/v1/drafts", files=files, data={"note": note}), 201).json()
        if self.kills > kills:
            self.orphaned.add(word)
        assert body["state"] == "ready"
        assert body["note"] == note
        self.world.drafts[body["id"]] = DraftModel(body["id"], [p["id"] for p in body["photos"]], [word])

    def hang_up(self, photos: int) -> None:
        """A draft whose seller goes away while it is written is stopped, and can be written again."""
        word = self.word()
        files = [("photos", self.photo()) for _ in range(photos)]
        data, headers = {"note": f"{word} slowly"}, {"Accept": "text/event-stream"}
        draft = ""
        with self.client.stream("POST", "/v1/drafts", files=files, data=data, headers=headers) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:") and '"id"' in line:
                    draft = line.split('"id": "')[1][:32]
                    break
        self._wait_for_end(draft)
        body = self.expect(self.ask("GET", f"/v1/drafts/{draft}"), 200).json()
        self.world.drafts[draft] = DraftModel(draft, [p["id"] for p in body["photos"]], [word], body["state"])

    def _wait_for_end(self, draft: str) -> dict[str, object]:
        until = time.monotonic() + CALL_SECONDS
        while time.monotonic() < until:
            body: dict[str, object] = self.expect(self.ask("GET", f"/v1/drafts/{draft}"), 200).json()
            if body["state"] not in ("queued", "working"):
                return body
            time.sleep(0.05)
        raise AssertionError("a draft never ended")

    def write_again(self, draft: DraftModel, tone: str, slow: bool) -> None:
        """Another text from the photos and the note as they are now."""
        word = self.word()
        data = {"tone": tone, "note": f"{word} slowly" if slow else word}
        answer = self.ask("POST", f"/v1/drafts/{draft.id}/write", json=data)
        if answer.status_code == 409:  # the killed call's draft is still open for a moment
            self._wait_for_end(draft.id)
            answer = self.ask("POST", f"/v1/drafts/{draft.id}/write", json=data)
        if not draft.photos:
            self.expect(answer, 422)
            return
        body = self.expect(answer, 200, 201).json()
        assert body["id"] == draft.id, "the draft has another id"
        assert body["state"] == "ready"
        draft.words.append(word)
        draft.state = "ready"

    def add_photo(self, draft: DraftModel) -> None:
        """One more photo, at the end."""
        answer = self.ask("POST", f"/v1/drafts/{draft.id}/photos", files=[("photos", self.photo())])
        if len(draft.photos) == 8:
            self.expect(answer, 422)
            return
        if answer.status_code not in (200, 201):  # the killed call went through: the photo is there already
            self.expect(answer, 409, 422)
        photos = [p["id"] for p in self.expect(self.ask("GET", f"/v1/drafts/{draft.id}"), 200).json()["photos"]]
        assert photos[: len(draft.photos)] == draft.photos
        assert len(photos) == len(draft.photos) + 1
        draft.photos = photos

    def set_photos(self, draft: DraftModel, order: list[int]) -> None:
        """Photos in another order, without those that are not named."""
        wanted = [draft.photos[n] for n in order]
        body = self.expect(self.ask("PUT", f"/v1/drafts/{draft.id}/photos", json={"photos": wanted}), 200).json()
        assert [p["id"] for p in body["photos"]] == wanted
        self.world.gone_photos.update(set(draft.photos) - set(wanted))
        draft.photos = wanted

    def delete_draft(self, draft: DraftModel) -> None:
        """Throw a draft away."""
        self.expect(self.ask("DELETE", f"/v1/drafts/{draft.id}"), 204, 404)
        self.world.forget(draft)
        del self.world.drafts[draft.id]

    def publish(self, draft: DraftModel, price: float | None) -> None:
        """Publish what is on the screen."""
        word = self.word()
        body = {"draft_id": draft.id, "title": f"hoodie {word}", "facts": {"size": word}}
        if price is not None:
            body["price"] = draft.price = price  # an edit of the draft, also when it is not ready yet
        key = f"key of {draft.id}"
        answer = self.ask("POST", "/v1/listings", json=body, headers={"Idempotency-Key": key})
        draft.words.append(word)
        if draft.state != "ready" or not draft.photos:
            self.expect(answer, 409, 422)
            return
        listing = self.expect(answer, 201).json()
        assert [p["id"] for p in listing["photos"]] == draft.photos, "other photos were published than were shown"
        self.world.listings[listing["id"]] = ListingModel(
            listing["id"], draft.id, key, draft.photos, f"hoodie {word}", draft.price, draft.words
        )
        del self.world.drafts[draft.id]

    # a listing's life

    def publish_again(self, listing: ListingModel) -> None:
        """The same wish again gives the same listing."""
        body = {"draft_id": listing.draft, "title": "never", "price": 1}
        again = self.ask("POST", "/v1/listings", json=body, headers={"Idempotency-Key": listing.key})
        assert self.expect(again, 201).json()["id"] == listing.id

    def edit(self, listing: ListingModel, price: float | None) -> None:
        """Another title and price."""
        word = self.word()
        changes = {"title": f"changed {word}", "price": price, "description": f"It has a hood. {word}"}
        self.expect(self.ask("PATCH", f"/v1/listings/{listing.id}", json=changes), 200)
        listing.title, listing.price = f"changed {word}", price
        listing.words.append(word)

    def set_status(self, listing: ListingModel, status: str) -> None:
        """Take it off, put it back, mark it as sold."""
        answer = self.ask("PATCH", f"/v1/listings/{listing.id}", json={"status": status})
        if answer.status_code == 409:
            assert self.world.standing(listing.id), f"refused although nobody bought it: {answer.text[:200]}"
            assert status in ("active", "reserved"), answer.text[:200]
            return
        self.expect(answer, 200)
        listing.status = status

    def sell_again(self, listing: ListingModel) -> None:
        """On sale again, one piece: never while an order stands and nothing is left."""
        answer = self.ask("PATCH", f"/v1/listings/{listing.id}", json={"status": "active", "stock": 1})
        if listing.stock == 0 and self.world.standing(listing.id):
            self.expect(answer, 409)
            return
        self.expect(answer, 200)
        listing.status, listing.stock = "active", 1

    def delete(self, listing: ListingModel) -> None:
        """Delete it; refused while somebody waits for it."""
        answer = self.ask("DELETE", f"/v1/listings/{listing.id}")
        if any(o.state == "open" for o in self.world.standing(listing.id)):
            self.expect(answer, 409)
            return
        self.expect(answer, 204, 404)
        self.world.forget(listing)
        del self.world.listings[listing.id]
        for order in self.world.orders.values():
            order.lines = [] if order.listing == listing.id else order.lines

    # orders

    def order(self, listing: ListingModel, buyer: str, offer: float | None) -> None:
        """Buy a piece at the price that is shown, or at another (``offer``)."""
        price = listing.price if offer is None else offer
        body = {"listing_id": listing.id, "buyer": buyer, "price": 1.0 if price is None else price}
        key = self.word()
        answer = self.ask("POST", "/v1/orders", json=body, headers={"Idempotency-Key": key})
        sold_out = listing.status != "active" or listing.stock == 0
        if sold_out or listing.price is None or price != listing.price:
            self.expect(answer, 404, 409, 422)
            return
        order = self.expect(answer, 201).json()
        assert order["amount"] == listing.price
        assert order["id"] not in self.world.orders
        self.world.orders[order["id"]] = OrderModel(order["id"], listing.id, listing.price)
        listing.stock -= 1
        if listing.stock == 0:
            listing.status = "sold"
        again = self.ask("POST", "/v1/orders", json=body, headers={"Idempotency-Key": key})
        assert self.expect(again, 201).json()["id"] == order["id"], "one wish made two orders"

    def refund(self, order: OrderModel) -> None:
        """The seller gives the money back."""
        self.expect(self.ask("POST", f"/v1/orders/{order.id}/refund"), 200)
        self._ends(order, "refunded", order.state in ("open", "completed"))

    def cancel(self, order: OrderModel) -> None:
        """The seller calls the sale off."""
        answer = self.ask("POST", f"/v1/orders/{order.id}/cancel")
        self.expect(answer, 409 if order.state == "completed" else 200)
        listing = self.world.listings.get(order.listing)
        if order.state == "open" and listing is not None:  # on sale again at once
            listing.status = "active" if (listing.status, listing.stock) == ("sold", 0) else listing.status
            listing.stock += 1
        self._ends(order, "cancelled", order.state == "open")

    def write(self, order: OrderModel) -> None:
        """A message to the buyer, while the listing is there."""
        word = self.word()
        answer = self.ask("POST", f"/v1/orders/{order.id}/messages", json={"text": word})
        listing = self.world.listings.get(order.listing)
        if listing is None or len(order.lines) - sum(map(order.lines.count, ("completed", *ENDED))) >= UNREAD:
            self.expect(answer, 404, 429)
            self.world.gone_words.add(word)
            return
        self.expect(answer, 201)
        listing.words.append(word)
        order.lines.append(word)

    def _ends(self, order: OrderModel, state: str, done: bool) -> None:
        if done:
            order.state = state
            if order.listing in self.world.listings:
                order.lines.append(state)

    def complete(self, order: OrderModel) -> None:
        """The piece was handed over."""
        answer = self.ask("POST", f"/v1/orders/{order.id}/complete")
        self.expect(answer, 409 if order.state in ENDED else 200)
        self._ends(order, "completed", order.state == "open")

    # the server's life

    def kill(self) -> None:
        """``kill -9`` while nothing is asked."""
        self.server.end()
        self.kills += 1
        self.server.start()

    def snapshot(self) -> World:
        """What is true now."""
        return copy.deepcopy(self.world)

    # what must be true

    def check(self) -> None:
        """Everything that the API says of drafts, listings, photos and orders is as expected."""
        shown = self.expect(self.ask("GET", "/v1/listings", params={"limit": 500}), 200).json()["listings"]
        there = {
            x["id"]: (x["title"], x["price"], x["stock"], x["status"], [p["id"] for p in x["photos"]]) for x in shown
        }
        expected = {x.id: (x.title, x.price, x.stock, x.status, x.photos) for x in self.world.listings.values()}
        differs = {i: (there.get(i), expected.get(i)) for i in there.keys() | expected.keys()}
        differs = {i: pair for i, pair in differs.items() if pair[0] != pair[1]}
        assert not differs, f"the API and the model differ: {differs}"
        for draft in self.world.drafts.values():
            body = self.expect(self.ask("GET", f"/v1/drafts/{draft.id}"), 200).json()
            assert [p["id"] for p in body["photos"]] == draft.photos
        placed = self.expect(self.ask("GET", "/v1/orders", params={"as": "seller", "limit": 500}), 200).json()["orders"]
        assert {o["id"]: (o["listing_id"], o["amount"], o["state"]) for o in placed} == {
            o.id: (o.listing, o.amount, o.state) for o in self.world.orders.values()
        }
        sold: dict[str, int] = {}
        for order in placed:
            if order["state"] not in ENDED:
                sold[order["listing_id"]] = sold.get(order["listing_id"], 0) + 1
        assert all(count == 1 for count in sold.values()), "one piece was sold twice"

    def check_lines(self) -> None:
        """Each message of a sale is there once, and what was done."""
        for order in self.world.orders.values():
            body = self.expect(self.ask("GET", f"/v1/orders/{order.id}/messages"), 200).json()
            assert [line["text"] for line in body["messages"]] == order.lines

    def check_photos(self) -> None:
        """Each photo can be seen, and none that was taken away."""
        items = [*self.world.drafts.values(), *self.world.listings.values()]
        for photo in {p for item in items for p in item.photos}:
            self.expect(self.ask("GET", f"/v1/photos/{photo}"), 200)
        for photo in list(self.world.gone_photos)[-20:]:
            self.expect(self.ask("GET", f"/v1/photos/{photo}"), 404)

    def wait_until_level(self, seconds: float = 60.0) -> None:
        """Until feed and index have followed and what is to go is gone."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = self.ask("GET", "/metrics").text
            if "ipl_index_outbox 0.0" in text:
                return
            time.sleep(0.1)
        raise AssertionError("feed and index never followed")
