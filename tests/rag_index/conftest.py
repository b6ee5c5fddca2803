"""Small indexes: 8 numbers a photo, 4 a text, records that only differ where a test says so."""

from __future__ import annotations

import socket
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from rag_index.manifest import EncoderInfo, EncodersInfo
from rag_index.records import IndexRecord

IMAGE, TEXT = 8, 4
INFO = EncodersInfo(
    image=EncoderInfo(model="tower", revision="aaaa", dimensions=IMAGE),
    text=EncoderInfo(model="minilm", revision="bbbb", dimensions=TEXT),
)


def unit(values: np.ndarray) -> list[float]:
    return [float(x) for x in values / np.linalg.norm(values)]


def make(number: int, **changes: object) -> IndexRecord:
    """Listing ``number``: vectors, hash and seller of its own, reproducible."""
    rng = np.random.default_rng(number)
    given: dict[str, object] = {
        "listing_id": f"l{number}",
        "seller_id": f"s{number}",
        "category": "Hat" if number % 2 else "Dress",
        "phashes": [f"{int(rng.integers(0, 2**63)):016x}"],
        "image_vectors": [unit(rng.standard_normal(IMAGE))],
        "text": f"Listing number {number}",
        "text_vector": unit(rng.standard_normal(TEXT)),
        "attributes": {"colour": "blue"},
    }
    return IndexRecord.model_validate({**given, **changes})


class Server:
    """A ``chroma run`` process on a port of its own; ``kill`` is SIGKILL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(sysconfig.get_path("scripts")) / "chroma"
        command = [str(program), "run", "--path", str(self.folder), "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                if httpx.get(f"{self.url}/api/v2/heartbeat").is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)
        raise RuntimeError("chroma run did not come up within 90 s")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "server")
    running.start()
    yield running
    running.kill()


@pytest.fixture(params=["folder", pytest.param("server", marks=pytest.mark.server)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every test of the index runs against both kinds."""
    if request.param == "folder":
        return str(tmp_path / "index")
    found: Server = request.getfixturevalue("server")
    return found.url


@pytest.fixture
def listing() -> Callable[..., IndexRecord]:
    return make
