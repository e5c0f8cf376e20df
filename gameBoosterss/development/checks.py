"""``./dev test``: every check as a step, a table of results, and a last line that a machine can read."""

import argparse
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

from gameBoosterss.development import audits, browser, contract, mariadb
from gameBoosterss.development.checkout import ROOT
from gameBoosterss.development.steps import Options, Result, Step, perform

FLOORS = ("gameBoosterss", "dashboards", "games", "wallet", "vault", "orders", "accounts", "realtime")
PYTHON = sys.executable
MANAGE = [PYTHON, "manage.py"]
CONTRACT = ["realtime/tests/no_write_escapes"]
CONTRACT += [
    f"realtime/tests/test_{name}.py"
    for name in ("capture", "log", "many_rows", "reconcile", "sweep", "relay", "retention", "erasure")
]
"""What the log and the capture promise on every database."""


def floors() -> list[str]:
    """The packages that are there."""
    return [name for name in FLOORS if (ROOT / name / "__init__.py").exists()]


def files(pattern: str) -> Iterator[Path]:
    """Files of the project that match, nothing from the environments."""
    for top in (*FLOORS, "tests"):
        yield from (ROOT / top).glob(f"**/{pattern}")


def marked(marker: str) -> bool:
    """Whether a test carries ``marker``."""
    return any(f"mark.{marker}" in path.read_text() for path in files("test_*.py"))


def pytest_command(python: str, options: Options, report: str, marks: str, extra: Sequence[str]) -> list[str]:
    """Pytest on two processes, with a report that we count."""
    selection = marks if options.long else f"({marks}) and not long" if marks else "not long"
    command = [python, "-m", "pytest", f"--junitxml={options.reports / report}", "-n", "2"]
    command += ["--dist", "loadfile", "--no-loadscope-reorder"]  # the order is that of tests/conftest.py
    command += ["-m", selection] if selection else []
    command += [] if options.browser else ["--no-browser"]
    return command + list(extra)


def modules() -> list[Path]:
    """The tests of the JavaScript modules."""
    return sorted(files("*.test.mjs"))


def without_node() -> str:
    """Why the JavaScript tests cannot run: Node reads modules without a package.json from 20.19 on."""
    node = shutil.which("node")
    if node is None:
        return "there is no node on PATH"
    said = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True).stdout.strip()
    version = tuple(int(part) for part in said.removeprefix("v").split(".")[:2] if part.isdigit())
    return "" if version >= (20, 19) else f"node {said} is older than 20.19"


def tests(options: Options) -> Sequence[str]:
    if options.browser and marked("browser"):
        browser.install()
    return pytest_command(PYTHON, options, "pytest.xml", "", options.pytest)


def older(options: Options) -> Sequence[str]:
    python = prepared("older")
    marks = "older or older_long" if options.long else "older"
    return pytest_command(python, options, "older.xml", marks, []) if python else ["false"]


def prepared(name: str) -> str:
    """The Python of an environment beside ours; empty when it could not be made."""
    made = subprocess.run([ROOT / "dev", f"prepare-{name}"], stdout=subprocess.PIPE, text=True)
    return "" if made.returncode else made.stdout.strip().splitlines()[-1]


def on_sqlite(options: Options) -> Sequence[str]:
    place = options.reports / "contract.sqlite3"
    for left in options.reports.glob(f"{place.name}*"):
        left.unlink()
    return ["env", f"DATABASE_URL=sqlite:///{place}", *pytest_command(PYTHON, options, "sqlite.xml", "", CONTRACT)]


def on_mariadb(options: Options) -> Sequence[str]:
    python = prepared("mariadb")
    if not python:
        return ["false"]
    chosen = ["--ds=tests.mariadb_settings", *CONTRACT]
    engine = [python, "-m", "gameBoosterss.development.mariadb"]
    return [*engine, *pytest_command(python, options, "mariadb.xml", "", chosen)]


