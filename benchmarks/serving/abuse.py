"""Attacks of strangers on a real ``ipl serve``, and what a signed-in person notices of them::

    python -m benchmarks.serving.abuse [--seconds 30] [--sockets 300] [--at-once 40] [--phase NAME]

On this machine alone and on a home of its own: idle and half-open connections, large bodies without a token, bodies
that come byte by byte (from three addresses, and from the one that the signed-in person has), searches one behind the
other on each connection, connections that hang up and come again without a pause, bursts of sign-ins, GETs from another
site, addresses in the place of files; then a signed-in person's photos that unpack to hundreds of megabytes. Each lasts
``--seconds``; meanwhile another person reads the feed and their listings ten times a second, on a connection that stays
and on new ones. Prints JSON lines: by phase the person's calls (p50 and slowest in milliseconds, and what was not
answered), the strangers' answers by status, the server's resident memory, how much more lies on the disk (home and
temporary files) and in the log. Exit status 1: a call of the signed-in person over ``--most-ms`` or unanswered,
somebody who could not sign in, memory over ``--most-mb``, more than ``--most-disk-mb`` on the disk, an address that was
fetched, a GET of another site that was answered, or a trace in the server's log.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import secrets
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.common import arguments, verdict
from benchmarks.serving.abuse_target import Probe, Target, server, sign_in

BODY_MB = 200
# Of this machine: signed-in people come from 127.0.0.1.
ELSEWHERE, HERE = ("127.0.0.2", "127.0.0.3", "127.0.0.4"), ("127.0.0.1",)
SLOW_HEAD = (
    b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 1000\r\n\r\nname=ann&password="
)
SEARCH = b"GET /feed?q=jacket HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
BEHIND = 200  # searches that are sent one behind the other
FOREIGN = {"Origin": "http://evil.example", "Referer": "http://evil.example/", "Sec-Fetch-Site": "cross-site"}


Answers = Counter[str]
Attack = Callable[[Target, argparse.Namespace, Answers], Coroutine[Any, Any, None]]


async def many(args: argparse.Namespace, answers: Answers, one: Callable[[int], Awaitable[object]]) -> None:
    """``one`` again and again by ``--at-once`` strangers until the time is over; what comes back is counted."""
    until = time.monotonic() + args.seconds

    async def stranger(number: int) -> None:
        while time.monotonic() < until:
            try:
                answers[str(await one(number))] += 1
            except (httpx.HTTPError, OSError) as error:
                answers[type(error).__name__] += 1
                await asyncio.sleep(0.05)

    await asyncio.gather(*(stranger(n) for n in range(args.at_once)))


async def quiet(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Nobody does anything, to compare with."""
    await asyncio.sleep(args.seconds)


