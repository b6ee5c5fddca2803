"""The multimodal LLM: a form about the item in one request, or closed questions photo by photo, in one pass each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from listing import prompts
from listing.backends.base import Backend, ChoiceQuestion, Filled, Form, FormBackend, QuestionBackend, Words
from listing.details import load_details
from listing.observe.printed.brand_list import fold
from listing.observe.source import Context, Likely, Source, shares
from listing.request import Photo
from listing.safety.contacts import scrub
from listing.safety.injection import instruction_like
from listing.schema import Observation
from listing.taxonomy import Attribute, Taxonomy

CATEGORY, DETAILS = "category", "details"
SURE_TOWERS = 0.85  # probability of the towers' category from which on the model's vote no longer changes it
MAX_WORDS, MAX_LENGTH = 6, 60
TOWERS = ("evidence_tower", "heads")


class LanguageModel(Source):
    """Category and attributes by likelihood; of a model that fills in forms, its words and details too."""

    name = "mllm"

    def __init__(self, backend: Backend, *, everything: bool = False) -> None:
        """``everything``: ask every question, also those whose answer would change nothing (for a calibration)."""
        self.backend, self.everything = backend, everything
        self.local = not isinstance(backend, FormBackend)

    def observe(self, photos: Sequence[Photo], context: Context) -> Iterator[Observation]:
        """The form, or the questions that are open where the model answers such."""
        filled = None
        if isinstance(self.backend, FormBackend):
            form = item_form(context.taxonomy, context.request.category)
            filled = self.backend.fill([photo.image for photo in photos], form)
        if filled is not None:
            yield from form_observations(filled, context)
            return
        if not isinstance(self.backend, QuestionBackend):
            return
        names = {words: name for name, words in prompts.category_answers(context.taxonomy).items()}
        for questions in self._rounds(context):
            trust = context.so_far().trust
            for i in range(len(photos)):
                for question, answers in self.backend.score(context.view(i), questions).items() if trust[i] else ():
                    named = {names[words]: p for words, p in answers.items()} if question == CATEGORY else answers
                    yield Observation(
                        source=self.name, question=question, photo=i, probabilities=shares(named, (prompts.UNKNOWN,))
                    )

    def _rounds(self, context: Context) -> Iterator[list[ChoiceQuestion]]:
        """Questions that are asked in one pass; where no category is likely yet, it is asked before the others."""
        if self.everything:
            yield all_questions(context.taxonomy)
            return
        likely = context.so_far()
        category = category_questions(context, likely)
        if category and not likely.node.name:
            yield category
            category = []
        questions = [*category, *attribute_questions(context, context.so_far())]
        if questions:
            yield questions


def category_questions(context: Context, likely: Likely) -> list[ChoiceQuestion]:
    """The question about the category, unless the seller or the towers answer it."""
    weights = context.calibration.of(CATEGORY).weights
    if not weights and context.taxonomy.tuned():
        weights = context.calibration.range.weights
    unheard = bool(weights) and not weights.get("mllm")
    if context.request.category is not None or likely.sure >= SURE_TOWERS or unheard:
        return []
    words = tuple(prompts.category_answers(context.taxonomy).values())
    return [ChoiceQuestion(CATEGORY, prompts.CATEGORY, words)]


def attribute_questions(context: Context, likely: Likely) -> list[ChoiceQuestion]:
    """Attributes of the likely category that the model's answer can change."""
    taxonomy = context.taxonomy
    if not likely.node.tuned and taxonomy.tuned():
        return []
    by_towers = {o.question for o in context.observations if o.source in TOWERS}
    questions = []
    for attribute in taxonomy.schema_of(likely.node):
        weights = context.calibration.of(attribute.name).weights
        asked = any(weights.values()) and (weights.get("mllm") or attribute.name not in by_towers)
        if attribute.values and attribute.can_be("seen") and asked and attribute.name not in context.request.facts:
            question = prompts.attribute_question(attribute)
            questions.append(ChoiceQuestion(attribute.name, question, attribute.answers))
    return questions


