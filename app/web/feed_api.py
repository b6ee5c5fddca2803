"""The feed in the REST API: pages, events, orders, ads. Thin layers over ``app.feed`` and ``app.market.orders``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, cast

from fastapi import APIRouter, File, Form, Header, Query, UploadFile
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from app.accounts.sellers import Seller
from app.market.messages import Conversation, Line, Message, count_buyers_news, count_news
from app.market.orders import Order, Role
from app.market.posts import TOPICS, PostView
from app.routing import ERRORS, Body, Deps, Id, Who, one_of, place_order
from app.services import Services
from app.views import AppError
from listing.intake.photos import intake
from listing.schema import Listing

Reason = Literal["ranked", "exploration", "ad", "post"]
Text32 = Annotated[str, Field(max_length=64)]


class PostPage(Body):
    """Posts, newest first."""

    posts: list[PostView]


class FeedPlace(Body):
    """An item or a post on the page."""

    position: int
    listing: Annotated[Listing | None, Field(description="The item; null where there is a post.")] = None
    post: Annotated[PostView | None, Field(description="The post, where one stands.")] = None
    reason: Reason = Field(description="An ad is shown because its seller pays.")
    pctr: float = Field(description="Predicted probability of a click.")


class FeedBody(Body):
    """A page. Send back its ``id`` with the events on it."""

    id: str
    places: list[FeedPlace]
    models: dict[str, str] = Field(description="What scored, by stage.")
    degraded: list[str] = Field(description="Stages in which a simpler way had to do.")


class Event(Body):
    """Something that happened on a page."""

    kind: Literal["impression", "click", "cart"]
    page_id: Text32
    listing_id: Text32 = Field("", description="On which item,")
    post_id: Text32 = Field("", description="or on which post; one of the two.")


class EventsBody(Body):
    """Up to 500 events of one visitor."""

    visitor: Text32 = Field("", description="Whose; default: the one who asks.")
    events: list[Event] = Field(max_length=500)


class EventsTaken(Body):
    """How many of the events were new; repeated ones count once."""

    new: int


class OrderBody(Body):
    """A wish to buy."""

    listing_id: Text32
    price: float | None = Field(
        None, allow_inf_nan=False, description="The price that the buyer saw; only a repeated key goes without it."
    )
    currency: str = Field("", max_length=3, description="Its currency; default: the listing's.")
    buyer: Text32 = Field("", description="Who buys; default: the one who asks.")
    page_id: Text32 = Field("", description="The page of the feed that led here.")


class OrderPage(Body):
    """Orders, the newest first."""

    orders: list[Order]


class TextBody(Body):
    """Words for the other side, or for the operators."""

    text: str = Field(max_length=10_000, description="Plain text; contact data are taken out.")


class Question(Body):
    """A question about a listing. Others see it once it is answered."""

    id: str
    listing_id: str
    text: str
    answer: str | None
    at: datetime
    answered_at: datetime | None
    mine: bool = Field(description="Whether the one who reads it asked it.")
    taken_out: tuple[str, ...] = Field((), description="Contact data that were in what was just sent.")

    @classmethod
    def of(cls, message: Message, who: str) -> Question:
        """The question as ``who`` sees it: not whose it is."""
        same = {name: getattr(message, name) for name in cls.model_fields.keys() - {"mine"}}
        return cls(mine=message.sender == who, **same)


class QuestionPage(Body):
    """Questions, the oldest first."""

    questions: list[Question]


class News(Body):
    """What waits for somebody: orders to hand over, open questions, new messages and what the other side did."""

    selling: int
    buying: int


class AdBody(Body):
    """A bid for a click, in the listing's currency; 0 ends the ad."""

    bid: float = Field(ge=0, le=1_000, allow_inf_nan=False)


Key = Annotated[str, Header(max_length=200, description="The same key again: the same one.")]
v1_feed = APIRouter(prefix="/v1", tags=["feed"], responses=ERRORS)


def acting_for(services: Services, who: Seller, named: str) -> str:
    """The id under which a visitor acts: one's own; in the single-user mode anybody may be played."""
    if not named or named in ("me", who.id, who.name):
        return who.id
    if services.sellers.single:
        return named
    raise AppError("not_yours", "A token acts for its owner alone; leave the visitor out.", 403)


@v1_feed.get("/feed/{user}")
def feed_page(
    services: Deps, seller: Who, user: Id, size: Annotated[int, Query(ge=1, le=50, description="Places.")] = 20
) -> FeedBody:
    """A page for a visitor: `me`, or one's own id. Report what was seen and clicked to /v1/events."""
    page = services.feed.page(acting_for(services, seller, user), size)
    places = [
        FeedPlace(position=p.position, listing=p.listing, post=p.post, reason=cast(Reason, p.reason), pctr=p.pctr)
        for p in page.places
    ]
    return FeedBody(id=page.id, places=places, models=page.slate.models, degraded=list(page.slate.degraded))


@v1_feed.post("/events")
def events(services: Deps, seller: Who, body: EventsBody) -> EventsTaken:
    """What was seen, clicked, put into a cart. All of the events are taken, or none."""
    visitor = acting_for(services, seller, body.visitor)
    reported = [(e.kind, e.page_id, e.listing_id, e.post_id) for e in body.events]
    return EventsTaken(new=services.feed.events(visitor, reported))


@v1_feed.post("/posts", status_code=201)
async def publish_post(
    services: Deps,
    seller: Who,
    photo: Annotated[UploadFile, File(description="One photo: JPEG, PNG, WebP or HEIC.")],
    title: Annotated[str, Form(description="One line.")],
    text: Annotated[str, Form(description="Plain text; contact data are taken out.")],
    category: Annotated[str, Form(description="Of what it is about.")],
    topic: Annotated[str, Form(description=f"One of {', '.join(TOPICS)}.")],
    idempotency_key: Key = "",
) -> PostView:
    """Publish a post: a short text or guide with a photo, which stands in the feed until it is withdrawn."""
    taken = await run_in_threadpool(intake, [await photo.read()])
    wish = (seller.id, taken[0], title, text, category, topic, idempotency_key)
    return await run_in_threadpool(services.posts.publish, *wish)


