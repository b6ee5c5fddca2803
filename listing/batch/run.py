"""Drafts of many items: a folder or a JSONL in, a JSONL out, in input order.

The output depends on the input and the model alone: draft and photo ids are derived from the row's id, and timings are
left out, so that a run that was killed and resumed gives byte for byte what an undisturbed run gives. A row that cannot
be used is reported in its place; only what concerns all rows (the model, the disk) stops the run.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from listing.backends.base import BackendError, RepliesUnreadable, ServerError
from listing.backends.stopping import current_wish, wait
from listing.batch.ray import ray_ordered
from listing.batch.workers import Crash, PipelineFactory, at_once, ordered
from listing.errors import IplError
from listing.home import ipl_home
from listing.intake.photos import PhotoError, intake
from listing.request import DraftEvent, DraftPipeline, DraftRequest
from listing.say.ask import readable
from rag_index.imports.fetch import Fetcher, FetchProblem, find_photos, is_address, photo_path

# Seconds between two tries of a row while its model's server is away; one that is there fails three times, no more.
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, *[30.0] * 9)
FAULTS, FAULTY_ROWS = 3, 5  # of a server: tries of one row, and rows in a row that end the run
SERVER = "server"  # the code of a row at which it fails
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"})


class BatchInputError(IplError, ValueError):
    """The input cannot be used as a whole; the message is one sentence that says what to do."""

    exit_status = 2
    http_status = 422


class _Line(BaseModel):
    """A line of the input JSONL; paths are relative to the JSONL's folder."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(min_length=1, max_length=200)
    photos: list[str] = Field(min_length=1)
    note: str = ""
    category: str | None = None
    seller_id: str | None = None


@dataclass(frozen=True)
class Row:
    """One item; ``problem`` is (code, message) when the line itself is unusable. ``base`` is where its paths start."""

    id: str
    photos: tuple[str, ...] = ()
    note: str = ""
    category: str | None = None
    seller_id: str | None = None
    base: Path = Path()
    problem: tuple[str, str] | None = None


@dataclass(frozen=True)
class Summary:
    """rows: in the output now; failed: of them, reported as errors; resumed: of them, from an earlier run."""

    rows: int
    failed: int
    resumed: int

    @property
    def error_rate(self) -> float:
        return self.failed / self.rows if self.rows else 0.0


Progress = Callable[[int, Mapping[str, Any]], None]
ENGINES = {"local": ordered, "ray": ray_ordered, "threads": at_once}


def read_rows(source: Path) -> Iterator[Row]:
    """The items of a folder (see ``listing.batch.run``) or of a JSONL, in order.

    Raises:
        BatchInputError: there is no such folder or file (a folder without a photo raises PhotoError).
    """
    if source.is_dir():
        for name, photos in find_items(source):
            yield Row(id=name, photos=tuple(p.relative_to(source).as_posix() for p in photos), base=source)
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise BatchInputError(
            f"{source} cannot be read ({error.strerror}): name a folder with photos or a JSONL file."
        ) from error
    ids: set[str] = set()
    with file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield _parse(line, number, source.parent, ids)


def first_unusable(source: Path) -> str:
    """A sentence of the first item that cannot be used, as far as can be seen without opening photos; "": all can.

    Raises:
        BatchInputError: none can be used; see ``read_rows``.
    """
    first, bad, count = "", 0, 0
    for count, row in enumerate(read_rows(source), 1):  # noqa: B007
        local = [photo_path(name, [row.base]) for name in row.photos if not is_address(name)]
        missing = next((file for file in local if not os.path.isfile(file)), None)
        if row.problem or missing:
            first = first or (row.problem[1] if row.problem else f"{row.id}: there is no file {missing}.")
            bad += 1
    if count and bad == count:
        raise BatchInputError(f"no item of {source} can be used; {first}")
    return first


def photo_files(names: Sequence[str], base: Path) -> list[Path]:
    """Files of the photos that somebody names: by path, from ``base`` on, or by address. PhotoError: not fetched."""
    files = find_photos(names, lambda name: photo_path(name, [base]), Fetcher(ipl_home() / "imports" / "photos"))
    for name in names:
        if isinstance(problem := files[name], FetchProblem):
            raise PhotoError("unreadable", f"the photo {name} {problem}.")
    return [file for name in names if isinstance(file := files[name], Path)]


