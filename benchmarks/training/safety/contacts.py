"""Train the tagger of contact data: ``python -m benchmarks.training.safety.contacts [--epochs 10] [--out FILE]``.

Learns from ``contacts/`` of ``finetune/annotations/sets``, generated variations (``augment``) and ordinary texts:
descriptions of the clothing annotations, listings of ``goods/`` there. Of ``AUTHORS`` each is left out of one network;
the threshold is chosen on what the networks say of the author that they have not seen, and the tagger averages them.
Written: int8 and float16 weights and settings in one safetensors file, and a line of figures for each author left out
and for all.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from benchmarks.training.safety import goods
from benchmarks.training.safety.augment import Augmenter, Row, number_words
from benchmarks.training.safety.network import Bags, NetworkConfig, TaggerNetwork, bag_tensors
from finetune.data.files import read_lines
from listing.safety.contacts import WEIGHTS, decode, library_matches, merge
from listing.safety.fold import Folded, fold
from listing.safety.tagger import Floats, Tagger, Token, token_features, tokenise

ROOT = Path(__file__).parents[3]
SETS = ROOT / "finetune" / "annotations" / "sets" / "contacts"
CAPTIONS = ROOT / "finetune" / "annotations" / "clothing_cc0.jsonl.gz"
CLASSES = ["none", "phone", "messenger", "email", "url", "address"]
MAX_TOKENS = 160
BATCH_TOKENS = 1_600
# Share of clean rows of unseen authors that one network may flag. These rows are the hard ones ("message me here",
# article numbers), about half of an ordinary mix, and the average of three networks flags fewer.
MAX_ALARMS = 0.04
THRESHOLDS = (0.995, *(n / 100 for n in range(99, 39, -2)))
WEIGHT_DECAY = 0.02
# Times an epoch that a row of an author is shown: rows of one pattern less often than rows written one by one.
SHARES = {"rules": 0.5, "second": 0.7, "third": 2.0, "parents": 3.0, "fashion": 3.0, "evading": 3.0, "writer-a": 3.0}
AVERAGE_DECAY = 0.998
AUTHORS = ("fashion", "evading", "writer-a")  # those whose rows were written one by one, each by another hand
_LIKE_CONTACTS = re.compile(
    r"@|www|https?:|\.com|\bt\.me|whats|telegram|insta|snap|signal|wechat|\d[\d ./-]{6,}\d", re.I
)


def plain(row: dict[str, Any]) -> Row:
    """A set's row as text and spans."""
    return row["text"], [(c["start"], c["end"], c["kind"]) for c in row["contacts"]]


def captions() -> list[str]:
    """Ordinary titles and descriptions."""
    return [row[key] for row in read_lines(CAPTIONS) for key in ("title", "description") if row.get(key)]


def goods_texts() -> list[str]:
    """Listings written for the check of goods; those that look as if they held contact data are left out."""
    rows = goods.read_rows(SETS.parent / "goods")
    return [row["text"] for row in rows if not _LIKE_CONTACTS.search(row["text"])]


class Encoded:
    """Features and labels of one text."""

    def __init__(self, row: Row, words: frozenset[str]) -> None:
        text, spans = row
        self.folded = fold(text)
        self.tokens = tokenise(self.folded)[:MAX_TOKENS]
        self.words, self.forms = token_features(self.folded, self.tokens, words, library_matches(self.folded))
        self.labels = [_label(self.folded, token, spans) for token in self.tokens]


def _label(folded: Folded, token: Token, spans: Sequence[tuple[int, int, str]]) -> int:
    """Class of a token; ``len(CLASSES)`` for contact data of an unknown kind."""
    start = folded.origin[token.start]
    for first, end, kind in spans:
        if first <= start < end:
            return CLASSES.index(kind) if kind in CLASSES else len(CLASSES)
    return 0


def batches(rows: list[Encoded], rng: random.Random) -> list[list[Encoded]]:
    """Rows of similar length together, at most ``BATCH_TOKENS`` places a batch, in random order."""
    ordered = sorted(rows, key=lambda row: len(row.tokens) + 4 * rng.random())
    result, current = list[list[Encoded]](), list[Encoded]()
    for row in ordered:
        if current and (len(current) + 1) * len(row.tokens) > BATCH_TOKENS:
            result.append(current)
            current = []
        current.append(row)
    result.append(current)
    rng.shuffle(result)
    return result