@v1_feed.get("/posts")
def my_posts(services: Deps, seller: Who) -> PostPage:
    """Own posts, newest first."""
    return PostPage(posts=services.posts.mine(seller.id))


@v1_feed.delete("/posts/{post_id}", status_code=204)
def withdraw_post(services: Deps, seller: Who, post_id: Id) -> None:
    """Withdraw an own post: it is deleted with its photo."""
    services.posts.withdraw(seller.id, post_id)


@v1_feed.post("/orders", status_code=201)
def order(services: Deps, seller: Who, body: OrderBody, idempotency_key: Key = "") -> Order:
    """Buy one piece at the price that was seen. Of two buyers at the same time, one gets it and the other a 409."""
    buyer = acting_for(services, seller, body.buyer)
    quoted = {"price": body.price, "currency": body.currency}
    return place_order(services, buyer, body.listing_id, idempotency_key, body.page_id, **quoted)


@v1_feed.get("/orders")
def my_orders(
    services: Deps,
    seller: Who,
    role: Annotated[Role | None, Query(alias="as", description="As whom; default: both.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> OrderPage:
    """Own orders: those that one placed and those that one received, newest first."""
    return OrderPage(orders=services.orders.mine(seller.id, role, limit))


@v1_feed.get("/orders/{order_id}")
def get_order(services: Deps, seller: Who, order_id: Id) -> Order:
    """An order that one placed or received."""
    return services.orders.get(seller.id, order_id)


@v1_feed.get("/orders/{order_id}/messages")
def conversation(
    services: Deps,
    seller: Who,
    order_id: Id,
    read: Annotated[bool, Query(description="Whether what was new counts as read.")] = True,
) -> Conversation:
    """What buyer and seller wrote and did, the oldest first."""
    return services.messages.conversation(seller.id, order_id, read=read)


@v1_feed.post("/orders/{order_id}/messages", status_code=201)
def write(services: Deps, seller: Who, order_id: Id, body: TextBody) -> Line:
    """Write to the other side of an order. The same words again, with none between, are the same message."""
    return services.messages.write(seller.id, order_id, body.text)


@v1_feed.post("/orders/{order_id}/report", status_code=204)
def report(services: Deps, seller: Who, order_id: Id, body: TextBody) -> None:
    """Tell the operators what is wrong with the other side; its last message is quoted."""
    services.messages.report_order(seller.id, order_id, body.text)


@v1_feed.post(f"/orders/{{order_id}}/{{step:{one_of('step', ['complete', 'refund', 'cancel'])}}}")
def step(services: Deps, seller: Who, order_id: Id, step: Literal["complete", "refund", "cancel"]) -> Order:
    """What becomes of an order; asking again changes nothing.

    `complete`: its seller has handed the piece over. `refund`: its seller takes it back, also one that was handed over.
    `cancel`: buyer or seller calls the sale off, until it was handed over.
    """
    orders = services.orders
    act = {"complete": orders.complete, "refund": orders.refund, "cancel": orders.cancel}[step]
    return act(seller.id, order_id)


@v1_feed.put("/orders/{order_id}/block", status_code=204)
def block(services: Deps, seller: Who, order_id: Id) -> None:
    """No message, question or order of the other side any more. An order that stands can still be handed over."""
    services.messages.block(seller.id, order_id, True)


@v1_feed.delete("/orders/{order_id}/block", status_code=204)
def unblock(services: Deps, seller: Who, order_id: Id) -> None:
    """The other side may write, ask and buy again."""
    services.messages.block(seller.id, order_id, False)


@v1_feed.post("/listings/{listing_id}/questions", status_code=201)
def ask(services: Deps, seller: Who, listing_id: Id, body: TextBody) -> Question:
    """Ask the seller of a public listing. The same words again, while there is no answer, are the same question."""
    return Question.of(services.messages.ask(seller.id, listing_id, body.text), seller.id)


@v1_feed.get("/listings/{listing_id}/questions")
def questions(services: Deps, seller: Who, listing_id: Id) -> QuestionPage:
    """Questions about a listing: of an own one all, of another's the answered ones and one's own."""
    if services.listings.visible(seller.id, listing_id).seller_id == seller.id:
        asked = services.messages.of_listings([listing_id]).get(listing_id, [])
    else:
        asked = services.messages.visible(listing_id, seller.id)
        services.messages.read_answers(seller.id, listing_id)
    return QuestionPage(questions=[Question.of(m, seller.id) for m in sorted(asked, key=lambda m: (m.at, m.id))])


@v1_feed.put("/questions/{question_id}/answer")
def answer(services: Deps, seller: Who, question_id: Id, body: TextBody) -> Question:
    """Answer a question about an own listing, or answer it anew. Everybody can read both then."""
    return Question.of(services.messages.answer(seller.id, question_id, body.text), seller.id)


@v1_feed.get("/news")
def news(services: Deps, seller: Who) -> News:
    """How much waits for one, as the heads of the pages count it."""
    store = services.store
    return News(selling=count_news(store, seller.id), buying=count_buyers_news(store, seller.id))


@v1_feed.put("/listings/{listing_id}/ad", status_code=204)
def ad(services: Deps, seller: Who, listing_id: Id, body: AdBody) -> None:
    """Advertise an own listing, or stop doing so."""
    services.feed.place_ad(seller.id, listing_id, body.bid)
    services.outbox.follow()
