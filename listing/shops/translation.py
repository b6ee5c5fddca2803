"""Our words for values as a shop's own: what the towers answer in, and what the shop's drafts say.

``Taxonomy.means``: question -> our value -> the shop's words for it, with their shares of its past listings.
``Taxonomy.unnamed``: question -> words of the shop that no value of ours means, with their shares of all past listings.
"""

from __future__ import annotations

from collections.abc import Mapping

from listing.taxonomy import Taxonomy

CATEGORY = "category"


def in_shop_words(distribution: Mapping[str, float], question: str, taxonomy: Taxonomy) -> Mapping[str, float]:
    """A distribution over our values in the words of the taxonomy; as it is where the taxonomy translates none."""
    means = taxonomy.means.get(question)
    if not means:
        return distribution
    words: dict[str, float] = {}
    for value, p in distribution.items():
        for word, share in means.get(value, {value: 1.0}).items():
            words[word] = words.get(word, 0.0) + p * share
    return words if question == CATEGORY else with_unnamed(words, question, taxonomy)


def with_unnamed(distribution: Mapping[str, float], question: str, taxonomy: Taxonomy) -> dict[str, float]:
    """The distribution with the shares of the words that its source cannot know: no source speaks against those."""
    unnamed = taxonomy.unnamed.get(question, {})
    total, rest = sum(distribution.values()), 1.0 - sum(unnamed.values())
    words = {word: p * rest for word, p in distribution.items()}
    for word, share in unnamed.items():
        words[word] = words.get(word, 0.0) + share * total
    return words
