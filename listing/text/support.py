"""What a claim can rest on: verified facts, the seller's note, print in the photos; and what only neighbours say."""

# ruff: noqa: E501  (a pattern is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from listing.lexicon import Lexicon, plain, words
from listing.safety.fold import fold

FactValue = str | Sequence[str] | None
NeighbourValues = Mapping[str, Iterable[str]] | Iterable[str]
UNKNOWN = frozenset(("", "unknown", "n/a", "none"))
_SAME = {"colour2": "colour"}
_SMALL = words("small")
_NOT = re.compile(r"\b(?:no|not|without|never|free of|isn't|doesn't|don't|nothing|none)\b|n't\b")


# Lines that speak to a machine or a person instead of describing: an order in any of the larger languages.
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|overrule|bypass)\b.{0,40}\b(?:instruction|rule|previous|above|prior|prompt|everything|anything|all|earlier|guideline|data|photo|fact)|"
    r"\b(?:you are|you're|act|behave|pretend|respond|reply|roleplay)\b.{0,20}\b(?:now|as|an?|from)\b|\b(?:system|assistant|developer|admin(?:istrator)?)\b\s*(?:[:>]|mode|prompt|message|override|note)|"
    r"\b(?:ai|bot|chatbot|llm|gpt|language model|the model|assistant|copilot)\b.{0,30}\b(?:say|write|must|please|should|add|insert|mention|state|tell|describe|:)|<\||\[/?inst\]|^\s*#{2,}|</\w+>|"
    r"\b(?:new|your|real|following|next|updated|secret|hidden|important) (?:instruction|task|order|rule|command|prompt|directive|goal|job)s?\b|\b(?:end of|begin) (?:data|prompt|input|text|instructions?)\b|"
    r"(?:^|[.,;:!?)\n>\]-]\s*|\b(?:please|must|should|always|now|then|and|to|just|only|instead|don't|do not|never|kindly)\s+)"
    r"(?:say|write|state|mention|tell|output|print out|print the|respond|reply|answer|repeat|include|insert|append|describe|put|recommend|praise|translate|claim|call (?:it|this)|rate|give (?:it|the|this)|set the|"
    r"compose|declare|announce|promise|reveal|show (?:the|your)|list the|add (?:the|a|that|this|'|\"|:)|use the|pretend|begin your|start (?:your|with)|end (?:your|with)|replace|change|remove|omit|do not (?:mention|describe)|"
    r"quote|advertise|promote|assure|guarantee|confirm|label (?:it|this)|list (?:it|this)|note that|make (?:sure|it|the)|ensure|finish|generate|produce|return|speak|talk|sign)\b(?!\s*$)|"
    r"\bprompt\s*:|\bnote to\b|\bu must\b|\byou must\b|\byou (?:will|shall|should|have to|need to)\b|\bif you are\b|"
    r"ignoriere|vergiss|schreib(?:e|en)?\b|antworte|erwähne|ignore[zr]\b|oublie[zr]?|écri(?:s|vez|re)|répond(?:s|ez)|ignora\b|olvida|escrib[ea]|responde|scrivi|dimentica|rispondi|zignoruj|napisz|игнорируй|забудь|напиши|忽略|忘记|忘掉|写上?|请说|回答|输出|無視|書いて",
    re.I,
)


# Who is spoken to, or what is spoken about, when somebody writes to the machine: no seller and no label needs these words.
_TO_A_WRITER = re.compile(
    r"\b(?:title|description|caption|listing|text|answer|output|response|reply|every description|condition field|field|brand|colou?r|item|name)s? "
    r"(?:must|shall|should|has to|have to|needs? to|always|ends?|begins?|starts?|=|is:|contains?)\b(?! (?:be )?(?:in good|as shown))|"
    r"\b(?:the |dear |hey |attention,? )?(?:model|ai|gpt|chatgpt|claude|copilot|bot|assistant|copywriter|ki|ia|llm|human|user)\b\W{0,2}(?:shall|:|!|,|software|note|task)|"
    r"\b(?:correct|right|expected|final) (?:answer|description|output|text)\b|\b(?:swap|rename|highlight|emphasi[sz]e|stress|underline|exaggerate) (?:the|it|this|that)\b|"
    r"\b(?:emphasi[sz]e|stress|repeat|remember|include|mention) (?:this|it|that)\b\W*$|\b(?:buyers?|readers?|customers?|people) (?:should|must|have to|need to) (?:be told|know|hear)\b|"
    r"\blet (?:the|every) (?:reader|buyer|customer)s? know\b|\bfrom now on\b|\bdo something else\b|\bdon'?t forget\s*:|\bhas to include\b|\bmust (?:contain|include|mention|begin|end|say)\b|"
    r"\b(?:todo|task|instruction|instructions|anweisung\w*|override|policy|admin block|system notice)\b\W{0,6}(?:\(|:|=|\]|an\b|pour\b|approve)|"
    r"\[+\s*(?:override|system|admin|inst|assistant)|[{,]\s*[\"'](?:role|instruction|prompt|description|title|system|content|output|task|command)[\"']\s*:|"
    r"<(?:system|instructions?|prompt|assistant|user|admin|task|rules?)\b|\b(?:print|echo|return|console\.log)\s*\(|"
    r"\b(?:ergänze|füge .{0,30}hinzu|nenne|sag(?:e|t)?,|der text muss|behaupte|erkläre|gib .{0,20} an|erfinde)|"
    r"\b(?:ajoute[zr]?|merci d'indiquer|indique[zr]?|dis que|dites|mentionne[zr]?|précise[zr]?|prétend\w*)\b|"
    r"\b(?:di que|diga|añade|agrega|menciona|afirma|aggiungi|di' che|indica che|dodaj|wspomnij|dopisz|добавь|упомяни|скажи|укажи)\b|"
    r"系统提示|请在|请把|请将|助手|描述(?:里|中)|必须|只输出|输出|说这|加入|写成|标题|説明してください|と書いて|してください",
    re.I,
)
_SPELLED = re.compile(r"(?<![^\W_])(?:[^\W\d_][\s.·_-]{1,3}){4,}[^\W\d_](?![^\W_])")


