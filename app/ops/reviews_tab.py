"""The review queue's tab of the operator's page: listings whose words need a person, one of them at a time.

A listing is looked at first; what is decided then holds for the version that was shown.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

# Gradio reads the annotations of its listeners at run time, so that it cannot be imported later than here.
import gradio as gr

from app.market.reviews import REASON_LENGTH, WaitingListing
from app.ops.html import frame
from app.ops.numbers import review_queue
from app.services import Services
from app.views import AppError


class ReviewsTab:
    """Builds the tab inside of a ``gr.Tab``.

    Args:
        table: makes an exporting table of a name.
    """

    def __init__(self, services: Services, tab: gr.Tab, table: Callable[[str], gr.Dataframe]) -> None:
        self.services = services
        with gr.Row():
            number = gr.Textbox(label="Listing", max_length=64, elem_id="ops-review-listing")
            look = gr.Button("Look at it first", elem_id="ops-review-look")
        text = gr.HTML("", elem_id="ops-review-said", apply_default_css=False)
        with gr.Row(visible=False) as decision:
            reason = gr.Textbox(
                label="Reason for refusing it, which the seller reads", max_length=REASON_LENGTH,
                elem_id="ops-review-reason",
            )  # fmt: skip
            approve = gr.Button("Approve", variant="primary", elem_id="ops-review-approve")
            refuse = gr.Button("Refuse", elem_id="ops-review-refuse")
        seen: gr.State = gr.State(None)
        queue = table("reviews")
        after = [text, decision, seen, queue]
        look.click(self._look, [number], after[:3], show_progress="hidden")
        approve.click(self._approve, [seen], after, show_progress="hidden")
        refuse.click(self._refuse, [seen, reason], after, show_progress="hidden")
        tab.select(self._queue, None, queue, show_progress="hidden")

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
