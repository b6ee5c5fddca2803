"""The two tabs in which an operator changes something: the review queue and the calendar of promotions.

Nothing changes at the first press: it shows what is meant, and the second one does it.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

# Gradio reads the annotations of its listeners at run time, so that it cannot be imported later than here.
import gradio as gr

from app.market.promotions import MAX_DAYS, Promotion, day_number, read_date, today
from app.market.reviews import REASON_LENGTH, WaitingListing
from app.ops.html import frame
from app.ops.numbers import promotions, review_queue
from app.ops.numbers import reports as reported
from app.services import Services
from app.views import AppError

MakeTable = Callable[[str], gr.Dataframe]
"""Makes an exporting table of a name."""


class ReviewsTab:
    """Listings whose words need a person, one at a time; a decision holds for the version that was shown."""

    def __init__(self, services: Services, tab: gr.Tab, table: MakeTable) -> None:
        self.services = services
        with gr.Row():
            number = gr.Textbox(label="Listing", max_length=64, elem_id="ops-review-listing")
            look = gr.Button("Look at it first", elem_id="ops-review-look")
            hold = gr.Button("Take it off sale to look at it", elem_id="ops-review-hold")
        text = gr.HTML("", elem_id="ops-review-said", apply_default_css=False)
        with gr.Row(visible=False) as decision:
            reason = gr.Textbox(
                label="Reason for refusing it, which the seller reads", max_length=REASON_LENGTH,
                elem_id="ops-review-reason",
            )  # fmt: skip
            approve = gr.Button("Approve", variant="primary", elem_id="ops-review-approve")
            refuse = gr.Button("Refuse", elem_id="ops-review-refuse")
        seen: gr.State = gr.State(None)
        queue, reports = table("reviews"), table("reports")
        after = [text, decision, seen, queue]
        hold.click(self._hold, [number], after, show_progress="hidden")
        look.click(self._look, [number], after[:3], show_progress="hidden")
        approve.click(self._approve, [seen], after, show_progress="hidden")
        refuse.click(self._refuse, [seen, reason], after, show_progress="hidden")
        tab.select(self._queue, None, queue, show_progress="hidden")
        tab.select(self._reports, None, reports, show_progress="hidden")

    def _hold(self, number: str) -> tuple[Any, ...]:
        try:
            self.services.reviews.pull((number or "").strip())
        except AppError as error:
            return *self._said(str(error)), self._queue()
        return *self._look(number), self._queue()

    def _look(self, number: str) -> tuple[Any, ...]:
        try:
            waiting = self.services.reviews.one((number or "").strip())
        except AppError as error:
            return self._said(str(error))
        return _card(waiting), gr.update(visible=True), (waiting.listing_id, waiting.version)

    def _approve(self, seen: Any) -> tuple[Any, ...]:
        return self._decide(seen, self.services.reviews.approve, "It is live.")

    def _refuse(self, seen: Any, reason: str) -> tuple[Any, ...]:
        refuse = self.services.reviews.refuse
        return self._decide(seen, lambda id_, version: refuse(id_, version, reason or ""), "It is refused.")

    def _decide(self, seen: Any, decide: Callable[[str, int], None], done: str) -> tuple[Any, ...]:
        if not isinstance(seen, list | tuple) or len(seen) != 2:
            return *self._said("Look at it first."), self._queue()
        try:
            decide(str(seen[0]), int(seen[1]))
        except AppError as error:
            again = (gr.update(visible=True), seen) if error.code == "no_reason" else (gr.update(visible=False), None)
            return _message(str(error)), *again, self._queue()
        return *self._said(done), self._queue()

    def _queue(self) -> Any:
        return frame(review_queue(self.services.reviews))

    def _reports(self) -> Any:
        return frame(reported(self.services.messages))

    def _said(self, words: str) -> tuple[Any, ...]:
        return _message(words), gr.update(visible=False), None


def _message(words: str) -> str:
    return f"<div class='ops' role='status'><p>{html.escape(words)}</p></div>"


def _card(waiting: WaitingListing) -> str:
    """The whole listing in words, with those that weighed most."""
    facts = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in waiting.attributes.items())
    photos = f"{waiting.photos} photo{'' if waiting.photos == 1 else 's'}"
    lines = (
        f"{waiting.category}, {photos}, seller {waiting.seller_id}",
        waiting.description,
        facts,
        f"May be {waiting.name}: {', '.join(waiting.words)}",
    )
    rest = "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)
    return f"<div class='ops' role='status'><h2>{html.escape(waiting.title)}</h2>{rest}</div>"


class PromotionsTab:
    """What is declared, what scores on its days, and a form."""

    def __init__(self, services: Services, tab: gr.Tab, table: MakeTable) -> None:
        self.services = services
        with gr.Row():
            name = gr.Textbox(label="Name of a new promotion", max_length=64, elem_id="ops-promotion-name")
            first = gr.Textbox(label="First day (UTC), such as 2026-11-27", max_length=10, elem_id="ops-promotion-day")
            days = gr.Number(2, label="Days", precision=0, minimum=1, maximum=MAX_DAYS, elem_id="ops-promotion-days")
            look = gr.Button("Look at it first", elem_id="ops-promotion-look")
        with gr.Row():
            number = gr.Textbox(label="Number of one to take off", max_length=9, elem_id="ops-promotion-number")
            drop = gr.Button("Look at it first", elem_id="ops-promotion-drop")
        text = gr.HTML("", elem_id="ops-promotion-said", apply_default_css=False)
        sure = gr.Button("Do it", variant="primary", visible=False, elem_id="ops-promotion-sure")
        wish: gr.State = gr.State(None)
        shown = table("promotions")
        look.click(self._look, [name, first, days], [text, sure, wish], show_progress="hidden")
        drop.click(self._drop, [number], [text, sure, wish], show_progress="hidden")
        sure.click(self._do, [wish], [text, sure, wish, shown], show_progress="hidden")
        tab.select(self._calendar, None, shown, show_progress="hidden")

    def _look(self, name: str, first: str, days: float | None) -> tuple[Any, ...]:
        try:
            promotion = self.services.promotions.checked(name or "", read_date(first or ""), int(days or 0))
        except AppError as error:
            return self._said(str(error))
        return self._said(
            f"{_words(promotion)} would be declared.",
            ("declare", promotion.name, str(promotion.first_day), promotion.days),
        )

    def _drop(self, number: str) -> tuple[Any, ...]:
        known = {str(p.id): p for p in self.services.promotions.calendar().promotions}
        promotion = known.get((number or "").strip())
        if promotion is None:
            return self._said("There is no promotion of that number.")
        return self._said(f"{_words(promotion)} would be taken off the calendar.", ("withdraw", promotion.id))

    def _do(self, wish: Any) -> tuple[Any, ...]:
        try:
            done = self._done(wish)
        except AppError as error:
            done = str(error)
        return *self._said(done), self._calendar()

    def _calendar(self) -> Any:
        return frame(promotions(self.services.feed, self.services.promotions.calendar()))

    def _done(self, wish: Any) -> str:
        if not isinstance(wish, list | tuple) or not wish:
            return "Look at it first."
        if wish[0] == "withdraw":
            return f"{_words(self.services.promotions.withdraw(int(wish[1])))} is off the calendar."
        promotion = self.services.promotions.declare(str(wish[1]), read_date(str(wish[2])), int(wish[3]))
        return f"{_words(promotion)} is declared, as number {promotion.id}."

    def _said(self, words: str, wish: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
        return _message(words), gr.update(visible=wish is not None), wish


def _words(promotion: Promotion) -> str:
    wait = promotion.numbers[0] - day_number(today())
    until = f", {promotion.state(today())}" if wait <= 0 else f", in {wait} day{'s' * (wait > 1)}"
    span = str(promotion.first_day) if promotion.days == 1 else f"{promotion.first_day} to {promotion.last_day}"
    return f"“{promotion.name}” ({span}{until})"
