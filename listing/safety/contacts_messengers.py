"""Handles on messengers and social networks, however the network is spelled."""

# ruff: noqa: E501  (a pattern is read in one piece)
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from listing.lexicon import load_lexicon
from listing.safety.contacts_handles import is_network, misspelt_networks, word_list
from listing.safety.fold import ContactSpan, Folded, bounded, fold
from listing.words import words

_LEET = {"a": "[a@4]", "e": "[e3]", "i": "[i1!|]", "o": "[o0]", "s": "[s5$z]", "t": "[t7]", "l": "[l1|]"}
# Names that are no ordinary words: one is enough before a handle. Longest spelling first.
_CLEAR = words("networks")
_SHORT = words("short_networks")
_EAST = "微信|薇信|威信|維信|维信|徽信|微亻言|溦信|嶶信|v信|薇心|扣扣|企鹅|电报|飞机|纸飞机|陌陌|抖音|小红书|支付宝|旺旺|ライン|카톡|라인|绿泡泡|телеграм|телега|тг|вотсап|ватсап|вацап|вайбер|инстаграм|инста|绿色软件|小飞机|围信|葳❤|葳信|韦信|威芯|薇芯|v芯|v心|微芯|球球|丘丘|카카오톡|인스타|텔레그램|인스타그램|カカオ|インスタ|テレグラム|小红薯|ватсапп|телеге|телегу|инсте|V我|嶶|卫星号?|衛星號?|加賴|加赖|賴"
_LINK = r"(?:\s*(?:id|name|username|user|handle|account|acc|nr|no|number|num|me|is|its|it's|it|contact|konto|号|號|号码|账号|私|or|only|under|as|add|on|at|to|dm|please|pls|search|also|there|soy|est|es|c'est|ist|heisse|ich|sono|como|come|als|jako|unter|under|sous|sotto|to|on there|shop|store|page|profile)\b|\s*(?:号码?|號|账号|帐号|搜索?|找|关注|吧|哦|呀|啊|哈)|[\W_])"
_HANDLE = r"(?P<handle>[@$]?_?[a-z0-9](?:[\w-]|[.:](?=\w)|\#(?=\d)){2,31}(?:\#\d{2,5})?)"
_ORDINARY = words("no_handles")
_EVERYDAY = words("everyday_networks")
_BEFORE = r"(?:add|find|follow|message|msg|dm|text|pm|search|look\s+for|look\s+up|contact|hit\s+up|write|ping|i\s+am|i'm|im|as|user|username|its|it's|me:?)"
_NAMED = r"(?:user\s?name|nick\s?name|nick|handle|screen\s?name|same\s+name|my\s+name\s+is|i\s+am|i'm|known\s+as|profile|alias|my\s+id|my\s+tag|gamertag)"