def closed_up(line: str) -> str:
    """'s a y :  h i' as 'say: hi': letters with blanks between, words parted by wider gaps where there are any."""
    wide = bool(re.search(r"\S\s{2,}\S", line))
    return _SPELLED.sub(lambda m: re.sub(r"(?<=\S)\s(?=\S)|[.·_-]" if wide else r"[\s.·_-]", "", m[0]), line)


def instruction_like(line: str) -> bool:
    """Whether a line gives orders (or carries control tokens) instead of describing a thing."""
    closed = closed_up(line)
    spelled = closed != line and re.search(
        r"ignore|rules|say|write|schreib|ecri|note|system|instruction", closed.lower()
    )
    return bool(
        spelled
        or any(order.search(form) for order in (_ORDER, _TO_A_WRITER) for form in (line, fold(line).lower, closed))
    )


def without_instructions(text: str) -> str:
    """The lines of ``text`` that give no orders: the only ones that may support a claim."""
    return "\n".join(line for line in text.split("\n") if not instruction_like(line))


def stem(word: str) -> str:
    """A crude stem: enough to match 'pockets' with 'pocket' and 'washed' with 'wash'."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def stems(text: str) -> set[str]:
    """Stems of the words that carry meaning."""
    words = re.findall(r"[\w&+]+", plain(text))
    return {stem(w) for w in words if w not in _SMALL}


def letters(text: str) -> str:
    """Letters and digits only, lower case: how print is compared."""
    return re.sub(r"[\W_]+", "", text.lower())


@dataclass(frozen=True)
class Sources:
    """Everything that may support a claim, prepared once per text."""

    facts: Mapping[str, frozenset[str]]
    note: str
    mentioned: Mapping[str, set[str]]
    print_letters: str
    print_stems: frozenset[str]
    neighbours: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def known(self, name: str) -> frozenset[str]:
        """Verified values of an attribute; a second colour is a colour."""
        return self.facts.get(name, frozenset())

    def in_note(self, words: str) -> bool:
        """Whether one sentence of the note says so, with the same 'no' or without one."""
        wanted = stems(words)
        denied = bool(_NOT.search(words.lower()))
        return bool(wanted) and any(
            wanted <= stems(sentence) and denied == bool(_NOT.search(sentence.lower()))
            for sentence in re.split(r"[.!?;\n,]+|\bbut\b", self.note)
        )

    def in_print(self, words: str) -> bool:
        """Whether these words stand on the item."""
        key = letters(words)
        return bool(key) and (key in self.print_letters if len(key) > 2 else key in self.print_stems)

    def in_facts(self, words: str) -> bool:
        """Whether some fact's value holds all these words."""
        wanted = stems(words)
        return bool(wanted) and any(wanted <= stems(value) for values in self.facts.values() for value in values)

    def at_neighbours(self, name: str, values: Iterable[str]) -> bool:
        """Whether a neighbour states one of these values (of that attribute, where the attribute is known)."""
        wanted = {plain(v) for v in values}
        return bool(wanted & (self.neighbours.get(name, frozenset()) | self.neighbours.get("", frozenset())))

    def near_words(self, words: str) -> bool:
        """Whether all words of a claim stand in one value of a neighbour."""
        wanted = stems(words)
        return bool(wanted) and any(
            wanted <= stems(v) or (stems(v) and stems(v) <= wanted)
            for values in self.neighbours.values()
            for v in values
        )


def _values(given: FactValue) -> frozenset[str]:
    if given is None:
        return frozenset()
    parts = re.split(r",\s*", given) if isinstance(given, str) else [str(v) for v in given]
    return frozenset(p.strip() for p in parts if p.strip().lower() not in UNKNOWN)


def gather(
    lexicon: Lexicon, facts: Mapping[str, FactValue], note: str, ocr: Sequence[str], neighbours: NeighbourValues
) -> Sources:
    """Sources of one text."""
    known: dict[str, frozenset[str]] = {}
    for name, given in facts.items():
        key = _SAME.get(name, name)
        values = (
            frozenset((str(given),)) if name in ("text", "brand", "item") and isinstance(given, str) else _values(given)
        )
        if values - UNKNOWN:
            known[key] = known.get(key, frozenset()) | values
    note, ocr = without_instructions(note), [line for line in ocr if not instruction_like(line)]
    printed = [*ocr, *(t for t in known.get("text", ()) if not instruction_like(t)), *known.get("brand", ())]
    if isinstance(neighbours, Mapping):
        near: dict[str, frozenset[str]] = {}
        for name, stated in neighbours.items():
            key = _SAME.get(name, name)
            near[key] = near.get(key, frozenset()) | {
                plain(v) for v in ([stated] if isinstance(stated, str) else stated)
            }
    else:
        near = {"": frozenset(plain(v) for v in neighbours)}
    return Sources(
        facts=known,
        note=note,
        mentioned=lexicon.mentions(" . ".join([note, *ocr])),
        print_letters=" ".join(letters(line) for line in [*printed, "".join(ocr)]),
        print_stems=frozenset(s for line in printed for s in stems(line)),
        neighbours=near,
    )
