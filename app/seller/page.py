"""The seller's page: Gradio blocks around the templates, and which press goes where. The work is in the actions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Gradio reads the annotations of its listeners at run time, so that it cannot be imported later than here.
import gradio as gr

from app.accounts.sellers import Seller
from app.editing.edits import NOTE_LENGTH
from app.seller.actions import Actions
from app.seller.draft_part import render
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.services import Services
from app.theme import script
from app.views import AppError

LOOK_SECONDS, LINE_SECONDS = 0.2, 1.0  # between two looks at a draft: while it is written, while it waits in line
MAX_SESSIONS = 256  # of everybody; the one that was used longest ago goes
NOTE_HINT = "Flaws, why you sell it, how it fits. Your words are kept exactly as you write them."


@contextmanager
def _shown_as_error() -> Iterator[None]:
    """Turns what cannot be done now, such as all while the store is away, into an error at what was pressed."""
    try:
        yield
    except AppError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _show_all(actions: Actions) -> None:
    actions.session.sent.clear()


class _Blocks(gr.Blocks):
    """Blocks whose pages hold no connection open; Gradio's would, to hear when a page is closed."""

    def get_config_file(self) -> Any:
        return {**super().get_config_file(), "connect_heartbeat": False}


class SellerPage:
    """Blocks and events of one page; what a seller has on the table is in each session's ``Desk``.

    ``sign_out``: where its link leads; None in the single-user mode. Set GRADIO_TEMP_DIR before Gradio is imported.
    """

    def __init__(self, services: Services, sign_out: str | None) -> None:
        self.services, self.renderer = services, PageRenderer(services, sign_out)
        js = script("seller")

        def block(name: str, value: str = "") -> Any:
            return gr.HTML(value, elem_id=f"ipl-{name}", js_on_load=js, apply_default_css=False)

        with _Blocks(title="IPL", analytics_enabled=False) as self.blocks:
            self.blocks.state_session_capacity = MAX_SESSIONS
            self.session = gr.State(SellerSession(), time_to_live=6 * 3600)
            self.clock = gr.Timer(LOOK_SECONDS, active=False)  # ticks while a draft is written and the tab is in view
            self.top = block("top", "")
            with gr.Column(elem_id="ipl-sell"):
                with gr.Column(elem_id="ipl-left"):
                    title = "<div class='ipl'><h1>What are you selling?</h1></div>"
                    gr.HTML(title, elem_id="ipl-title", apply_default_css=False)
                    self.add = gr.UploadButton("Add photos", file_count="multiple", elem_id="ipl-add", type="filepath")
                    self.photos = block("photos")
                with gr.Column(elem_id="ipl-right"):
                    self.status = block("status")
                    self.draft = block("draft")
                with gr.Column(elem_id="ipl-more"):
                    self.note = gr.Textbox(
                        label="Anything a buyer should know?",
                        info=NOTE_HINT,
                        lines=2,
                        max_lines=6,
                        max_length=NOTE_LENGTH,
                        elem_id="ipl-note",
                    )
                    self.frame = block("frame")
            with gr.Column(elem_id="ipl-mine"):
                gr.HTML("<div class='ipl'><h1>My listings</h1></div>", apply_default_css=False)
                with gr.Row(elem_id="ipl-search"):
                    self.find = block("find")
                    self.find_photo = gr.UploadButton(
                        "Find by photo", elem_id="ipl-find-photo", type="filepath", scale=1
                    )
                self.notices = block("told")
                self.mine = block("mine")
            self.more_photos = gr.UploadButton(
                "More photos", file_count="multiple", elem_id="ipl-more-photos", type="filepath"
            )
            self._wire()

    def _wire(self) -> None:
        blocks = (self.top, self.photos, self.status, self.draft, self.notices, self.mine, self.find, self.frame)
        # Each event is one short call: nothing stays open that a network could cut, or that other tabs would wait for.
        once: dict[str, Any] = {
            "outputs": [*blocks, self.note, self.clock],
            "show_progress": "hidden",
            "api_visibility": "private",
            "queue": False,
        }
        each = {**once, "trigger_mode": "multiple"}
        self.blocks.load(self.enter, self.session, **each)
        self.add.upload(self.take, [self.session, self.add], **each)
        self.more_photos.upload(self.take_more, [self.session, self.more_photos], **each)
        self.find_photo.upload(self.look, [self.session, self.find_photo], **each)
        self.note.blur(self.keep_note, [self.session, self.note], **each)
        self.clock.tick(self.watch, self.session, **once)
        for html in blocks:
            html.act(self.press, self.session, **each)
            html.run(self.run, [self.session, self.note], **each)

    def _seller(self, request: gr.Request) -> Seller:
        with _shown_as_error():
            return self.services.sellers.for_page(getattr(request, "username", None))

    def _paint(self, session: SellerSession, seller: Seller, whole: bool) -> list[Any]:
        """Values for all outputs; what the page shows already is not sent again.

        Answers reach the browser in any order, so that each value begins with the number of its painting: the browser
        keeps the highest. Not whole: what writing changes, until its end.
        """
        # Asked first: the thread that writes may end meanwhile, and then a tick has to show the end.
        busy = session.busy
        with _shown_as_error():
            fresh = self._fresh(session, seller, whole or not busy)
        session.painted = max(session.painted + 1, time.time_ns() // 1000)  # also higher than before a restart
        values = []
        for name, value in fresh.items():
            same = session.sent.get(name) == value
            session.sent[name] = value
            values.append(gr.skip() if same else f"<!--{session.painted}-->{value}")
        note, session.note = session.note, None
        pace = LINE_SECONDS if session.view is not None and session.view.state == "queued" else LOOK_SECONDS
        clock = f"{busy} {pace}"
        same = session.sent.get("clock") == clock
        session.sent["clock"] = clock
        return [*values, gr.skip() if note is None else note, gr.skip() if same else gr.Timer(pace, active=busy)]

    def _fresh(self, session: SellerSession, seller: Seller, whole: bool) -> dict[str, str | None]:
        renderer, sent = self.renderer, session.sent
        draw_mine = whole and session.page == "mine"
        return {
            "top": renderer.top(session, seller.id, seller.name) if whole else sent.get("top"),
            "photos": renderer.photos(session) if whole else sent.get("photos"),
            "status": renderer.status(session) if session.page == "sell" else "",
            "draft": renderer.draft(session, seller.id),
            "told": renderer.status(session) if session.page == "mine" else "",
            "mine": renderer.mine(session, seller.id) if draw_mine else sent.get("mine", ""),
            "find": render("find", text=session.find_text),
            "frame": renderer.frame(session),
        }

    def _do(self, session: SellerSession, request: gr.Request, act: Callable[[Actions], object]) -> list[Any]:
        """Act for whoever is signed in, on their session; then what the page shows of it."""
        seller = self._seller(request)
        session = session.of(seller.id)
        with session.lock:
            actions, fresh = Actions(self.services, seller.id, session), not session.sent
            if fresh and session.view is None:  # opened at an address, or the server was started again below the page
                actions.enter(getattr(request, "query_params", {}))
                session.note = session.note if act is _show_all else None  # else it stands where it was typed
            act(actions)
            return self._paint(session, seller, whole=fresh or act is not Actions.look)

    def enter(self, session: SellerSession, request: gr.Request) -> list[Any]:
        """A page was opened, or asks for all that it shows."""
        return self._do(session, request, _show_all)

    def watch(self, session: SellerSession, request: gr.Request) -> list[Any]:
        """News of a draft that is being written."""
        return self._do(session, request, Actions.look)

    def take(self, session: SellerSession, files: Sequence[str] | None, request: gr.Request) -> list[Any]:
        """Photos were chosen, dropped or pasted."""
        return self._do(session, request, lambda actions: actions.add_photos(files or ()))

    def keep_note(self, session: SellerSession, note: str, request: gr.Request) -> list[Any]:
        """The field of the note was left."""
        return self._do(session, request, lambda actions: actions.keep_note(note))

    def take_more(self, session: SellerSession, files: Sequence[str] | None, request: gr.Request) -> list[Any]:
        """Further photos of a published listing were chosen."""
        return self._do(session, request, lambda actions: actions.add_to_listing(files or ()))

    def look(self, session: SellerSession, file: str | None, request: gr.Request) -> list[Any]:
        """A photo to search own listings by."""
        return self._do(session, request, lambda actions: actions.look_for(file))

    def press(self, session: SellerSession, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Anything short."""
        return self._do(session, request, lambda actions: actions.press(event._data))

    def run(self, session: SellerSession, note: str, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Write my listing, or write it again: another tone or category."""
        return self._do(session, request, lambda actions: actions.write({**event._data, "note": note}))
