"""The seller's page: Gradio blocks around the templates, and which event goes where. The work is in the actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Gradio reads the annotations of its listeners at run time, so that it cannot be imported later than here.
import gradio as gr

from app.editing.edits import NOTE_LENGTH
from app.seller.actions import Actions
from app.seller.renderer import PageRenderer
from app.seller.session import SellerSession
from app.services import Services
from app.views import AppError

LOOK_SECONDS, LINE_SECONDS = 0.2, 1.0  # between two looks at a draft: while it is written, while it waits in line
MAX_SESSIONS = 256  # of everybody; the one that was used longest ago goes
NOTE_HINT = "Flaws, why you sell it, how it fits. Your words are kept exactly as you write them."
JOIN = "window.iplJoin(element, (press) => trigger('act', press), watch)"  # static/seller.js


@contextmanager
def _shown_as_error() -> Iterator[None]:
    """Turns what cannot be done now, such as all while the store is away, into an error at what was pressed."""
    try:
        yield
    except AppError as error:
        raise gr.Error(str(error), print_exception=False) from error


class _Blocks(gr.Blocks):
    """Blocks whose pages hold no connection open; Gradio's would, to hear when a page is closed."""

    def get_config_file(self) -> Any:
        return {**super().get_config_file(), "connect_heartbeat": False}


class SellerPage:
    """Blocks and events of one page; what a seller has on the table is in each page's ``SellerSession``.

    ``sign_out``: where its link leads; None in the single-user mode. Set GRADIO_TEMP_DIR before Gradio is imported.
    """

    def __init__(self, services: Services, sign_out: str | None) -> None:
        self.services, self.renderer = services, PageRenderer(services, sign_out)
        self.html: dict[str, Any] = {}
        with _Blocks(title="IPL", analytics_enabled=False) as self.blocks:
            self.blocks.state_session_capacity = MAX_SESSIONS
            self.session = gr.State(SellerSession(), time_to_live=6 * 3600)
            self.clock = gr.Timer(LOOK_SECONDS, active=False)  # ticks while a draft is written and the tab is in view
            self._block("top")
            with gr.Column(elem_id="ipl-sell"):
                with gr.Column(elem_id="ipl-left"):
                    title = "<div class='ipl'><h1>What are you selling?</h1></div>"
                    gr.HTML(title, elem_id="ipl-title", apply_default_css=False)
                    add = self._upload("Add photos", "add", file_count="multiple")
                    self._block("photos")
                with gr.Column(elem_id="ipl-right"):
                    self._block("status")
                    self._block("draft")
                with gr.Column(elem_id="ipl-more"):
                    self.note = gr.Textbox(
                        label="Anything a buyer should know?",
                        info=NOTE_HINT,
                        lines=2,
                        max_lines=6,
                        max_length=NOTE_LENGTH,
                        elem_id="ipl-note",
                    )
                    self._block("frame")
            with gr.Column(elem_id="ipl-mine"):
                gr.HTML("<div class='ipl'><h1>My listings</h1></div>", apply_default_css=False)
                with gr.Row(elem_id="ipl-search"):
                    self._block("find")
                    find_photo = self._upload("Find by photo", "find-photo", scale=1)
                self._block("notices")
                self._block("mine")
            more = self._upload("More photos", "more-photos", file_count="multiple")
            # Each event is one short call: nothing stays open that a network could cut, or other tabs would wait for.
            once: dict[str, Any] = {
                "outputs": [*self.html.values(), self.note, self.clock],
                "show_progress": "hidden",
                "api_visibility": "private",
                "queue": False,
            }
            each = {**once, "trigger_mode": "multiple"}
            self.blocks.load(self.enter, self.session, **each)
            self.clock.tick(self.watch, self.session, **once)
            for html in self.html.values():
                html.act(self.press, self.session, **each)
            for happens, field, act in (
                (add.upload, add, Actions.add_photos),
                (more.upload, more, Actions.add_to_listing),
                (find_photo.upload, find_photo, Actions.find_by_photo),
                (self.note.blur, self.note, Actions.keep_note),
            ):
                happens(self.listener(act), [self.session, field], **each)

    def _block(self, name: str) -> None:
        """A part of the page that is drawn from the template of that name."""
        self.html[name] = gr.HTML("", elem_id=f"ipl-{name}", js_on_load=JOIN, apply_default_css=False)

    @staticmethod
    def _upload(label: str, name: str, **options: Any) -> gr.UploadButton:
        return gr.UploadButton(label, elem_id=f"ipl-{name}", type="filepath", **options)

    def _values(self, session: SellerSession, fresh: dict[str, str], busy: bool) -> list[Any]:
        """Values for all outputs; what the page shows already is not sent again."""
        in_line = session.waits or (session.view is not None and session.view.state == "queued")
        pace = LINE_SECONDS if in_line else LOOK_SECONDS
        fresh["clock"] = f"{busy} {pace}"
        news = {name: value for name, value in fresh.items() if session.sent.get(name) != value}
        session.sent.update(news)
        note, session.note = session.note, None
        clock = gr.Timer(pace, active=busy) if "clock" in news else gr.skip()
        return [*(news.get(name, gr.skip()) for name in self.html), gr.skip() if note is None else note, clock]

    def _do(
        self, session: SellerSession, request: gr.Request, act: Callable[[Actions], object], whole: bool = True
    ) -> list[Any]:
        """What the page shows once whoever is signed in has acted. Not whole: what writing changes, until its end."""
        with _shown_as_error():
            seller = self.services.sellers.for_page(getattr(request, "username", None))
            actions, opened = Actions(self.services, seller.id, session), not session.sent
            if opened and session.view is None:  # at an address, or the server was started again below the page
                actions.enter(getattr(request, "query_params", {}))
                session.note = session.note if act is _show_all else None  # else it stands where it was typed
            act(actions)
            # Asked first: the thread that writes may end meanwhile, and then a tick has to show the end.
            busy = session.moves
            fresh = self.renderer.blocks(session, seller, whole=whole or opened or not busy)
        return self._values(session, fresh, busy)

    def enter(self, session: SellerSession, request: gr.Request) -> list[Any]:
        """A page was opened, or asks for all that it shows."""
        return self._do(session, request, _show_all)

    def watch(self, session: SellerSession, request: gr.Request) -> list[Any]:
        """News of a draft that is being written."""
        return self._do(session, request, Actions.look, whole=False)

    def listener(self, act: Callable[[Actions, Any], None]) -> Callable[[SellerSession, Any, gr.Request], list[Any]]:
        """What Gradio calls with the value of a field: files that were chosen, or what is typed there."""

        def listen(session: SellerSession, value: Any, request: gr.Request) -> list[Any]:
            return self._do(session, request, lambda actions: act(actions, value))

        return listen

    def press(self, session: SellerSession, event: gr.EventData, request: gr.Request) -> list[Any]:
        """Anything else that is pressed, by its name."""
        return self._do(session, request, lambda actions: actions.press(event._data))


def _show_all(actions: Actions) -> None:
    actions.session.sent.clear()
