"""What a package needs to be installed: every import declared, every data file listed, every list read once."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from packaging.requirements import Requirement

from tests.listing.backends.chat_stub import Answer, Request, event, reply, seeing, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "finetune", "listing", "rag_index", "recommend")
OURS = {*PACKAGES, "benchmarks", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DYNAMIC = PROJECT["tool"]["setuptools"]["dynamic"]
EXTRAS = {name: entry["file"] for name, entry in DYNAMIC["optional-dependencies"].items()}
CORE = DYNAMIC["dependencies"]["file"]
RUNTIME = [*CORE, *dict.fromkeys(file for name in ("serve", "tune", "feed") for file in EXTRAS[name])]
# Imports that are no packages of their own on the index: which package brings them.
NOT_INSTALLED = {"deepctr_torch": "deepctr-torch"}  # belongs to the extra "bench"


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(files: list[str]) -> set[str]:
    """The packages named in requirement lists."""
    lines = [line for file in files for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    names = [re.match(r"[A-Za-z0-9._-]+", line.partition("#")[0].strip()) for line in lines]
    return {normal(match[0]) for match in names if match}


def imported(folder: Path) -> dict[str, Path]:
    """Third-party modules that the code below ``folder`` imports, and where, lazy imports included."""
    result: dict[str, Path] = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            for name in (n.partition(".")[0] for n in names):
                if name not in sys.stdlib_module_names and name not in OURS:
                    result.setdefault(name, file.relative_to(ROOT))
    return result


def undeclared(folder: str, files: list[str]) -> list[str]:
    """Such as "tests/x.py imports y"."""
    brings = importlib.metadata.packages_distributions()
    known = declared(files)
    return [
        f"{file} imports {name}"
        for name, file in imported(ROOT / folder).items()
        if not {normal(package) for package in brings.get(name, [NOT_INSTALLED.get(name, name)])} & known
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_imports_is_declared(package: str) -> None:
    more = [file for extra in ("ray", "postgres", "torchrec") for file in EXTRAS[extra]]
    assert undeclared(package, [*RUNTIME, *more]) == []


@pytest.mark.parametrize(
    ("folder", "extras"), [("tests", ["dev"]), ("benchmarks", ["dev", "bench"]), ("docs", ["docs"])]
)
def test_what_tests_benchmarks_and_docs_import_is_declared(folder: str, extras: list[str]) -> None:
    assert undeclared(folder, [*RUNTIME, *(file for extra in extras for file in EXTRAS[extra])]) == []


def test_no_list_repeats_another() -> None:
    files = sorted(set(ROOT.glob("requirements*.txt")) - {ROOT / "requirements.txt"})
    lists = {file.name: declared([file.name]) for file in files}
    assert {name for entry in (RUNTIME, *EXTRAS.values()) for name in entry} == set(lists)
    for name, packages in lists.items():
        for other, others in lists.items():
            assert name == other or not packages & others, f"{name} and {other}"


def test_one_list_is_the_program_with_extras() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line.removeprefix("-r ") for line in lines if not line.startswith("#")] == RUNTIME


def closure(names: set[str]) -> set[str]:
    """The packages and all that they require here."""
    found: set[str] = set()
    while names:
        name = names.pop()
        found.add(name)
        wanted = [Requirement(line) for line in importlib.metadata.requires(name) or []]
        needed = {normal(r.name) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})}
        names |= needed - found
    return found


def navy_hoodie(request: Request) -> Answer:
    """What a model replies that sees a navy hoodie: its form, then its text."""
    if request.body.get("stream"):
        return Answer(pieces=(event("Navy hoodie\nA navy hoodie."), event(finish="stop")))
    return reply(json.dumps({"category": "hoodie", "colour": "navy"}))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment that holds the wheel and the packages that it requires, and nothing else."""
    pytest.importorskip("setuptools", "80")
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (
        *ROOT.glob("requirements*.txt"),
        *(ROOT / f for f in ("pyproject.toml", "README.md", "LICENSE", "NOTICE")),
    ):
        shutil.copy(file, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    # Without PYTHONPATH: what a set-up left in the repository would count as installed.
    given = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run = functools.partial(subprocess.run, check=True, capture_output=True, text=True, timeout=120, env=given)
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", str(source), "-w", str(folder)])
    run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")])
    python = folder / "env" / "bin" / "python"
    (wheel,) = folder.glob("*.whl")
    run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)])
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    for name in closure(declared(CORE)):
        here = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in here.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(here.locate_file(top))))
    return python.parent