def _spread(name: str) -> str:
    """The name with look-alike letters and up to two other characters between its letters."""
    return r"[\W_]{0,2}".join(_LEET.get(c, re.escape(c)) for c in name)


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    clear = "|".join(sorted((_spread(n) for n in _CLEAR), key=len, reverse=True))
    special = r"what'?s?\s?app|w[\W_]?e[\W_]?i[\W_]?\s?x[\W_]?i[\W_]?n|v\W{0,3}x|sn[4@]p|w\W?x|[i1l]\W?g|q[\s.]?q|w/a|bird\s?app|i\s?g|t\s?g|we\schat|cash\sapp|fb\smessenger|we\W?xin|s n a p|i n s t a|t i k t o k|watts?\W?app|whats\W?up\W?app|insta[\s._-]?gram"
    insta = _spread("insta")
    depop = r"(?:on|auf|bei|sur|en|su)\s(?:vinted|depop|ebay|etsy|poshmark|mercari|grailed|vestiaire)\s(?:i\sam|i'm|im|ich\sbin|je\ssuis|soy|sono)"
    named = rf"(?:{clear}|{special}|{insta}|{'|'.join(n.replace('_', ' ') for n in _SHORT)})"
    # Hangul and voiced kana are taken apart by the folding, so these names are too.
    east = "(?:" + "|".join(r"[\W_]{0,3}".join(fold(word).lower) for word in _EAST.split("|")) + ")"
    korean = fold("아이디").lower
    after = rf"(?P<link>(?:{korean}|{_LINK}){{0,9}}?)"
    return (
        re.compile(rf"(?<![a-z0-9])(?P<name>{named})(?:id)?(?![a-z0-9]){after}{_HANDLE}"),
        re.compile(rf"(?P<name>{east}){after}{_HANDLE}"),
        re.compile(rf"(?P<name>(?:加我?|\+|➕|➡|→|⊕)\s*(?:v|微|薇|威|w|vx|q|扣)|(?<![a-z0-9])v\s?(?:❤|♥|心|我|x|信|❥|💗|💕|💚)|加我|私我|➕)(?P<link>[\W_]{{0,4}}){_HANDLE}"),
        re.compile(rf"(?<![\w.]){_HANDLE}[\s,.:;()\"'-]{{1,4}}(?:(?:on|at|via|auf|bei|in|over|is\s+my)\s+)(?:my\s+|the\s+)?(?P<name>{named})(?![a-z0-9])"),
        re.compile(rf"(?<![a-z0-9])(?P<name>微|薇|威|扣|卫星|wei|(?:q|v|dc)(?!:\s[a-z]+\b(?!\d)[\s,?!]+\S))(?P<link>\s*[:：]\s*){_HANDLE}"),
        re.compile(rf"(?P<name>[微薇威]|(?<![a-z0-9])v)\s?(?P<link>[❤♥❥💗💕💚💙🧡➕]\ufe0f?\s?){_HANDLE}"),
        re.compile(rf"(?<![\w.]){_HANDLE}\s?(?:\(|@\s)\s?(?P<name>{named})(?![a-z0-9])"),
        bounded(
            r"(?<!\w)(?P<name_words>[A-Z][\w'-]+(?: [A-Z][\w'-]+){1,2}) (?:on|via|auf|bei) (?i:facebook|fb|linkedin|insta\w*)",
        ),
        re.compile(r"(?<![\w.@])(?P<handle>@[a-z_][\w.]{2,30})(?<!\.)"),
        re.compile(rf"(?<!\w){depop}\s(?P<announced>)(?P<handle>[a-z][\w.]{{3,30}})(?=\s*(?:$|[.,;!)\n]))"),
        re.compile(
            rf"(?<![a-z0-9])(?:{named}|snap\w*|insta\w*)\s(?:nick|name|username|handle|user)\s?(?:is|[:=-])?\s?(?P<announced>)(?P<handle>(?!is\b|on\b)[a-z][\w.]{{3,30}})"
        ),
        re.compile(rf"(?<!\w){_NAMED}\W{{1,4}}(?:(?:is|on|there|everywhere)\W+)?{_HANDLE}"),
        re.compile(r"(?<!\w)(?P<handle>wxid_\w{3,}|live:[\w.]{3,}|[a-z][\w.]{2,30}#\d{4})(?!\w)"),
        re.compile(r"(?<![\w$])(?P<handle>\$[a-z][a-z0-9]{3,20})(?!\w)"),
        re.compile(rf"(?P<name>{clear}|{special}|{east})\W{{0,6}}(?:号码?|id|nr|no|number|only|is|me|at|on|,|:)*\W{{0,4}}(?:(?:number|nr|no|me)\W{{0,3}})?(?P<digits>\+?\d[\d .\-/()]{{4,18}}\d)"),
        re.compile(r"(?<![a-z0-9])(?P<name>wa|w/a|wapp|whats|signal|viber|line|tg|kik|zalo|icq)\b\W{0,5}(?:(?:id|nr|no|number|only|is|me|at|on)\W{1,3}){0,2}(?P<digits>\+?\d[\d .\-/()]{5,18}\d)"),
        re.compile(r"(?<![A-Za-z])(?i:face\s?book|fbook|fb|linkedin|messenger|insta\w*)\b\W{0,3}(?i:(?:as|me|under|name|page|is|marketplace|profile|als|unter|jako|pod|como|come|comme|sous|sotto|soy|sou|sono|:)\W{0,3}){1,4}(?P<name_words>[A-Z][\w'-]+(?: [A-Z][\w'-]+){1,3})"),
        re.compile(rf"(?P<name>(?<![\u4e00-\u9fff])[微薇])(?P<link>\s){_HANDLE}"),
        re.compile(rf"(?<![\w.@])(?P<handle>[a-z][\w.]{{3,30}})\s(?:is|=)\s(?:my|the)\s(?P<name>{named})(?![a-z0-9])"),
        re.compile(r"(?P<name>(?:加|\+)\s*(?:q|扣|企鹅|球球|丘丘)|球球|丘丘|企鹅号?)[\W_]{0,4}(?P<digits>\d[\d -]{4,12}\d)"),
        re.compile(r"(?<![A-Za-z])(?:FB|Fb|Facebook|LinkedIn|Linkedin)(?:[ ,:–-]{1,3}| I am | I'm | ich bin | soy | sou | sono | je suis | jako | als | como | comme )(?P<name_words>(?!Market|Messenger|Group|Logo|Page|Live|Shop|Ads)[A-Z][a-z]+(?: (?!Logo|Group|Shop)[A-Z][a-z]+){1,2})(?=\s*(?:$|[,.;!(\n]))"),
        # A Russian name in a Russian network, a Chinese nickname in a Chinese one.
        re.compile(r"(?:(?<!\w)(?:ВК|вк|Вконтакте|вконтакте|фейсбук\w*|Фейсбук\w*|одноклассник\w*|ОК))\W{1,3}(?:(?:меня зовут|зовут|я|как|ищите|под именем)\W{1,3}){0,2}(?P<name_words>[А-Я][а-я]+ [А-Я][а-я]+)"),
        re.compile(r"(?:小红书|抖音|微博|闲鱼|快手|淘宝|b站)(?:\s?(?:账?号|搜索?|找|关注|叫|店铺?|[:：@])){1,3}\s?(?P<name_words>[\u4e00-\u9fff\w]{2,12})"),
        re.compile(r"(?<!\w)(?:t[.,]me|wa[.,]me|m\.me|ig\.me|line\.me|discord\.gg|(?:instagram|facebook|tiktok|telegram)\.(?:com|me))\s?(?:/|slash)\s?(?P<handle>\+?[\w/.-]+)"),
    )  # fmt: skip


