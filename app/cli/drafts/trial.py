"""``ipl try``: a page for people who tune models: drafts of one or two models side by side, and what is wrong kept."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from app.cli.drafts.draft import add_model_options, check_drafting
from listing.errors import PROGRAM, IplError

if TYPE_CHECKING:
    from listing.request import DraftPipeline
    from listing.schema import Draft

ROWS = "listings.jsonl"
CATEGORY = "category"
FACTS = ["question", "value", "status", "sure"]
OBSERVATIONS = ["question", "source", "photo", "what it says", "words"]
EMBEDDED = "ipl-mini"
VALUES = 3  # of an observation


def register_try(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_model_options(parser)
    parser.add_argument("--versus", metavar="ID|URL", help="a second model, whose draft stands beside the first")
    parser.add_argument("--port", type=int, default=7862, help="port to listen on (default: 7862; 0 takes a free one)")
    parser.add_argument(
        "--rows", type=Path, metavar="DIR", help="where corrected rows are kept (default: try in IPL_HOME)"
    )


def check_try(args: argparse.Namespace) -> None:
    """Look whether the port is free, and at what ``check_drafting`` does."""
    from app.settings import load_settings
    from app.web.server import listen

    listen(load_settings(host="127.0.0.1", port=args.port)).close()
    check_drafting(args)


def run_try(args: argparse.Namespace) -> int:
    """Serve the page on this machine alone until interrupted."""
    from listing.home import ipl_home
    from listing.pipeline import build_pipeline

    chosen = [args.model, *([args.versus] if args.versus else [])]
    models = {name or EMBEDDED: None if name == EMBEDDED else name for name in chosen}
    pipelines = {name: build_pipeline(model, args.rag, ipl_home()) for name, model in models.items()}
    rows = LabelledRows(args.rows or ipl_home() / "try")
    build_page(pipelines, rows).launch(
        server_name="127.0.0.1", server_port=args.port or None, quiet=False, show_error=True
    )
    return 0


@dataclass(frozen=True)
class LabelledRows:
    """Rows for ``./ipl learn`` in a folder, with their photos: what a draft says once a person has set it right."""

    folder: Path

    def keep(self, photos: Sequence[str], facts: Sequence[Sequence[str]], texts: Sequence[str]) -> str:
        """Add a row; returns a sentence that says where.

        Args:
            facts: question and right value, the category among them; without a value nothing is said of a question.
            texts: title and description.

        Raises:
            IplError: there is nothing to keep, or no category.
        """
        values = {str(name): str(value or "").strip() for name, value, *_ in facts}
        if not photos or not values.get(CATEGORY):
            raise IplError("Write a draft first, and say what the thing is in the row 'category'.")
        key = uuid4().hex[:12]
        self.folder.mkdir(parents=True, exist_ok=True)
        names = [f"{key}-{number}{Path(photo).suffix}" for number, photo in enumerate(photos, 1)]
        for photo, name in zip(photos, names, strict=True):
            shutil.copy2(photo, self.folder / name)
        known = {name: value for name, value in values.items() if value}
        row = {"id": key, "photos": "|".join(names), "title": texts[0], "description": texts[1], **known}
        with (self.folder / ROWS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        return f"Kept in {self.folder / ROWS}; '{PROGRAM} learn {self.folder / ROWS} -o shop/' learns from it."


def build_page(pipelines: Mapping[str, DraftPipeline], rows: LabelledRows) -> Any:
    """A Gradio page that drafts with each pipeline (by its model's name) and keeps corrected rows."""
    import gradio as gr

    def outcome(name: str, photos: Sequence[str], note: str) -> tuple[Any, ...]:
        draft = _draft(pipelines[name], photos, note)
        texts = (marked(text, draft, field) for field, text in draft.texts.items())
        return *texts, fact_rows(draft), observation_rows(draft)

    def write(gallery: Any, note: str) -> list[Any]:
        photos = _paths(gallery)
        with _sentences():
            return [part for name in pipelines for part in outcome(name, photos, note)]

    def keep(gallery: Any, facts: Sequence[Sequence[str]], title: Any, description: Any) -> str:
        with _sentences():
            return rows.keep(_paths(gallery), facts, [_plain(title), _plain(description)])

    with gr.Blocks(title="IPL: try a model", analytics_enabled=False) as page:
        gallery = gr.Gallery(
            label="Photos of one item", type="filepath", interactive=True, columns=4, object_fit="contain"
        )
        note = gr.Textbox(label="What a buyer should know", max_length=1000)
        button = gr.Button("Write", variant="primary")
        outputs: list[Any] = []
        with gr.Row():
            for name in pipelines:
                with gr.Column():
                    gr.Markdown(f"### {name}")
                    colours = {"check": "orange", "seller": "green"}
                    title, description = (
                        gr.HighlightedText(label=label, color_map=colours, combine_adjacent=True)
                        for label in ("Title", "Description")
                    )
                    facts = gr.Dataframe(
                        headers=FACTS, type="array", static_columns=[0, 2, 3], interactive=True,
                        label="What it decided: where a value is wrong, write the right one into it",
                    )  # fmt: skip
                    kept = gr.Button("Keep as a labelled row")
                    said = gr.Markdown()
                    observations = gr.Dataframe(
                        headers=OBSERVATIONS, interactive=False, label="What each source observed", max_height=400
                    )
                    kept.click(keep, [gallery, facts, title, description], said, api_name=f"keep_{len(outputs) // 4}")
                    outputs += [title, description, facts, observations]
        button.click(write, [gallery, note], outputs, api_name="write", concurrency_limit=1)
    return page


def marked(text: str, draft: Draft, field: str) -> list[tuple[str, str | None]]:
    """The text in pieces, with their status those that are to be checked or are the seller's own."""
    pieces: list[tuple[str, str | None]] = []
    end = 0
    for span in sorted((s for s in draft.spans if s.field == field and s.status != "certain"), key=lambda s: s.start):
        pieces += [(text[end : span.start], None), (text[span.start : span.end], span.status)]
        end = span.end
    return [piece for piece in [*pieces, (text[end:], None)] if piece[0]]


def fact_rows(draft: Draft) -> list[list[str]]:
    """Category and facts: question, value, status, how sure. A value that is only likely stands there as well."""
    category = draft.category
    best = category.value or (category.candidates[0].value if category.candidates else "")
    first = [CATEGORY, best, "supported" if category.value else "unsupported", f"{category.confidence:.2f}"]
    return [first] + [
        [a.name, a.value or a.suggestion or "", a.status, "" if a.confidence is None else f"{a.confidence:.2f}"]
        for a in draft.attributes
    ]


def observation_rows(draft: Draft) -> list[list[str]]:
    """Every source's likeliest values by question."""
    rows = []
    for o in sorted(draft.observations, key=lambda o: (o.question, o.source, o.photo or 0)):
        likely = sorted(o.probabilities.items(), key=lambda pair: -pair[1])[:VALUES]
        values = ", ".join(f"{value} {p:.2f}" for value, p in likely)
        rows.append([o.question, o.source, "" if o.photo is None else str(o.photo + 1), values, o.text or ""])
    return rows


def _draft(pipeline: DraftPipeline, photos: Sequence[str], note: str) -> Draft:
    from listing.intake.photos import intake
    from listing.request import DraftRequest
    from listing.say.ask import readable

    for event in pipeline.run(DraftRequest(photos=intake(list(photos)), note=note)):
        if event.kind == "draft":
            return readable(event.draft)
    raise IplError("The draft was not finished; run ./ipl doctor.")


def _paths(gallery: Any) -> list[str]:
    """The files of a gallery, whose entries are a path and a caption."""
    return [str(entry[0] if isinstance(entry, tuple | list) else entry) for entry in gallery or ()]


def _plain(pieces: Any) -> str:
    """The text of a highlighted one."""
    if isinstance(pieces, str) or pieces is None:
        return pieces or ""
    return "".join(p["token"] if isinstance(p, dict) else p[0] for p in pieces)


@contextmanager
def _sentences() -> Iterator[None]:
    """What a person can mend becomes a notice of the page."""
    import gradio as gr

    try:
        yield
    except IplError as error:
        raise gr.Error(str(error), print_exception=False) from error