def _parse(line: bytes, number: int, base: Path, ids: set[str]) -> Row:
    fallback = f"line {number}"
    try:
        parsed = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the line"
        return Row(id=fallback, problem=("bad_row", f"Line {number} is not a usable row ({where}: {first['msg']})."))
    if parsed.id in ids:
        repeated = f"Line {number} repeats the id '{parsed.id}'; give each row its own."
        return Row(id=parsed.id, problem=("duplicate_id", repeated))
    ids.add(parsed.id)
    return Row(parsed.id, tuple(parsed.photos), parsed.note, parsed.category, parsed.seller_id, base)


def draft_row(pipeline: DraftPipeline, row: Row) -> dict[str, Any]:
    """The output row of one item: ``{id, photos, draft}`` or ``{id, photos, error: {code, message}}``.

    A server that is away is waited for, one that fails is asked again.

    Raises:
        BackendError, MemoryError, OSError (disk full): what no other row would survive either.
    """
    if row.problem:
        return failed(row, *row.problem)
    faults = 0
    for pause in PAUSES:
        try:
            return _drafted(pipeline, row)
        except ServerError as error:
            if 300 <= error.status < 500:
                raise
            faults += not error.away
            if faults == FAULTS:
                return failed(row, SERVER, str(error))
        wait(pause, current_wish())
    return _drafted(pipeline, row)