def _slips(text: str) -> Iterator[re.Pattern[str]]:
    """A pattern for the misspelt names of networks that this text holds."""
    if found := misspelt_networks(text):
        names = "|".join(re.escape(name) for name in sorted(found))
        yield re.compile(rf"(?<![a-z0-9])(?P<name>{names})(?![a-z0-9])(?P<link>{_LINK}{{0,9}}?){_HANDLE}")


# 'Wie auf Instagram gezeigt', 'visto su Instagram': where a thing was seen or bought.
_SEEN = re.compile(
    r"\b(?:wie|seen|shown|bought|vue?s?|achet\w+|vist[oaie]s?|comprad\w+|comprat\w+|gezien|gekocht|gekauft|gesehen|widzian\w+|kupion\w+|видел\w*|купил\w*|как)\s(?:(?:on|sur|en|su|no|op|na|auf|bei|в|на)\s)?$"
)
_CHATTY = frozenset(("discord", "kik", "fb", "ig", "tele"))
# 'velvetfox on Telegram': a word nobody describes things with, where a clause begins.
_FIRST = re.compile(r"(?:^|[.!?,;\n]\s*)$")
_INVITED = re.compile(
    r"(?:hit\s+me\s+up|find\s+me|add\s+me|follow\s+me|reach\s+me|message\s+me|dm\s+me|write\s+me|i'?m|we're)\s+(?:on|at|over|via)\s+(?:my\s+)?$|\bmy\s+$|\badd\s+(?:my\s+)?$"
)