def loss_of(network: TaggerNetwork, batch: list[Encoded], rng: random.Random) -> torch.Tensor:
    """Cross-entropy; for contact data of an unknown kind the probabilities of all kinds count together."""
    mask = torch.zeros(len(batch), max(len(row.tokens) for row in batch), dtype=torch.bool)
    for i, row in enumerate(batch):
        mask[i, : len(row.tokens)] = True
    words: Bags = [bag for row in batch for bag in row.words]
    forms: Bags = [bag for row in batch for bag in row.forms]
    logits = network(bag_tensors(words, 0.1, rng), bag_tensors(forms, 0.05, rng), mask)
    labels = torch.tensor([label for row in batch for label in row.labels])
    logs = torch.log_softmax(logits, dim=-1)
    logs = torch.cat([logs, torch.logsumexp(logs[:, 1:], dim=-1, keepdim=True)], dim=-1)
    return -logs.gather(1, labels[:, None]).mean()


def train_network(
    rows: list[tuple[Row, float]], clean: list[str], *, epochs: int, seed: int, words: frozenset[str]
) -> TaggerNetwork:
    """One network, its weights averaged over the last steps (exponentially).

    rows: each with the mean number of times that an epoch shows it, in new variations. clean: set beside others.
    """
    torch.manual_seed(seed)
    rng = random.Random(seed)
    augment = Augmenter(clean, seed)
    network = TaggerNetwork(NetworkConfig())
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY)
    )
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=WEIGHT_DECAY)
    began, done = time.monotonic(), 0
    for epoch in range(epochs):
        drawn = [row for row, share in rows for _ in range(int(share + rng.random()))]
        encoded = [Encoded(augment(row), words) for row in drawn]
        encoded += [Encoded(augment.phrase(), words) for _ in range(len(drawn) // 6)]
        encoded += [Encoded(augment.clean_row(), words) for _ in range(len(drawn) // 6)]
        total = 0.0
        epoch_batches = batches([row for row in encoded if row.tokens], rng)
        for step, batch in enumerate(epoch_batches):
            progress = (epoch + step / len(epoch_batches)) / epochs
            for group in optimizer.param_groups:
                group["lr"] = 3e-3 * min(1.0, done / 100) * 0.5 * (1 + math.cos(math.pi * progress))
            optimizer.zero_grad()
            loss = loss_of(network, batch, rng)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            averaged.update_parameters(network)
            total, done = total + loss.item(), done + 1
        print(
            f"seed {seed} epoch {epoch} loss {total / len(epoch_batches):.4f} {time.monotonic() - began:.0f} s",
            flush=True,
        )
    result = averaged.module
    assert isinstance(result, TaggerNetwork)
    return result


def save(networks: Sequence[TaggerNetwork], settings: dict[str, Any], path: Path) -> None:
    """Embeddings as int8 with a scale a column, other weights as float16, settings as metadata."""
    tensors = dict[str, Any]()
    for i, network in enumerate(networks):
        for name, value in network.state_dict().items():
            weight = value.detach().numpy()
            if name in ("words.weight", "forms.weight"):
                scale = (np.abs(weight).max(0) / 127).astype(np.float16)
                tensors[f"{i}.{name}.scale"] = scale
                weight = np.round(weight / scale).clip(-127, 127).astype(np.int8)
            tensors[f"{i}.{name}"] = weight if weight.dtype == np.int8 else weight.astype(np.float16)
    save_file(tensors, path, metadata={"settings": json.dumps(settings, ensure_ascii=False)})


class Predictions:
    """Probabilities of a set's rows, to be decoded at any threshold."""

    def __init__(self, rows: list[dict[str, Any]], tagger: Tagger) -> None:
        self.rows, self.tagger = rows, tagger
        self.parts: list[tuple[Folded, list[Token], list[tuple[str, int, int]], Floats]] = []
        for row in rows:
            folded = fold(row["text"])
            tokens, marks = tokenise(folded), library_matches(folded)
            self.parts.append((folded, tokens, marks, tagger.probabilities(folded, tokens, marks)))

    def counts(self, threshold: float, extend: float) -> Counter[str]:
        """Contacts and how many are covered to 90 %, spans and how many are right, clean rows and alarms."""
        result = Counter[str]()
        for row, (folded, tokens, marks, probabilities) in zip(self.rows, self.parts, strict=True):
            matches = decode(tokens, probabilities, self.tagger.classes, threshold, min(extend, threshold))
            spans = merge(folded, [*matches, *(m for m in marks if m[0] != "domain")])
            inside = {i for s in spans for i in range(s.start, s.end)}
            for contact in row["contacts"]:
                marks_of = [i for i in range(contact["start"], contact["end"]) if row["text"][i].isalnum()]
                result["matched"] += sum(i in inside for i in marks_of) >= 0.9 * len(marks_of)
                result["contacts"] += 1
            result["spans"] += len(spans)
            result["right"] += sum(
                any(s.start < c["end"] and c["start"] < s.end for c in row["contacts"]) for s in spans
            )
            result["clean"] += not row["contacts"]
            result["alarms"] += not row["contacts"] and bool(spans)
        return result


def rates(counts: Counter[str]) -> dict[str, float]:
    """Recall over contacts, precision of spans, alarms over clean rows."""
    return {
        "recall": counts["matched"] / max(counts["contacts"], 1),
        "precision": counts["right"] / max(counts["spans"], 1),
        "alarms": counts["alarms"] / max(counts["clean"], 1),
    }


def _pooled(unseen: Sequence[Predictions], threshold: float, extend: float) -> dict[str, float]:
    return rates(sum((predictions.counts(threshold, extend) for predictions in unseen), Counter[str]()))


def choose(unseen: Sequence[Predictions]) -> tuple[float, float]:
    """Threshold and extension of the best recall whose alarms stay within ``MAX_ALARMS``; the safer one of equals."""
    best, chosen = -1.0, (0.99, 0.5)
    for threshold in THRESHOLDS:
        for extend in (0.1, 0.2, 0.3, 0.4, 0.5):
            figures = _pooled(unseen, threshold, extend)
            if figures["alarms"] <= MAX_ALARMS and figures["recall"] > best:
                best, chosen = figures["recall"], (threshold, extend)
    return chosen


def main(argv: Sequence[str] | None = None) -> None:
    """Train, choose the threshold, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args(argv)
    rows = [row for name in ("train", "development") for row in read_lines(SETS / f"{name}.jsonl")]
    ordinary, words = [*captions(), *goods_texts()], number_words()
    networks, unseen = list[TaggerNetwork](), list[Predictions]()
    for seed, author in enumerate(AUTHORS):
        training = [row for row in rows if row["author"] != author]
        clean = [row["text"] for row in training if not row["contacts"]]
        samples = [(plain(row), SHARES[row["author"]]) for row in training]
        samples += [((text, []), 1.0) for text in random.Random(seed).sample(ordinary, 5_000)]
        networks.append(train_network(samples, [*clean, *ordinary[:3_000]], epochs=args.epochs, seed=seed, words=words))
        save(networks[-1:], _settings(1, args.epochs, words), args.out)
        unseen.append(Predictions([row for row in rows if row["author"] == author], Tagger(args.out)))
    threshold, extend = choose(unseen)
    save(networks, {**_settings(len(networks), args.epochs, words), "threshold": threshold, "extend": extend}, args.out)
    for author, predictions in zip(AUTHORS, unseen, strict=True):
        print(json.dumps({"left out": author, **rates(predictions.counts(threshold, extend))}))
    print(json.dumps({"threshold": threshold, "extend": extend, **_pooled(unseen, threshold, extend)}))


def _settings(networks: int, epochs: int, words: frozenset[str]) -> dict[str, Any]:
    return {
        "classes": CLASSES, "threshold": 0.9, "extend": 0.3, "number_words": sorted(words),
        "dilations": NetworkConfig().dilations, "networks": networks, "epochs": epochs,
    }  # fmt: skip


if __name__ == "__main__":
    main()
