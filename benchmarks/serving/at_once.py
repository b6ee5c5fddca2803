"""Drafts by a model's server that takes a known time for each request, one at a time and many at once::

    python -m benchmarks.serving.at_once [--seconds 3] [--count 8]

A stand-in server answers every request after ``--seconds``, however many there are. Prints a line each for the pipeline
with stand-ins for what is computed here (``tests/listing/stubs.py``), so that the server alone counts, for the batch
with ``--concurrency 1`` and ``--concurrency COUNT``, and for COUNT sellers who ask a real ``ipl serve`` at the same
time: seconds in all, requests a draft, and how much faster than one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from benchmarks.common import arguments
from benchmarks.serving.real_server import ROOT, environment, served
from listing.backends.chat_server import server_words
from listing.backends.openai import OpenAIBackend
from listing.intake.photos import intake
from listing.pipeline import Pipeline
from listing.request import DraftRequest
from tests.fakes import jpeg
from tests.listing.backends.chat_stub import Answer, Request, Stub, event, prompt_of, reply, seeing, serving
from tests.listing.stubs import parts

FORM = {
    "category": {"value": "hoodie", "sure": 0.9},
    "colour": {"value": "navy", "sure": 0.8},
    "closure": {"value": "zip", "sure": 0.9},
    "details": [{"value": "front pockets", "sure": 0.9}],
}
TEXT = "Navy zip hoodie\nNavy hoodie with a zip and front pockets."


def slow(seconds: float) -> Callable[[Request], Answer]:
    """A server that needs that long for each form and each text."""

    def script(request: Request) -> Answer:
        time.sleep(seconds)
        if request.body.get("stream"):
            return Answer(pieces=(event(TEXT), event(finish="stop")))
        return reply(json.dumps(FORM))

    return lambda request: reply("ok", tokens=9) if prompt_of(request) == "?" else script(request)


def batch(stub: Stub, photos: Path, concurrency: int) -> float:
    """Seconds of ``ipl batch`` between its first and last row's requests: starting the program is not counted."""
    out = photos.parent / f"{concurrency}.jsonl"
    command = [sys.executable, "-P", "-m", "app.cli", "batch", str(photos), "-o", str(out), "--no-rag"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "IPL_SETUP": "0"}
    process = subprocess.run(
        [*command, "--model", stub.url, "--concurrency", str(concurrency)],
        check=False,
        env=variables,
        capture_output=True,
        text=True,
    )
    lines = [line for line in process.stderr.splitlines() if " s  " in line]
    if process.returncode or not lines:
        raise SystemExit(process.stderr[-2000:])
    starts = [r.at for r in stub.chats() if prompt_of(r) != "?"]
    return time.monotonic() - min(starts)


def pipeline(seconds: float, count: int) -> tuple[float, float]:
    """(seconds of one draft, of ``count`` at once) of the pipeline, with stand-ins for what is computed here."""
    with serving(seeing(slow(seconds), logprobs=False)) as stub:
        drafts = Pipeline(parts(OpenAIBackend(stub.url, concurrency=count)))
        requests = [DraftRequest(photos=intake([jpeg((number, 40, 90))])) for number in range(count)]

        def write(request: DraftRequest) -> float:
            began = time.monotonic()
            list(drafts.run(request))
            return time.monotonic() - began

        write(requests[0])  # finds out what the server can
        alone, began = write(requests[0]), time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(write, requests))
        return alone, time.monotonic() - began


def ask(url: str, seller: int) -> None:
    """One draft, to its end."""
    files = {"photos": ("photo.jpg", jpeg((seller, 40, 90)))}
    while (answer := httpx.post(f"{url}/v1/drafts", files=files, timeout=300, trust_env=False)).status_code == 429:
        time.sleep(float(answer.headers["retry-after"]))  # photos of one person are taken in two at a time
    if not answer.is_success or '"Hoodie"' not in answer.text:
        raise SystemExit(f"a draft failed: HTTP {answer.status_code} {server_words(answer.text)}")


def main() -> None:
    args = arguments(__doc__, seconds=3.0, count=8).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        for number in range(args.count):
            (photos / f"{number}.jpg").write_bytes(jpeg((number, 40, 90)))
        one, together = pipeline(args.seconds, args.count)
        print(
            f"pipeline without reading: one draft {one:.1f} s, {args.count} at once {together:.1f} s, "
            f"{one * args.count / together:.1f} times as fast",
            flush=True,
        )
        alone = 0.0
        for concurrency in (1, args.count):
            with serving(seeing(slow(args.seconds), logprobs=False)) as stub:
                took = batch(stub, photos, concurrency)
                alone = alone or took
                requests = sum(prompt_of(r) != "?" for r in stub.chats()) / args.count
            print(
                f"batch, {concurrency} at once: {took:.1f} s for {args.count} drafts, "
                f"{requests:.1f} requests a draft, {alone / took:.1f} times as fast",
                flush=True,
            )
        with serving(seeing(slow(args.seconds), logprobs=False)) as stub:
            variables = environment(Path(folder) / "home", IPL_MODEL=stub.url, IPL_RAG="0")
            variables |= {"IPL_QUEUE_PER_SELLER": str(args.count), "IPL_CONCURRENCY": str(args.count)}
            with served(variables, Path(folder) / "log") as (url, _), ThreadPoolExecutor(args.count) as pool:
                ask(url, 0)
                began = time.monotonic()
                ask(url, 1)
                one = time.monotonic() - began
                list(pool.map(lambda number: ask(url, number), range(args.count)))
                together = time.monotonic() - began - one
        faster = one * args.count / together
        print(f"serve: one draft {one:.1f} s, {args.count} at once {together:.1f} s, {faster:.1f} times as fast")


if __name__ == "__main__":
    main()
