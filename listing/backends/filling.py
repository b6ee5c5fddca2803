"""A form as models fill it in, behind a server or in this process: asked once more where it cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from listing.backends import forms
from listing.backends.base import Filled, Form

FORM_TOKENS = 900
MAX_PHOTOS = 4  # of one item; more cost time and context and show little
SIDE = 1024  # px of a photo's longest side: print stays legible
MAX_UNREADABLE = 3  # forms in a row after which a model is asked for none


@dataclass(frozen=True)
class Reply:
    """What a model said to a form about so many photos; ``cut``: it had not come to its end."""

    text: str
    tokens: Sequence[forms.Token]
    photos: int
    cut: bool = False


class FormFilling:
    """``FormBackend`` for whoever can ask a model for a form."""

    _unreadable = 0  # forms in a row

    def reply(self, images: Sequence[Image.Image], prompt: str, form: Form) -> Reply:
        """What the model says to the form's prompt, or to another one for the same form."""
        raise NotImplementedError

    def fill(self, images: Sequence[Image.Image], form: Form) -> Filled | None:
        """See ``FormBackend.fill``; what cannot be read is asked for once more, with what is wrong with it."""
        if self._unreadable >= MAX_UNREADABLE and not form.value_key:
            return None
        prompt = form.prompt
        for last in (True,) if form.value_key else (False, True):
            reply = self.reply(images, prompt, form)
            try:
                filled = forms.read(form, reply.text, reply.tokens, reply.photos, strict=not last)
            except forms.Unreadable as error:
                if reply.cut:
                    break  # it would run on as far once more
                prompt = f"{form.prompt}\nYour last reply could not be used. {error}"
            else:
                self._unreadable *= bool(form.value_key)
                return filled
        self._unreadable += not form.value_key  # a model that judges no claims may still fill in forms
        return None