async def idle(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Connections that send nothing, half a header, or a header without its body."""
    begun = (
        b"",
        b"GET /v1/listings HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Wait: ",
        b"POST /v1/drafts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        b"Content-Length: 1000000\r\n\r\n",
    )
    writers = []
    for number in range(args.sockets):
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(*target.address), 2)
        except (OSError, TimeoutError) as error:
            answers[f"connect: {type(error).__name__}"] += 1
            continue
        with suppress(OSError):
            writer.write(begun[number % 3])
            await writer.drain()
        writers.append((reader, writer))
    await asyncio.sleep(args.seconds)
    for reader, writer in writers:
        with suppress(OSError, TimeoutError):
            first = await asyncio.wait_for(reader.read(16), 0.01)
            answers[first[9:12].decode("latin-1") or "closed"] += 1
        writer.close()


async def bodies(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Large bodies without a token, to every route that takes one."""
    routes = ("/v1/drafts", "/v1/posts", "/v1/listings/search", "/gradio_api/upload", "/sign-in")
    block = secrets.token_bytes(1 << 16)

    async def body(boundary: str) -> Any:
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'.encode()
        for _ in range(BODY_MB * 16):
            yield block

    async def one(number: int) -> int:
        async with httpx.AsyncClient(base_url=target.url, timeout=20) as client:
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            return (await client.post(routes[number % len(routes)], content=body("x"), headers=headers)).status_code

    await many(args, answers, one)


async def slow_bodies(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Sign-ins whose bodies come byte by byte, from three addresses, as many of each as the server lets in."""
    await _slow_bodies(target, args, answers, ELSEWHERE)


async def slow_bodies_beside(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """The same from the one address that the signed-in person shares with the strangers."""
    await _slow_bodies(target, args, answers, HERE)


async def _slow_bodies(target: Target, args: argparse.Namespace, answers: Answers, sources: Sequence[str]) -> None:
    until = time.monotonic() + args.seconds

    async def stranger(source: str) -> None:
        while time.monotonic() < until:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(*target.address, local_addr=(source, 0))
                writer.write(SLOW_HEAD)
                answers[await _trickle(reader, writer, until)] += 1
                writer.close()
            await asyncio.sleep(args.pause)

    async def owner() -> None:
        await asyncio.sleep(args.seconds / 2)
        try:
            status = (await asyncio.to_thread(sign_in, target, "ann")).status_code
        except httpx.HTTPError:
            status = 0
        answers["OWNER LOCKED OUT"] += status != 303

    await asyncio.gather(owner(), *(stranger(source) for source in sources for _ in range(args.slow)))


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, until: float) -> str:
    """The status that came while a body was sent byte by byte; or that the connection was closed, or lasted."""
    try:
        while time.monotonic() < until:
            writer.write(b"a")
            with suppress(TimeoutError):
                return (await asyncio.wait_for(reader.read(16), 1))[9:12].decode("latin-1") or "closed"
    except OSError:
        return "closed"
    return "waiting"


async def pipelining(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Searches one behind the other on each of ``--sockets`` connections; none waits for an answer."""

    async def read(reader: asyncio.StreamReader, number: int) -> str:
        while got := await reader.read(1 << 16):
            answers["answered"] += got.count(b"HTTP/1.1 200")
        return "closed"

    await _asking(target, args, answers, SEARCH * BEHIND, read)


async def reconnecting(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """A search on each connection, and then another; every second one hangs up unanswered, ``--pause`` apart."""

    async def read(reader: asyncio.StreamReader, number: int) -> str:
        if number % 2:
            return (await reader.read(1 << 16))[9:12].decode("latin-1") or "closed"
        await asyncio.sleep(args.pause * random.random() * 2)
        return "hung up"

    await _asking(target, args, answers, SEARCH, read)


async def _asking(
    target: Target,
    args: argparse.Namespace,
    answers: Answers,
    sent: bytes,
    read: Callable[[asyncio.StreamReader, int], Awaitable[str]],
) -> None:
    until = time.monotonic() + args.seconds

    async def stranger(number: int) -> None:
        while (left := until - time.monotonic()) > 0:
            try:
                source = (*ELSEWHERE, *HERE)[number % 4]
                reader, writer = await asyncio.open_connection(*target.address, local_addr=(source, 0))
                writer.write(sent)
                answers[await asyncio.wait_for(read(reader, number), left)] += 1
                writer.transport.abort()
            except OSError as error:  # TimeoutError is one
                answers[type(error).__name__] += 1
                await asyncio.sleep(0.05)

    await asyncio.gather(*(stranger(n) for n in range(args.sockets)))


async def sign_ins(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Guesses at a name that is there, and names that are not."""

    async def one(number: int) -> int:
        name = "ann" if number % 2 else secrets.token_hex(4)
        async with httpx.AsyncClient(base_url=target.url, timeout=20) as client:
            return (await client.post("/sign-in", data={"name": name, "password": secrets.token_hex(8)})).status_code

    await many(args, answers, one)
    again = await asyncio.to_thread(sign_in, target, "ann")
    answers["OWNER LOCKED OUT"] += again.status_code != 303


async def cross_site(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Pictures on another site whose address is a GET of ours, with and without the person's cookie."""
    cookies = target.cookies["mallory"]

    async def one(number: int) -> int:
        path = ("/v1/feed/me", "/sign-out", "/v1/feed/me?size=50")[number % 3]
        async with httpx.AsyncClient(
            base_url=target.url, timeout=20, cookies=cookies if number % 2 else None
        ) as client:
            status = (await client.get(path, headers=FOREIGN)).status_code
            if status < 400 and "feed" in path:
                answers["WRITES"] += 1
            return status

    await many(args, answers, one)


async def addresses(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """Addresses in the place of uploaded files; whoever fetches one is counted by the listener behind it."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        hits = asyncio.create_task(_count(trap, answers))
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/a.jpg"
        cookies = target.cookies["mallory"]
        with httpx.Client(base_url=target.url, cookies=cookies, timeout=20) as client:
            answer = client.get("/config")
            count = len(answer.json()["dependencies"]) if answer.is_success else 10
        file = {"path": url, "url": url, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}

        async def one(number: int) -> int:
            body = {"data": [None, [file]], "fn_index": number % count, "session_hash": secrets.token_hex(5)}
            sent = cookies if number % 2 else None
            async with httpx.AsyncClient(base_url=target.url, timeout=20, cookies=sent) as client:
                return (await client.post("/gradio_api/run/predict", json=body)).status_code

        await many(args, answers, one)
        await asyncio.sleep(0.5)
        hits.cancel()


async def _count(trap: socket.socket, answers: Answers) -> None:
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(trap)
        answers["FETCHED"] += 1
        connection.close()


def bombs() -> list[tuple[str, bytes]]:
    """Small files that unpack to as much as the limits of pixels let through."""
    files = []
    for mode, pixels in (("RGBA", 59e6), ("I;16", 59e6), ("P", 59e6), ("RGBA", 23e6), ("RGB", 59e6)):
        side = int(pixels**0.5)
        form = "JPEG" if mode == "RGB" else "PNG"
        image = Image.new(mode, (side, side))
        file = io.BytesIO()
        image.save(file, form)
        files.append((f"{mode}-{side}.{form.lower()}", file.getvalue()))
    return files


async def unpacking(target: Target, args: argparse.Namespace, answers: Answers) -> None:
    """A signed-in person sends photos that unpack to hundreds of megabytes, as many at once as they like."""
    files = bombs()
    headers = {"Authorization": f"Bearer {target.tokens['mallory']}"}

    async def one(number: int) -> int:
        async with httpx.AsyncClient(base_url=target.url, timeout=120, headers=headers) as client:
            photo = files[number % len(files)]
            return (await client.post("/v1/listings/search", files={"photo": photo})).status_code

    await many(args, answers, one)


PHASES: tuple[Attack, ...] = (
    quiet, idle, bodies, slow_bodies, slow_bodies_beside, pipelining, reconnecting, sign_ins, cross_site, addresses,
    unpacking,
)  # fmt: skip


def attacked(attack: Attack, target: Target, args: argparse.Namespace) -> Answers:
    """What came back of an attack."""
    answers: Answers = Counter()
    asyncio.run(attack(target, args, answers))
    return answers


def run(target: Target, args: argparse.Namespace) -> list[str]:
    """All phases; returns what must not be, one sentence each."""
    wrong: list[str] = []
    for attack in (phase for phase in PHASES if phase.__name__ in args.phase or not args.phase):
        began, logged = time.monotonic(), target.log.stat().st_size
        # In a process of their own: here the strangers would take the interpreter's lock from the person who reads.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            pool.submit(time.sleep, 0).result()
            with Probe(target) as probe:
                answers = pool.submit(attacked, attack, target, args).result()
        slowest, log = max(probe.ms, default=0.0), target.log.read_bytes()[logged:]
        figures = {
            "phase": attack.__name__, "seconds": round(time.monotonic() - began), "calls": len(probe.ms),
            "p50_ms": round(float(np.median(probe.ms))) if probe.ms else None, "slowest_ms": round(slowest),
            "not_answered": dict(probe.failed), "strangers": dict(answers), "memory_mb": round(probe.memory_mb),
            "disk_mb_more": round(probe.disk_mb, 1), "log_kb": round(len(log) / 1000, 1),
        }  # fmt: skip
        print(json.dumps(figures), flush=True)
        checks = {
            f"{len(probe.ms)} calls of the signed-in person": len(probe.ms) > 0,
            f"the slowest call took {slowest:.0f} ms": slowest <= args.most_ms,
            f"calls were not answered: {dict(probe.failed)}": not probe.failed,
            f"the server took {probe.memory_mb:.0f} MB of memory": probe.memory_mb <= args.most_mb,
            f"{probe.disk_mb:.0f} MB more lay on the disk": probe.disk_mb <= args.most_disk_mb,
            f"{log.count(b'Traceback')} traces in the server's log": b"Traceback" not in log,
            "the owner of the name could not sign in": not answers["OWNER LOCKED OUT"],
            f"{answers['FETCHED']} addresses were fetched": not answers["FETCHED"],
            f"{answers['WRITES']} GETs of another site were answered": not answers["WRITES"],
        }
        wrong += [f"{attack.__name__}: {sentence}" for sentence, right in checks.items() if not right]
    return wrong


def main() -> int:
    """Run; returns the exit status."""
    parser = arguments(__doc__, most_ms=1000.0, most_mb=2500.0, most_disk_mb=100.0)
    parser.add_argument("--seconds", type=float, default=30, help="of each phase")
    parser.add_argument("--sockets", type=int, default=300, help="connections of each attack that holds some")
    parser.add_argument("--at-once", type=int, default=40, help="strangers who ask at the same time")
    parser.add_argument("--slow", type=int, default=256, help="slow bodies of each address at the same time")
    parser.add_argument("--pause", type=float, default=0.2, help="seconds until who was cut off or hung up comes back")
    names = [attack.__name__ for attack in PHASES]
    parser.add_argument("--phase", action="append", choices=names, default=[], help="only this one; may be repeated")
    args = parser.parse_args()
    with server() as target:
        wrong = run(target, args)
    return verdict(wrong)


if __name__ == "__main__":
    sys.exit(main())
