"""Photos as tables name them: by a path, or by an address on the web.

What is on the web is fetched within limits, kept on disk, never from this machine's own network. Every address,
redirects included, is resolved here, and the connection goes to the number that was looked at: a name that means
something else a moment later leads nowhere else.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    import httpx

Resolve = Callable[[str, int], list[str]]  # host, port -> its addresses
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class FetchProblem(ValueError):
    """A photo cannot be fetched; the message says why, after "its photo"."""


@dataclass(frozen=True)
class FetchLimits:
    """``bytes`` of a photo, ``seconds`` for it with all redirects, ``refusals`` of a host until it is left alone."""

    bytes: int = 25_000_000
    seconds: float = 20.0
    redirects: int = 4
    refusals: int = 5
    at_once: int = 4


def is_address(name: str) -> bool:
    """True if a photo's name is an address on the web rather than a path."""
    return name.lower().startswith(("http://", "https://"))


def photo_path(name: str, folders: Sequence[Path]) -> Path:
    """The file of a path, relative to one of ``folders``, or of a ``file:`` address; where there is none, the first."""
    parts = urlsplit(name) if name[:5].lower() == "file:" else None
    places = [folder / (url2pathname(parts.path) if parts else name) for folder in folders]
    return next((place for place in places if os.path.isfile(place)), places[0])


def find_photos(names: Iterable[str], find: Callable[[str], Path], fetcher: Fetcher) -> dict[str, Path | FetchProblem]:
    """Name -> its file, or why there is none. ``find``: what is no address on the web."""
    unique = dict.fromkeys(names)
    fetched = fetcher.fetch_all(name for name in unique if is_address(name))
    return {name: fetched.get(name) or find(name) for name in unique}


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host; FetchProblem: it has none."""
    try:
        return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    except (OSError, UnicodeError) as error:
        raise FetchProblem(f"is on {host}, which is not known") from error


def is_public(address: str) -> bool:
    """True if an IP address is one of the open Internet, also as an IPv6 address that stands for an IPv4 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


@dataclass
class Fetcher:
    """Fetches into ``folder`` what is not there already. ``transport`` and ``resolve`` are for tests."""

    folder: Path
    limits: FetchLimits = FetchLimits()
    transport: httpx.BaseTransport | None = None
    resolve: Resolve = resolve
    refused: Counter[str] = field(default_factory=Counter)

    def fetch_all(self, addresses: Iterable[str]) -> Mapping[str, Path | FetchProblem]:
        """Address -> its file, or why there is none."""
        unique = list(dict.fromkeys(addresses))
        if not unique:
            return {}
        self.folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(self.limits.at_once) as pool:
            return dict(zip(unique, pool.map(self._fetch, unique), strict=True))

    def _fetch(self, address: str) -> Path | FetchProblem:
        import httpx

        file = self.folder / hashlib.sha256(address.encode()).hexdigest()[:32]
        if file.is_file():
            return file
        host = _host(address)
        if self.refused[host] >= self.limits.refusals:
            return FetchProblem(f"is on {host}, which did not answer {self.limits.refusals} times and is left alone")
        try:
            data = self._follow(address)
        except FetchProblem as problem:
            return problem
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            self.refused[host] += 1
            return FetchProblem(f"cannot be fetched: {host} does not answer")
        partial = file.with_name(f"{file.name}.{os.getpid()}.part")
        partial.write_bytes(data)
        partial.replace(file)
        return file

    def _follow(self, address: str) -> bytes:
        """The content at the end of the redirects, each of which is looked at like the first address."""
        import httpx

        until = time.monotonic() + self.limits.seconds
        url = httpx.URL(address)
        with httpx.Client(transport=self.transport, trust_env=False, timeout=min(10.0, self.limits.seconds)) as client:
            for _ in range(self.limits.redirects + 1):
                numeric, headers, extensions = self._pinned(url)
                with client.stream("GET", numeric, headers=headers, extensions=extensions) as answer:
                    if answer.has_redirect_location:
                        url = url.join(answer.headers["location"])
                        continue
                    return self._content(answer, until)
        raise FetchProblem(f"is behind more than {self.limits.redirects} redirects")

    def _pinned(self, url: httpx.URL) -> tuple[httpx.URL, dict[str, str], dict[str, str]]:
        """The address by number, with what the host must be told to know its name."""
        if url.scheme not in ("http", "https") or not url.host or url.userinfo:
            raise FetchProblem("has an address that is not plain http or https")
        hosts = self.resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        if not hosts or not all(is_public(address) for address in hosts):
            raise FetchProblem(f"is on {url.host}, an address of a private network, which is never fetched")
        headers = {"Host": url.netloc.decode(), "Accept": "image/*", "User-Agent": "ipl"}
        return url.copy_with(host=hosts[0]), headers, {"sni_hostname": url.host}

    def _content(self, answer: httpx.Response, until: float) -> bytes:
        if answer.status_code != 200:
            raise FetchProblem(f"is not there any more (answer {answer.status_code})")
        if answer.headers.get("content-type", "").startswith("text/"):
            raise FetchProblem("is a page, not a photo")
        data = bytearray()
        for chunk in answer.iter_bytes(65_536):
            data += chunk
            if len(data) > self.limits.bytes:
                raise FetchProblem(f"is larger than {self.limits.bytes / 1e6:.0f} MB")
            if time.monotonic() > until:
                raise FetchProblem(f"takes longer than {self.limits.seconds:.0f} seconds")
        return bytes(data)


def _host(address: str) -> str:
    return address.split("//", 1)[-1].split("/", 1)[0].rpartition("@")[2].lower()