def all_questions(taxonomy: Taxonomy) -> list[ChoiceQuestion]:
    """The category, and every closed attribute that a photo can show, with all its values."""
    words = tuple(prompts.category_answers(taxonomy).values())
    category = ChoiceQuestion(CATEGORY, prompts.CATEGORY, words)
    asked = [ChoiceQuestion(a.name, prompts.attribute_question(a), a.answers) for a in taxonomy.asked()]
    return [category, *asked]


def item_form(taxonomy: Taxonomy, category: str | None = None) -> Form:
    """The form over the whole tree, or about an item of the seller's category alone."""
    nodes = [taxonomy.node(category)] if category else taxonomy.leaves()
    attributes = prompts.form_attributes(nodes, taxonomy)
    closed = [a for a in attributes if a.values]
    choices: dict[str, Sequence[str]] = {a.name: a.answers for a in closed}
    also = {a.name: _other_words(a) for a in closed}
    if category is None:
        leaves = prompts.leaf_answers(taxonomy)
        choices = {CATEGORY: (*leaves.values(), prompts.NO_CATEGORY), **choices}
        also[CATEGORY] = {
            words: leaves[node.name] for node in reversed(nodes) for words in (*node.synonyms, node.phrase, node.name)
        }
    words = [a.name for a in attributes if not a.values]
    return Form(prompts.form(taxonomy, category), choices, also, words, DETAILS)


def _other_words(attribute: Attribute) -> dict[str, str]:
    """Phrase -> the value that it means, where it means one alone."""
    meant: dict[str, set[str]] = {}
    for value, phrases in attribute.phrases.items():
        for phrase in phrases if value in attribute.values else ():
            meant.setdefault(phrase, set()).add(value)
    return {phrase: values.pop() for phrase, values in meant.items() if len(values) == 1}


def form_observations(filled: Filled, context: Context) -> Iterator[Observation]:
    """A filled form by our names; what holds contact data or orders, or is no short phrase, is left out."""
    names = {words: name for name, words in prompts.leaf_answers(context.taxonomy).items()}
    for question, answers in filled.choices.items():
        named = {names.get(words, words): p for words, p in answers.items()} if question == CATEGORY else answers
        yield Observation(
            source="mllm", question=question, probabilities=shares(named, (prompts.UNKNOWN, prompts.NO_CATEGORY))
        )
    for question, words in filled.words.items():
        if _usable(words.text):
            yield _words_observation(question, words, context)
    if filled.phrases is not None:
        for photo in sorted({phrase.photo for phrase in filled.phrases}, key=str) or [None]:
            phrases = [phrase for phrase in filled.phrases if phrase.photo == photo]
            yield Observation(source="mllm", question="detail", photo=photo, probabilities=_details(phrases))


def _words_observation(question: str, words: Words, context: Context) -> Observation:
    """Free words, with the place of the first line that holds them, where one was read."""
    requested, box, photo = fold(words.text), None, words.photo
    for i in range(len(context.request.photos)):
        line = next((span for span in context.lines(i) if requested and requested in fold(span.text)), None)
        if line is not None and words.photo in (i, None):
            photo, box = i, line.box
            break
    return Observation(
        source="mllm", question=question, photo=photo, box=box, text=words.text, probabilities={words.text: words.sure}
    )


def _usable(text: str) -> bool:
    return len(text) <= MAX_LENGTH and text.isprintable() and scrub(text) == text and not instruction_like(text)


def _details(phrases: Iterable[Words]) -> dict[str, float]:
    """Our own phrase where one says the same, else the model's, each with how sure it is."""
    details: dict[str, float] = {}
    for phrase in phrases:
        if not _usable(phrase.text) or len(phrase.text.split()) > MAX_WORDS:
            continue
        for name in load_details().read(phrase.text) or [phrase.text.strip(" .").lower()]:
            details[name] = max(phrase.sure, details.get(name, 0.0))
    return details
