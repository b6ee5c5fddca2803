"""A shop's taxonomy: our tree and attributes, in which its own words stand in the places of what they mean here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from finetune.shops.columns import Kind, ShopColumns
from listing.taxonomy import DEFAULT_FILE, GROUP, load_taxonomy
from listing.taxonomy_file import Voice
from rag_index.imports.columns import plain_name
from rag_index.imports.glossary import NONE, Entry, Glossary
from rag_index.imports.words import singular, word_key

SHOP, NO_SCHEMA = "Shop", "thing"
MIN_STATED = 0.2  # of a schema's rows, for an attribute of the shop's to be asked there
LEAF_KEYS = ("uses", GROUP)  # keys of the file that a kind may be called like: at the tree's root they are names
MIN_VALUE_ROWS = 2  # rows of a value that is none of ours: one alone is as likely a slip
Leaf = dict[str, Any]


def write_taxonomy(table: ShopColumns, glossary: Glossary, file: Path) -> None:
    """Write the shop's ``taxonomy.yaml``."""
    raw = yaml.safe_load(DEFAULT_FILE.read_text(encoding="utf-8"))
    words = _ShopWords(raw, table, glossary)
    words.attributes()
    words.tree()
    text = yaml.safe_dump(raw, allow_unicode=True, sort_keys=False, width=120)
    file.write_text("# Made by ./ipl learn, from the words of the shop's own listings.\n" + text, encoding="utf-8")


def add_voice(voice: Voice, file: Path) -> None:
    """Write how the shop's texts speak behind its words."""
    with file.open("a", encoding="utf-8") as out:
        yaml.safe_dump({"voice": voice.model_dump(mode="json")}, out, allow_unicode=True, sort_keys=False, width=120)
    load_taxonomy.cache_clear()


class _ShopWords:
    """Puts a table's words into ``raw``, a taxonomy as its file has it."""

    def __init__(self, raw: dict[str, Any], table: ShopColumns, glossary: Glossary) -> None:
        self.raw, self.table, self.glossary = raw, table, glossary
        self.places = dict(_leaves(raw["tree"]))
        raw["means"], raw["unnamed"] = {}, {}

    def attributes(self) -> None:
        """Values of closed attributes in the shop's words; columns that are no attribute of ours become one."""
        for name, counts in self.table.values.items():
            entries = self.glossary.values.get(name, {})
            internal = {
                v: str(e.internal)
                for v in counts
                if (e := entries.get(v)) is not None and e.sure and e.internal != NONE
            }
            common = {v: n for v, n in counts.most_common() if n >= MIN_VALUE_ROWS or v in internal}
            block = self.raw["attributes"].get(name)
            if block is not None and "values_of" in block:  # the words of the attribute that it names
                continue
            label = plain_name(self.table.columns.get(name, name))
            if block is None:
                question = f"{label[0].upper()}{label[1:]}?"
                self.raw["attributes"][name] = {
                    "label": label,
                    "known": "seen",
                    "values": list(common),
                    "question": question,
                }
                continue
            self.raw["attributes"][name] = _reworded(block, common, internal, label)
            for question in (name, *(n for n, b in self.raw["attributes"].items() if b.get("values_of") == name)):
                self._translate(question, common, internal)
            for schema in self.raw["schemas"].values():
                schema.get("values", {}).pop(name, None)

    def tree(self) -> None:
        """A leaf for each kind: in the place of what it means, beside kinds of the same wider word, or by itself."""
        kinds = sorted(self.table.kinds.items(), key=lambda item: -item[1].rows)
        internal = {word: meant for word, _ in kinds if (meant := self._meaning(word)) is not None}
        counts = {word: kind.rows for word, kind in kinds}
        self._translate("category", counts, internal)
        homes = self._homes(internal)
        leaves = {word: self._leaf(word, kind, internal.get(word), homes) for word, kind in kinds}
        leaves |= {word: ((), leaves[word][1]) for word in LEAF_KEYS if word in leaves}
        for taken in {*internal.values(), *leaves} & self.places.keys():
            *path, name = self.places[taken]
            del _at(self.raw["tree"], tuple(path))[name]
        for word, (path, leaf) in leaves.items():
            group = _group(self.raw["tree"], path)
            if word in group:  # a group of ours is called so
                group = _group(self.raw["tree"], (SHOP,))
            group[word] = leaf
        _tidy(self.raw["tree"], leaves.keys())
        self._extend_schemas({word: leaf for word, (_, leaf) in leaves.items()})

    def _meaning(self, word: str) -> str | None:
        entry = self.glossary.categories.get(word, Entry(None, False))
        return str(entry.internal) if entry.sure and entry.internal in self.places else None

    def _translate(self, question: str, counts: Mapping[str, int], internal: Mapping[str, str]) -> None:
        totals = Counter[str]()
        for word, value in internal.items():
            totals[value] += counts[word]
        means: dict[str, dict[str, float]] = {}
        for word, value in internal.items():
            means.setdefault(value, {})[word] = round(counts[word] / totals[value], 5)
        rows = sum(counts.values())
        self.raw["means"][question] = means
        self.raw["unnamed"][question] = {w: round(n / rows, 6) for w, n in counts.items() if w not in internal}

    def _homes(self, internal: Mapping[str, str]) -> dict[str, tuple[tuple[str, ...], str]]:
        """Wider word of the shop -> the group and the schema of most of its rows whose kind is one of ours."""
        votes: dict[str, Counter[tuple[tuple[str, ...], str]]] = {}
        for word, leaf in internal.items():
            path, block = self.places[leaf][:-1], _at(self.raw["tree"], self.places[leaf])
            for group in self.table.kinds[word].groups:
                votes.setdefault(group, Counter())[path, block["uses"]] += self.table.kinds[word].rows
        return {group: counter.most_common(1)[0][0] for group, counter in votes.items()}

    def _leaf(
        self, word: str, kind: Kind, internal: str | None, homes: Mapping[str, tuple[tuple[str, ...], str]]
    ) -> tuple[tuple[str, ...], Leaf]:
        """The path and the block of a shop's kind."""
        phrase, plural = spoken(word, kind)
        if internal is None:
            home = next((homes[g] for g, _ in kind.groups.most_common() if g in homes), None)
            if home is None:
                return (SHOP,), {"uses": NO_SCHEMA, "phrase": phrase, "plural": plural}
            return home[0], {"uses": home[1], "phrase": phrase, "plural": plural}
        leaf: Leaf = deepcopy(_at(self.raw["tree"], self.places[internal]))
        share = self.raw["means"]["category"][internal][word]
        if word_key(word) not in (word_key(leaf["phrase"]), word_key(internal)):
            leaf |= {"phrase": phrase, "plural": plural, "synonyms": []}
        if "imagenet" in leaf:
            shares = leaf["imagenet"]
            shares = dict.fromkeys(shares, 1.0) if isinstance(shares, list) else shares
            leaf["imagenet"] = {c: max(1e-6, round(0.999 * p * share, 6)) for c, p in shares.items()}
        return self.places[internal][:-1], leaf

    def _extend_schemas(self, leaves: Mapping[str, Leaf]) -> None:
        """Give the shop's leaves a schema of their own, with the attributes that its listings of them state first."""
        stated, rows = dict[str, Counter[str]](), Counter[str]()
        for word, leaf in leaves.items():
            stated.setdefault(leaf["uses"], Counter()).update(self.table.kinds[word].states)
            rows[leaf["uses"]] += self.table.kinds[word].rows
        for name, counts in stated.items():
            schema = deepcopy(self.raw["schemas"][name])
            shops = [a for a in self.table.values if counts[a] >= MIN_STATED * rows[name]]
            schema["attributes"] = list(dict.fromkeys([*shops, *schema["attributes"]]))
            self.raw["schemas"][f"shop {name}"] = schema
        for leaf in leaves.values():
            leaf["uses"] = f"shop {leaf['uses']}"


