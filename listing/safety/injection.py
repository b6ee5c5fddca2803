"""Text in photos, notes and past listings is data: it is fenced, capped, and orders are taken out.

What a model wrote all the same is filtered in ``listing/text/filter.py``.
"""

from __future__ import annotations

import re
import secrets

from listing.safety.contacts import scrub
from listing.safety.fold import fold

__all__ = ["PLACEHOLDER", "as_data", "closed_up", "instruction_like", "neutralise", "without_instructions"]

PLACEHOLDER = "[a line that does not describe the item]"
_CONTROL = re.compile(r"<\|[^|>]*\|>|</?[a-z_ ]{2,20}>|\[/?(?:inst|sys|system)\]|```+|^#{2,}", re.I | re.M)
# Lines that speak to a machine or a person instead of describing: an order in any of the larger languages.
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|overrule|bypass)\b.{0,40}\b(?:instruction|rule|previous|above|prior|prompt|everything|anything|all|earlier|guideline|data|photo|fact)|"
    r"\b(?:you are|you're|act|behave|pretend|respond|reply|roleplay)\b.{0,20}\b(?:now|as|an?|from)\b|\b(?:system|assistant|developer|admin(?:istrator)?)\b\s*(?:[:>]|mode|prompt|message|override|note)|"  # noqa: E501
    r"\b(?:ai|bot|chatbot|llm|gpt|language model|the model|assistant|copilot)\b.{0,30}\b(?:say|write|must|please|should|add|insert|mention|state|tell|describe|:)|<\||\[/?inst\]|^\s*#{2,}|</\w+>|"  # noqa: E501
    r"\b(?:new|your|real|following|next|updated|secret|hidden|important) (?:instruction|task|order|rule|command|prompt|directive|goal|job)s?\b|\b(?:end of|begin) (?:data|prompt|input|text|instructions?)\b|"  # noqa: E501
    r"(?:^|[.,;:!?)\n>\]-]\s*|\b(?:please|must|should|always|now|then|and|to|just|only|instead|don't|do not|never|kindly)\s+)"  # noqa: E501
    r"(?:say|write|state|mention|tell|output|print out|print the|respond|reply|answer|repeat|include|insert|append|describe|put|recommend|praise|translate|claim|call (?:it|this)|rate|give (?:it|the|this)|set the|"  # noqa: E501
    r"compose|declare|announce|promise|reveal|show (?:the|your)|list the|add (?:the|a|that|this|'|\"|:)|use the|pretend|begin your|start (?:your|with)|end (?:your|with)|replace|change|remove|omit|do not (?:mention|describe)|"  # noqa: E501
    r"quote|advertise|promote|assure|guarantee|confirm|label (?:it|this)|list (?:it|this)|note that|make (?:sure|it|the)|ensure|finish|generate|produce|return|speak|talk|sign)\b(?!\s*$)|"  # noqa: E501
    r"\bprompt\s*:|\bnote to\b|\bu must\b|\byou must\b|\byou (?:will|shall|should|have to|need to)\b|\bif you are\b|"
    r"ignoriere|vergiss|schreib(?:e|en)?\b|antworte|erwähne|ignore[zr]\b|oublie[zr]?|écri(?:s|vez|re)|répond(?:s|ez)|ignora\b|olvida|escrib[ea]|responde|scrivi|dimentica|rispondi|zignoruj|napisz|игнорируй|забудь|напиши|忽略|忘记|忘掉|写上?|请说|回答|输出|無視|書いて",
    re.I,
)


# Who is spoken to, or what is spoken about, when somebody writes to the machine: no seller and no label needs these words.  # noqa: E501
_TO_A_WRITER = re.compile(
    r"\b(?:title|description|caption|listing|text|answer|output|response|reply|every description|condition field|field|brand|colou?r|item|name)s? "  # noqa: E501
    r"(?:must|shall|should|has to|have to|needs? to|always|ends?|begins?|starts?|=|is:|contains?)\b(?! (?:be )?(?:in good|as shown))|"  # noqa: E501
    r"\b(?:the |dear |hey |attention,? )?(?:model|ai|gpt|chatgpt|claude|copilot|bot|assistant|copywriter|ki|ia|llm|human|user)\b\W{0,2}(?:shall|:|!|,|software|note|task)|"  # noqa: E501
    r"\b(?:correct|right|expected|final) (?:answer|description|output|text)\b|\b(?:swap|rename|highlight|emphasi[sz]e|stress|underline|exaggerate) (?:the|it|this|that)\b|"  # noqa: E501
    r"\b(?:emphasi[sz]e|stress|repeat|remember|include|mention) (?:this|it|that)\b\W*$|\b(?:buyers?|readers?|customers?|people) (?:should|must|have to|need to) (?:be told|know|hear)\b|"  # noqa: E501
    r"\blet (?:the|every) (?:reader|buyer|customer)s? know\b|\bfrom now on\b|\bdo something else\b|\bdon'?t forget\s*:|\bhas to include\b|\bmust (?:contain|include|mention|begin|end|say)\b|"  # noqa: E501
    r"\b(?:todo|task|instruction|instructions|anweisung\w*|override|policy|admin block|system notice)\b\W{0,6}(?:\(|:|=|\]|an\b|pour\b|approve)|"  # noqa: E501
    r"\[+\s*(?:override|system|admin|inst|assistant)|[{,]\s*[\"'](?:role|instruction|prompt|description|title|system|content|output|task|command)[\"']\s*:|"
    r"<(?:system|instructions?|prompt|assistant|user|admin|task|rules?)\b|\b(?:print|echo|return|console\.log)\s*\(|"
    r"\b(?:ergänze|füge .{0,30}hinzu|nenne|sag(?:e|t)?,|der text muss|behaupte|erkläre|gib .{0,20} an|erfinde)|"
    r"\b(?:ajoute[zr]?|merci d'indiquer|indique[zr]?|dis que|dites|mentionne[zr]?|précise[zr]?|prétend\w*)\b|"
    r"\b(?:di que|diga|añade|agrega|menciona|afirma|aggiungi|di' che|indica che|dodaj|wspomnij|dopisz|добавь|упомяни|скажи|укажи)\b|"  # noqa: E501
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


def neutralise(text: str) -> str:
    """``text`` with control tokens removed and every line that gives orders replaced by a neutral remark."""
    lines = _CONTROL.sub(" ", text).split("\n")
    return "\n".join(PLACEHOLDER if instruction_like(line) else line for line in lines)


def as_data(text: str, limit: int = 400) -> str:
    """``text`` for a prompt: contacts scrubbed, neutralised, at most ``limit`` characters, inside a fence that cannot be guessed."""  # noqa: E501
    fence = secrets.token_hex(4)
    clean = scrub(neutralise(text)).replace(fence, "")[:limit].strip()
    return f"[data {fence}]\n{clean}\n[end {fence}]"
