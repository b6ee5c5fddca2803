"""Texts decoded in a batch equal texts decoded one by one."""

import torch

from finetune.evaluate.cached_model import first_line, first_lines, line_breaks
from listing import prompts
from listing.backends.local import LocalBackend
from listing.taxonomy import load_taxonomy


def test_a_batch_writes_what_single_prompts_write(models):
    backend = LocalBackend(models("ipl-mini"))
    backend.model.float()  # no near ties by rounding
    with torch.no_grad():  # fresh weights only repeat their last token
        for parameter in backend.model.model.language_model.layers.parameters():
            parameter.mul_(30)
    node = load_taxonomy().categories["Hoodie"]
    facts = [{"colour": "navy"}, {"colour": "red", "closure": "zip", "material": "fleece"}, {}]
    asked = [prompts.title_prompt(node, f) for f in facts]
    alone = [first_line("".join(backend.write((), prompt, max_tokens=28))) for prompt in asked]
    assert first_lines(backend, asked, 28, batch=2) == alone
    assert len(set(alone)) > 1


def test_a_text_is_its_first_line_behind_a_word():
    assert first_line("\n Navy hoodie\nNavy hoodie") == "Navy hoodie"


def test_breaks_are_found_in_the_vocabulary(models):
    backend = LocalBackend(models("ipl-mini"))
    assert [backend.tokenizer.decode([i]) for i in line_breaks(backend)] == ["\n"]