def spoken(word: str, kind: Kind) -> tuple[str, bool]:
    """The phrase for a kind in texts, and whether it is a plural: as in most titles of its listings."""
    phrase = plain_name(word)
    *first, last = phrase.split() or [phrase]
    one = singular(last)
    several = kind.title_words[last] > kind.title_words[one] if one != last else False
    if one != last and not kind.title_words[last] and not kind.title_words[one]:
        several = True
    return " ".join([*first, last if several else one]), several


def _reworded(
    block: Mapping[str, Any], counts: Mapping[str, int], internal: Mapping[str, str], label: str
) -> dict[str, Any]:
    """An attribute's block with the shop's words for its values; texts say them as they said what they mean.

    Values of ours that the shop has no word for stay as they are: its next item may be the first of them.
    """
    forms, phrases = block.get("forms", {}), block.get("phrases", {})
    first = {value: word for word, value in reversed(list(internal.items()))}
    unseen = [value for value in block["values"] if value not in first and value not in counts]
    dropped = ("unsettled", "choices", "value_labels")
    new = {key: value for key, value in block.items() if key not in dropped}
    new |= {"label": label, "values": [*counts, *unseen], "forms": {}, "phrases": {}}
    new["unspoken"] = [word for word in new["values"] if internal.get(word, word) in block.get("unspoken", ())]
    for word in new["values"]:
        value = internal.get(word, word)
        alone = first.get(value, word) == word
        new["phrases"][word] = list(dict.fromkeys([word.lower(), *(phrases.get(value, ()) if alone else ())]))
        if value in forms and alone:
            new["forms"][word] = forms[value]
        elif forms and all("before" in form for form in forms.values()):
            new["forms"][word] = {"before": [word.lower()]}
    return new


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Any:
    for name, block in tree.items():
        if "uses" not in block:
            yield from _leaves(block, (*path, str(name)))
        elif name != GROUP:
            yield str(name), (*path, str(name))


def _at(tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def _group(tree: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The group at a path, made where there is none."""
    for part in path:
        tree = tree.setdefault(part, {})
    return tree


def _tidy(tree: dict[str, Any], kinds: Collection[str], root: bool = True) -> None:
    """Take out groups without leaves; a group that is called like a kind can be stated no more, as one name is both."""
    for name, block in list(tree.items()):
        if (root and name in LEAF_KEYS) or "uses" in block:
            continue
        _tidy(block, kinds, root=False)
        if name in kinds:
            block.pop(GROUP, None)
        if not block.keys() - {GROUP}:
            del tree[name]
