"""Text without what print and OCR leave open: case, accents, characters that look alike."""

from __future__ import annotations

import unicodedata

# Characters that OCR takes for each other in print; both sides of a comparison are mapped.
_CONFUSED = str.maketrans({"0": "o", "1": "i", "l": "i", "|": "i", "!": "i", "5": "s", "8": "b", "$": "s"})


def fold(text: str) -> str:
    """Letters and digits only, without case and accents: ``Lévi's®`` -> ``levis``."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


def fold_confused(text: str) -> str:
    """``fold``, with characters that OCR confuses made one (0/o, 1/i/l, 5/s, 8/b), for comparing print with names."""
    return fold(text.casefold().translate(_CONFUSED))