def _drafted(pipeline: DraftPipeline, row: Row) -> dict[str, Any]:
    try:
        numbers = itertools.count()
        photos = intake(photo_files(row.photos, row.base), new_id=lambda: _derived(row.id, next(numbers)))
        request = DraftRequest(photos=photos, note=row.note, seller_id=row.seller_id, category=row.category)
        drafts = [event.draft for event in pipeline.run(request) if isinstance(event, DraftEvent)]
        draft = readable(drafts[-1]).model_copy(update={"id": _derived(row.id, "draft"), "timing_ms": {}})
        return {"id": row.id, "photos": list(row.photos), "draft": draft.model_dump(mode="json")}
    except RepliesUnreadable as error:
        return failed(row, error.code, str(error))
    except (BackendError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        if isinstance(error, ValueError) and type(error).__module__.startswith("listing."):
            return failed(row, getattr(error, "code", "refused"), str(error))
        return failed(row, "failed", f"The draft could not be made ({type(error).__name__}: {error}).")


def failed(row: Row, code: str, message: str) -> dict[str, Any]:
    """The output row of an item that could not be drafted."""
    return {"id": row.id, "photos": list(row.photos), "error": {"code": code, "message": message}}


def _derived(row_id: str, what: int | str) -> str:
    """32 hex digits, the same in every run."""
    return hashlib.sha256(json.dumps([row_id, what]).encode()).hexdigest()[:32]


def run_batch(
    source: Path,
    out: Path,
    factory: PipelineFactory,
    *,
    workers: int = 1,
    engine: str = "local",
    resume: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Write one line to ``out`` for every item of ``source``; each line is on the disk before the next is begun.

    factory: makes a pipeline; with several workers it is pickled and called once in each process. workers: processes;
    1 works in this one. engine: whose processes (or threads of this one), a key of ``ENGINES``; the output is the same.
    resume: go on after the last whole line of ``out``. progress: called with the number of rows in ``out`` and the
    newest of them.

    Raises:
        BatchInputError: the input is unusable, or ``out`` does not belong to it.
        BatchError: ``out`` cannot be written, or a row needs more memory than there is.
        BackendError: the model cannot be used; ``resume`` goes on from there.
        RayMissing: the engine is Ray, and Ray is not installed or does not answer.
    """
    rows = read_rows(source)
    if (first := next(rows, None)) is None:
        raise BatchInputError(f"{source} holds no row.")
    rows = itertools.chain([first], rows)
    with Output.open(out, resume=resume) as output:
        done, failures = _skip_done(rows, output, out)
        resumed, faulty = done, 0
        try:
            for row, result in ENGINES[engine](rows, draft_row, factory, workers):
                line = result
                if isinstance(result, Crash):
                    line = failed(row, "crashed", "The process that worked on this row died.")
                output.append(line)
                done, failures = done + 1, failures + ("error" in line)
                if progress:
                    progress(done, line)
                faulty = faulty + 1 if line.get("error", {}).get("code") == SERVER else 0
                if faulty == FAULTY_ROWS:
                    raise BackendError(line["error"]["message"])
        except BackendError as error:
            if not done:
                raise
            go_on = f"then the same command with --resume goes on after the {done} items in {out}"
            raise BackendError(f"{str(error).rstrip('.')}; {go_on}.") from error
    return Summary(done, failures, resumed)


def _skip_done(rows: Iterable[Row], output: Output, out: Path) -> tuple[int, int]:
    """Take from ``rows`` what ``output`` holds already; returns how many, and how many of them failed."""
    done = failures = 0
    pairs = iter(rows)
    for line in output.existing():
        row = next(pairs, None)
        if row is None or line.get("id") != row.id or line.get("photos") != list(row.photos):
            raise BatchInputError(
                f"{out} was written for another input (row {done + 1} differs): name another file with -o."
            )
        done, failures = done + 1, failures + ("error" in line)
    return done, failures


class BatchError(IplError, RuntimeError):
    """The batch cannot go on; the message is one sentence that says what to do."""


class Output:
    """A JSONL file that one run at a time extends. Use as a context manager."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._end = 0

    @classmethod
    def open(cls, path: Path, *, resume: bool) -> Output:
        """Open; BatchError: it exists (without ``resume``), another run writes to it, or it cannot be written."""
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            raise BatchError(f"{path} cannot be written ({error.strerror}): name another file with -o.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released when the process ends, however it ends
        except OSError as error:
            os.close(descriptor)
            raise BatchError(f"another run is writing to {path}: wait for it, or name another file with -o.") from error
        if os.fstat(descriptor).st_size and not resume:
            os.close(descriptor)
            raise BatchError(f"{path} exists already: add --resume to go on with it, or name another file with -o.")
        return cls(path, descriptor)

    def __enter__(self) -> Output:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)

    def existing(self) -> Iterator[dict[str, Any]]:
        """The whole lines, in order; then a torn last line is cut off, so that appending starts a line of its own.

        BatchError: a line in the middle is no JSON, so the file is something else.
        """
        if not os.fstat(self._descriptor).st_size:
            return
        with open(self._descriptor, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                if (parsed := _parsed(line)) is None:
                    if next(file, None) is not None:
                        raise BatchError(f"{self.path} is damaged at line {number}: move it away and start again.")
                    break
                self._end += len(line)
                yield parsed
        if self._end < os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one line, which is on the disk then; BatchError: it is not, and its part is cut off again."""
        line = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode()
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fsync(self._descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):  # if even that fails, the next run heals it
                os.ftruncate(self._descriptor, self._end)
            raise BatchError(
                f"{self.path} cannot be written any further ({error.strerror}): free some space, then run the same "
                "command with --resume."
            ) from error
        self._end += len(line)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The row, or None when the line was not written to its end."""
    if not line.endswith(b"\n"):
        return None
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def find_items(path: Path | str) -> list[tuple[str, list[Path]]]:
    """(id, photo files) of every item in ``path``, ordered by name; the id is the photo's or the subfolder's name.

    Hidden entries and files that are no photos by name are passed over. What lies in a subfolder's own subfolders
    is not looked at. A subfolder without a photo stays, with an empty list, so that it is reported in its place.

    Raises:
        PhotoError: the folder is missing, cannot be read, or holds no photo at all (code ``no_photo``).
    """
    folder = Path(path)
    if not folder.is_dir():
        raise PhotoError("no_photo", f"{folder} is not a folder; name a folder with photos.")
    items: list[tuple[str, list[Path]]] = []
    for entry in _entries(folder):
        if entry.is_dir():
            items.append((entry.name, [file for file in _entries(entry) if _is_photo(file)]))
        elif _is_photo(entry):
            items.append((entry.name, [entry]))
    if not any(photos for _, photos in items):
        kinds = ", ".join(sorted(PHOTO_SUFFIXES))
        raise PhotoError("no_photo", f"{folder} holds no photo ({kinds}); name a folder with photos.")
    return items


def _entries(folder: Path) -> list[Path]:
    try:
        visible = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise PhotoError("unreadable", f"{folder} cannot be read; check its permissions.") from error
    return sorted(visible, key=lambda entry: (entry.name.casefold(), entry.name))


def _is_photo(entry: Path) -> bool:
    """By name; a dangling link counts, so that it is reported instead of silently left out."""
    return entry.suffix.lower() in PHOTO_SUFFIXES and not entry.is_dir()