STEPS = (
    Step("locks", "locks carry hashes and no address", lambda o: [PYTHON, "-m", "gameBoosterss.development.locks"]),
    Step("ruff", "lint", lambda o: [PYTHON, "-m", "ruff", "check", "--quiet", "."]),
    Step("format", "formatting", lambda o: [PYTHON, "-m", "ruff", "format", "--check", "."]),
    Step("mypy", "types", lambda o: [PYTHON, "-m", "mypy", *floors(), "benchmarks"]),
    Step(
        "imports",
        "floors and layers",
        lambda o: [str(Path(PYTHON).with_name("lint-imports")), "--cache-dir", ".importlinter_cache"],
        lambda o: "" if len(floors()) == len(FLOORS) else "some floors are not built yet",
    ),
    Step(
        "djlint",
        "templates",
        lambda o: [PYTHON, "-m", "djlint", "--lint", "--quiet", *floors()],
        lambda o: "" if any(files("templates/**/*.html")) else "no templates",
    ),
    Step("bandit", "known mistakes", lambda o: [PYTHON, "-m", "bandit", "-q", "-c", "pyproject.toml", "-r", *floors()]),
    Step("check", "Django's system checks", lambda o: [*MANAGE, "check"]),
    Step("migrations", "models and migrations agree", lambda o: [*MANAGE, "makemigrations", "--check", "--dry-run"]),
    Step(
        "js", "the modules of the pages", lambda o: ["node", "--test", *map(str, modules())], lambda o: without_node()
    ),
    Step(
        "asyncapi",
        "the sockets' contract, by the rules of others",
        lambda o: [PYTHON, "-m", "gameBoosterss.development.contract"],
        lambda o: without_node() or contract.missing(),
    ),
    Step("pytest", "behaviour", tests, live=True),
    Step("sqlite", "the ORM's capture on SQLite", on_sqlite, live=True),
    Step(
        "mariadb",
        "the ORM's capture on MariaDB, with --long",
        on_mariadb,
        lambda o: mariadb.missing() if o.long else "only with --long",
        live=True,
    ),
    Step("older", "the oldest supported pins", older, lambda o: "" if marked("older") else "no such tests", live=True),
    Step(
        "pip-audit",
        "what is known of Python's packages, with --long and a network",
        lambda o: audits.of_python(),
        lambda o: audits.python_missing() if o.long else "only with --long",
    ),
    Step(
        "npm-audit",
        "what is known of npm's packages, with --long and a network",
        lambda o: audits.of_node(),
        lambda o: audits.node_missing() if o.long else "only with --long",
    ),
)


def counted(reports: Path, results: Sequence[Result]) -> tuple[int, int]:
    """How many tests passed and failed; a run of pytest that leaves no report, or no test, is a failure."""
    passed = failed = 0
    for result in results:
        report = reports / f"{result.step.name}.xml"
        if not result.step.live or result.state.startswith("skipped"):
            continue
        if not report.exists():
            failed += 1
            continue
        suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 (pytest wrote it)
        for suite in suites:
            total, wrong = int(suite.get("tests", 0)), int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            passed += max(total - wrong - int(suite.get("skipped", 0)), 0)
            failed += wrong
            failed += not total
    return passed, failed


def test(arguments: list[str]) -> int:
    """Run the steps that are named, or pytest alone with arguments for it, or everything."""
    parser = argparse.ArgumentParser(prog="./dev test", description="Checks, and a summary.", allow_abbrev=False)
    parser.add_argument("--long", action="store_true", help="the long tests as well")
    parser.add_argument("--no-browser", dest="browser", action="store_false", help="without the tests in Chromium")
    parser.add_argument("--steps", action="store_true", help="list the steps")
    known, rest = parser.parse_known_args(arguments)
    if known.steps:
        print("\n".join(f"{step.name:<12} {step.does}" for step in STEPS))
        return 0
    names = {step.name for step in STEPS}
    chosen = [word for word in rest if word in names]
    options = Options([word for word in rest if word not in names], known.long, known.browser)
    if options.pytest and not chosen:
        chosen = ["pytest"]
    options.reports.mkdir(parents=True, exist_ok=True)
    for report in options.reports.glob("*.xml"):
        report.unlink()
    began = time.monotonic()
    results = list(perform([step for step in STEPS if not chosen or step.name in chosen], options))
    results.sort(key=lambda result: STEPS.index(result.step))
    passed, failed = counted(options.reports, results)
    print()
    for result in results:
        print(f"{result.step.name:<12} {result.state:<40} {result.seconds:6.1f} s")
    print(f"{'total':<12} {'':<40} {time.monotonic() - began:6.1f} s\n")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or any(result.state.startswith("FAILED") for result in results) else 0