def alone(command: list[str | Path], home: Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command in the environment of the wheel, which hears of nothing that this run has set."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("IPL_", "PYTHON"))}
    return subprocess.run(
        command, cwd=cwd, env={**given, "IPL_HOME": str(home), **more}, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


FROM_PYTHON = """
import asyncio, app
from listing import adraft, draft
print(app.__doc__, draft(["hoodie.jpg"], {model}).title, asyncio.run(adraft(["hoodie.jpg"], {model})).title)
"""


@pytest.mark.parametrize("named", ["model", "IPL_MODEL"])
def test_the_wheel_drafts_beside_ones_own_app(installed: Path, tmp_path: Path, named: str) -> None:
    (tmp_path / "app.py").write_text('"""Mine:"""', encoding="utf-8")
    shutil.copy(ROOT / "demo" / "hoodie.jpg", tmp_path)
    with serving(seeing(navy_hoodie, logprobs=False)) as stub:
        by_argument = named == "model"
        (tmp_path / "mine.py").write_text(
            FROM_PYTHON.format(model=f"model={stub.url!r}" if by_argument else ""), encoding="utf-8"
        )
        more = {} if by_argument else {"IPL_MODEL": stub.url}
        done = alone([installed / "python", "mine.py"], tmp_path / "home", tmp_path, **more)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "Mine: Navy hoodie Navy hoodie"
    assert "past listings, the evidence towers and masks are left out" in done.stderr


@pytest.mark.parametrize("options", [["--workers", "2"], ["--concurrency", "2"]])
def test_the_wheel_drafts_a_batch(installed: Path, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("one.jpg", "two.jpg"):
        shutil.copy(ROOT / "demo" / "hoodie.jpg", tmp_path / "photos" / name)
    with serving(seeing(navy_hoodie, logprobs=False)) as stub:
        command = [installed / "ipl", "batch", "photos", "-o", "out.jsonl", "--model", stub.url, *options]
        done = alone(command, tmp_path / "home", tmp_path)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["draft"]["title"] for line in (tmp_path / "out.jsonl").open()] == ["Navy hoodie"] * 2


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["index", "build"], ["index", "stats"]])
def test_the_wheel_alone_says_what_is_needed(installed: Path, tmp_path: Path, command: list[str]) -> None:
    done = alone([installed / "ipl", *command], tmp_path / "home", tmp_path, IPL_SETUP="0")
    assert done.returncode == 1
    assert "pip install '.[serve,tune,feed]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [("doctor", "pip install"), ("draft -h", "ipl learn"), ("learn -o shop", "ipl learn"), ("no", "ipl --help")],
)
def test_messages_of_the_wheel_name_its_command(installed: Path, tmp_path: Path, command: str, words: str) -> None:
    done = alone([installed / "ipl", *command.split()], tmp_path / "home", tmp_path, IPL_SETUP="0")
    assert words in " ".join((done.stdout + done.stderr).split())
    assert "./ipl" not in done.stdout + done.stderr


def test_the_wheel_alone_advises_no_index(installed: Path, tmp_path: Path) -> None:
    advice = alone([installed / "ipl", "doctor"], tmp_path / "home", tmp_path).stdout
    assert "pip install '.[serve,tune,feed]'" in advice
    assert "index build" not in advice


@pytest.mark.parametrize("task", [["world", "--out", "w"], ["study", "ecad"], ["report", "--all"]])
def test_the_wheel_says_that_it_has_no_laboratory(installed: Path, tmp_path: Path, task: list[str]) -> None:
    (package,) = (installed.parent / "lib").glob("python*/site-packages/recommend")
    assert not (package / "research").exists()
    assert (package / "phenomena" / "verdicts" / "ecad.json").is_file()
    done = alone([installed / "ipl", "recommend", *task], tmp_path / "home", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'recommend {task[0]}' is in the repository only" in done.stderr
    assert "Traceback" not in done.stderr


def data_files() -> Iterator[Path]:
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*"):
            parts = file.relative_to(ROOT).parts
            left_out = parts[:2] in (("app", "deploy"), ("recommend", "research")) or {"sets", "held"} & {*parts[1:-1]}
            shipped = "__pycache__" not in parts and not left_out
            if file.is_file() and file.suffix not in (".py", ".md") and shipped:
                yield file.relative_to(ROOT)


def test_every_data_file_is_in_the_package() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = list(data_files())
    assert len(files) > 80
    endings = {PurePath(pattern).suffix for pattern in patterns}
    assert [str(file) for file in files if file.suffix not in endings] == []
    for folder in {file.parent for file in files}:  # what lies beside code that is no package would be left out
        assert (ROOT / folder.parts[0] / "__init__.py").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_types_ship_and_code_folders_are_packages(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    folders = {file.parent for file in (ROOT / package).rglob("*.py")} - {ROOT / "app" / "store" / "migrations"}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