def _is_handle(handle: str, name: str, link: str, before: str, rest: str) -> bool:
    """Names with figures or joints are handles at once; a plain word only behind ':' or a name that means nothing else."""
    bare = handle.lstrip("@$")
    if handle[0] not in "@$" and is_network(bare):
        return False
    if (
        bare in _ORDINARY
        or bare in word_list("never_handles")
        or bare in word_list("asking")
        or re.fullmatch(r"[\d.,:-]+", bare)
    ):
        return False
    if handle[0] in "@$":
        return True
    strong_link = bool(
        re.search(
            r"[:：=@>]|\bid\b|handle|name|号|account|\bis\b|\bits\b|it's|nick|\badd\b|\bdm\b|\bas\b|\bals\b|\bcomo\b|\bcome\b|\bme\b",
            link,
        )
    )
    telling = bool((re.search(r"\d", bare) and re.search(r"[a-z_]", bare)) or re.search(r"\w[_.]\w", bare))
    if "-" in bare and bare.split("-")[0] in _ORDINARY and not re.search(r"[\d_.]", bare):
        return False
    if not telling and _SEEN.search(before):
        return False
    plain_name = name.replace(" ", "") in _EVERYDAY
    if plain_name and not telling:  # 'the line is straight' announces nothing
        strong_link = bool(re.search(r"[:：=@>]|\bid\b|handle|name|号|account|nick|\badd\b|\bas\b", link))
    if telling:
        return not (plain_name and re.fullmatch(r"\d+\w{1,2}|[a-z]?\d{1,2}", bare))
    if "-" in bare:
        return strong_link or not plain_name
    # 'discord oldattic': no word of any description, and the clause ends behind it.
    unheard = (
        name in _CHATTY and len(bare) > 5 and bare not in load_lexicon().common and bare not in load_lexicon().nouns
    )
    return strong_link or ((not plain_name or unheard) and not re.match(r"\s*\w", rest))


def _unheard(word: str) -> bool:
    """Whether no description of things has the word, and it asks nobody to write or look."""
    lexicon = load_lexicon()
    asks = word in word_list("asking") or word in word_list("naming")
    return not asks and word not in lexicon.common and word not in lexicon.nouns and not lexicon.meaning(word)


def find_messengers(folded: Folded) -> Iterator[ContactSpan]:
    """Spans of handles, with the network's name where it stands before them."""
    for pattern in (*_patterns(), *_slips(folded.lower)):
        text = folded.cased if "name_words" in pattern.groupindex else folded.lower
        position = 0
        while found := pattern.search(text, position):
            position = max(found.start() + 1, found.end())
            groups = found.groupdict()
            if groups.get("digits") or groups.get("name_words"):
                if groups.get("digits") and sum(c.isdigit() for c in groups["digits"]) < 6:
                    continue
                yield folded.span("messenger", *found.span())
                continue
            name = groups.get("name") or ""
            loose = "name" not in pattern.groupindex or groups.get("link") is None
            if loose:
                handle = groups["handle"]
                bare = handle.lstrip("@$")
                sure = (
                    handle[0] in "@$"
                    or handle.startswith(("wxid_", "live:"))
                    or "#" in handle
                    or found[0].startswith(("t.me", "wa.me"))
                )
                telling = bool(re.search(r"\d", bare) and re.search(r"[a-z]", bare)) or bool(
                    re.search(r"\w[_.]\w", bare)
                )
                wanted = (
                    bare not in _ORDINARY
                    and bare not in ("home", "work", "school", "night")
                    and not re.fullmatch(r"[\d.]+", bare)
                )
                if name:
                    cue = bool(re.search(rf"{_BEFORE}\W{{1,3}}$", text[: found.start("handle")])) or bool(
                        re.search(r"\s(?:is|=) my |\w @ ", found[0])
                    )
                    odd = len(bare) > 5 and not re.search(r"(?:ing|ed|ous|al|ly|s)$", bare) and _unheard(bare)
                    opens = odd and bool(_FIRST.search(text[: found.start("handle")]))
                    ok = wanted and (telling or cue or opens or handle[0] == "@")
                else:
                    ok = wanted and (sure or telling or "announced" in pattern.groupindex)
                if ok:
                    yield folded.span("messenger", *found.span("handle"))
                continue
            invited = " id " if _INVITED.search(text[max(0, found.start() - 30) : found.start()]) else ""
            if _is_handle(
                groups["handle"],
                name,
                groups["link"] + invited,
                text[max(0, found.start() - 20) : found.start()],
                text[found.end() : found.end() + 3],
            ):
                yield folded.span("messenger", *found.span())
            else:
                position = found.start() + 1
