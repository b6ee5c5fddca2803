"""The operator's page: why does this item stand here, and which model is off. Gradio around ``numbers``."""

from __future__ import annotations

import html
from typing import Any

# Gradio reads the annotations of its listeners at run time, so that it cannot be imported later than here.
import gradio as gr

from app.ops import charts as pictures
from app.ops import numbers
from app.ops.answers import answers
from app.ops.drift import drift_by_feature
from app.ops.html import cards, frame, picture, slate_table
from app.ops.impressions import impressions
from app.ops.tabs import PromotionsTab, ReviewsTab
from app.services import Services


def build_page(services: Services) -> gr.Blocks:
    """The page. It changes nothing but the review queue and the calendar of promotions, after a second look."""
    return _Page(services).blocks


class _Page:
    """Tabs, and what fills them when they are opened."""

    def __init__(self, services: Services) -> None:
        self.services = services
        with gr.Blocks(title="IPL operations", analytics_enabled=False) as self.blocks:
            gr.HTML("<div class='ops'><h1>IPL operations</h1></div>", apply_default_css=False)
            self.answers = gr.HTML("", elem_id="ops-answers", apply_default_css=False)
            with gr.Tabs():
                with gr.Tab("Feed", id="feed"):
                    self._feed()
                with gr.Tab("New listings", id="new") as new:
                    chart, table = _block(), self._table("new-listings")
                    new.select(self._new, None, [chart, table], show_progress="hidden")
                with gr.Tab("Review", id="reviews") as reviews:
                    ReviewsTab(services, reviews, self._table)
                with gr.Tab("Model health", id="models") as health:
                    self._health(health)
                with gr.Tab("Promotions", id="promotions") as calendar:
                    PromotionsTab(services, calendar, self._table)
                with gr.Tab("Listing assistant", id="assistant") as assistant:
                    table = self._table("assistant")
                    assistant.select(
                        lambda: frame(numbers.assistant(services.store)), None, table, show_progress="hidden"
                    )
            self.blocks.load(self._opened, None, [self.answers, self.visitor], show_progress="hidden")

    def _feed(self) -> None:
        with gr.Row(elem_id="ops-ask"):
            self.visitor = gr.Dropdown([], label="Visitor", allow_custom_value=True, elem_id="ops-visitor", scale=3)
            look = gr.Button("Show what they would see now", variant="primary", elem_id="ops-look", scale=1)
        text = gr.HTML("", elem_id="ops-said", apply_default_css=False)
        chart = _block()
        slate = gr.HTML("", elem_id="ops-slate", apply_default_css=False)
        outputs = [text, chart, slate]
        look.click(self._look, self.visitor, outputs, show_progress="minimal")
        self.visitor.input(self._look, self.visitor, outputs, show_progress="minimal")

    def _health(self, tab: gr.Tab) -> None:
        with gr.Row():
            days, reliable = _block(3), _block(2)
        tables = [self._table(name) for name in ("model-health", "models", "model-events", "drift-by-feature")]
        tab.select(self._models, None, [days, reliable, *tables], show_progress="hidden")

    def _table(self, name: str) -> gr.Dataframe:
        links = f"<a href='/ops/export/{name}.csv'>CSV</a> · <a href='/ops/export/{name}.json'>JSON</a>"
        title = name.replace("-", " ").capitalize()
        gr.HTML(f"<div class='ops table-head'><h2>{title}</h2><p>{links}</p></div>", apply_default_css=False)
        return gr.Dataframe(interactive=False, show_label=False, wrap=True, elem_classes=["ops-table"], max_height=460)

    def _opened(self) -> tuple[str, Any]:
        store, feed = self.services.store, self.services.feed
        names = numbers.visitors(store, feed)
        chosen = gr.update(choices=names, value=names[0] if names else None)
        return cards(answers(store, feed, self.services.promotions)), chosen

    def _look(self, visitor: str | None) -> tuple[str, str, str]:
        name = (visitor or "").strip()[:64]
        if not name:
            return "<div class='ops'><p>Choose a visitor, or write a name.</p></div>", "", ""
        slate, listings = self.services.feed.explain(name, 20)
        titles = {n: x.title for n, x in listings.items()}
        titles |= self.services.feed.posts.titles([s.post.post_id for s in slate.posts])
        table = numbers.feed_table(slate, titles, {n: x.category for n, x in listings.items()})
        simple = [role.replace("_", "-") for role in slate.degraded]
        models = ", ".join(f"{role.replace('_', '-')}: {by}" for role, by in slate.models.items())
        without = f" Without a model of its own: {', '.join(simple)}." if simple else ""
        text = f"<div class='ops'><p>{html.escape(models)}.{html.escape(without)}</p></div>"
        return text, picture(pictures.funnel(slate.counts, slate.ms)), slate_table(table)

    def _new(self) -> tuple[str, Any]:
        table = numbers.new_listings(self.services.store)
        return picture(pictures.first_impressions(table)), frame(table)

    def _models(self) -> tuple[Any, ...]:
        store, feed = self.services.store, self.services.feed
        seen = impressions(store)
        health = numbers.model_health(seen)
        tables = (health, numbers.models(feed), numbers.model_events(feed), drift_by_feature(store, feed))
        return picture(pictures.by_day(health)), picture(pictures.reliability(seen)), *(frame(t) for t in tables)


def _block(scale: int = 1) -> gr.HTML:
    """A place for a picture. Gradio's own plot, while it is empty, is announced wrongly to screen readers."""
    with gr.Column(scale=scale, min_width=280):
        return gr.HTML("", apply_default_css=False)
