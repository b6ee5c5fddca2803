"""What a browser would make of a page's text."""

from __future__ import annotations

from html.parser import HTMLParser


class Tags(HTMLParser):
    """The tags and event attributes that a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.handlers: set[str] = set()
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}
        self.addresses |= {value or "" for name, value in attrs if name in ("href", "src")}


def harmless(html: str) -> bool:
    found = Tags(html)
    foreign = [a for a in found.addresses if not a.startswith(("/", "data:image/", "#"))]
    return not found.handlers and "script" not in found.tags and not foreign
