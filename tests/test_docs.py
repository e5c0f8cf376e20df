"""The pages agree with the code: what exists is named in them, and what they show can be read."""

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from textwrap import dedent
from urllib.parse import unquote, urlsplit

import pytest

from gameBoosterss.development.__main__ import COMMANDS
from realtime.conf import Limits, Settings
from realtime.protocol.closing import Close

ROOT = Path(__file__).resolve().parent.parent
NOT_OURS = {"node_modules", "staticfiles", "var", "vendor"}
ENVIRONMENT_READERS = {
    "text",
    "required",
    "flag",
    "number",
    "choice",
    "names",
    "networks",
    "keys",
    "sealing_keys",
    "database",
}
# Hosts that a page may name. An allow-list: what serves packages has no business in a page.
HOSTS = {"127.0.0.1", "localhost", "keepachangelog.com", "semver.org", "nvd.nist.gov"}
REPORT = re.compile(r"https://github\.com/(?:advisories/GHSA-[\w-]+|[\w.-]+/[\w.-]+/issues/\d+)")
"""What is known of a package: of that host an advisory or a report, and nothing else."""
MACHINE_PATH = re.compile(r"(?<![\w.}$])/(?:work|root|home|Users|tmp|opt|mnt)/\w+")
PACKAGE_HOST = re.compile(r"\b(?:registry|index|mirror|packages|files)\.[a-z]+\.(?:com|org|io|net)\b")


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def pages() -> list[Path]:
    """Every Markdown file of the project."""
    found = [path.relative_to(ROOT) for path in ROOT.rglob("*.md")]
    return [ROOT / path for path in sorted(found) if not any(part in NOT_OURS or part[0] == "." for part in path.parts)]


@cache
def words() -> str:
    return "\n".join(page.read_text() for page in pages())


@cache
def named() -> frozenset[str]:
    """Everything that a page writes as `code`."""
    return frozenset(re.findall(r"`([^`\n]+)`", words()))


def blocks(*languages: str) -> list[Block]:
    return [block for page in pages() for block in _blocks_of(page) if block.language in languages]


def _blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text()
    for found in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield Block(page, text[: found.start()].count("\n") + 2, found[2], dedent(found[3]))


def calls(module: str) -> Iterator[tuple[str, str]]:
    """Each call in ``module`` with a text as its first argument: the name called, and the text."""
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if isinstance(node.args[0].value, str):
                yield name, node.args[0].value


SETTINGS = [field.name.upper() for field in fields(Settings)]
LIMITS = [field.name.upper() for field in fields(Limits)]
METRICS = [text for name, text in calls("realtime/metrics.py") if name in {"Counter", "Gauge", "Histogram", "Summary"}]
VARIABLES = sorted(
    {
        text
        for module in ("gameBoosterss/settings.py", "gameBoosterss/env.py")
        for name, text in calls(module)
        if name in ENVIRONMENT_READERS
    }
)
CHECKS = sorted(set(re.findall(r'"(realtime\.[EWI]\d{3})"', (ROOT / "realtime/checks.py").read_text())))
MANAGEMENT = sorted(
    path.stem
    for path in ROOT.glob("*/management/commands/[a-z]*.py")
    if not path.parts[len(ROOT.parts)].startswith(".")
)
OURS = [name for name in MANAGEMENT if name.startswith("realtime_")]


def test_there_is_something_to_look_for() -> None:
    assert min(map(len, (pages(), SETTINGS, METRICS, VARIABLES, CHECKS, MANAGEMENT))) > 1


@pytest.mark.parametrize("name", [*SETTINGS, *LIMITS, *VARIABLES, *METRICS, *CHECKS, *MANAGEMENT])
def test_what_the_code_has_is_named_in_a_page(name: str) -> None:
    assert name in named(), f"no page has `{name}`: see docs/README.md for where it belongs"


@pytest.mark.parametrize("code", list(Close), ids=lambda code: code.name)
def test_each_close_code_is_in_the_readme_of_realtime(code: Close) -> None:
    page = (ROOT / "realtime/README.md").read_text()
    section = page.split("### Close codes")[1].split("\n## ")[0]
    assert re.search(rf"\b{code.value}\b", section)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_dev_is_in_the_reference(command: str) -> None:
    assert f"`./dev {command}" in (ROOT / "docs/reference/commands.md").read_text()


def test_no_page_names_what_the_code_does_not_have() -> None:
    section = words().split("# realtime\n")[1].split("\n## Settings")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)`", section, re.MULTILINE)) == set(SETTINGS)
    limits = (ROOT / "docs/reference/limits.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)`", limits, re.MULTILINE)) == set(LIMITS)
    assert set(re.findall(r"`(realtime\.[EWI]\d{3})`", words())) == set(CHECKS)
    assert {name for name in named() if re.fullmatch(r"realtime_[a-z_]+", name)} == {*METRICS, *OURS}
    environment = (ROOT / "docs/reference/environment.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)`", environment, re.MULTILINE)) == set(VARIABLES)


INVARIANTS = ROOT / "docs/explanation/invariants.md"


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/.]+\.py::test_\w+)`", INVARIANTS.read_text()))))
def test_a_test_that_shows_an_invariant_exists(name: str) -> None:
    file, _, test = name.partition("::")
    assert re.search(rf"^(async )?def {test}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_invariant_and_every_mutant_has_its_row() -> None:
    rows = re.findall(r"^\| (I\d+) \| .* \| .*::test_", INVARIANTS.read_text(), re.MULTILINE)
    assert rows == [f"I{number}" for number in range(1, 22)]
    mutants = re.findall(r"^\| `(\w+)` \|", INVARIANTS.read_text(), re.MULTILINE)
    assert mutants == re.findall(r"^    (\w+),$", (ROOT / "realtime/tests/mutants.py").read_text(), re.MULTILINE)


def targets(page: Path) -> Iterator[str]:
    """Where the links and images of ``page`` lead; code is no link."""
    text = re.sub(r"^( *)```.*?^\1```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    yield from re.findall(r"\]\(([^)\s]+)\)", text)
    yield from re.findall(r"""(?:src|href)=["']([^"']+)["']""", text)


def anchors(page: Path) -> set[str]:
    """The anchors that a heading gets on the usual hosts."""
    heads = re.findall(r"^#+ +(.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads)
    return {re.sub(r"[^\w\- ]", "", head).strip().replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_images_lead_somewhere(page: Path) -> None:
    dead = []
    for target in targets(page):
        parts = urlsplit(target)
        if parts.scheme:
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not file.exists() or (parts.fragment and file.suffix == ".md" and parts.fragment not in anchors(file)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_in_a_page_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_in_a_page_can_be_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here to parse JavaScript")
@pytest.mark.parametrize("block", blocks("js", "javascript", "vue"), ids=str)
def test_javascript_in_a_page_parses(block: Block, tmp_path: Path) -> None:
    text = block.text
    if block.language == "vue":
        text = text.split("<script setup>")[1].split("</script>")[0]
    file = tmp_path / "block.mjs"
    file.write_text(text)
    done = subprocess.run(["node", "--check", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_machine_and_no_package_host(page: Path) -> None:
    text = page.read_text()
    assert MACHINE_PATH.findall(text) == []
    assert PACKAGE_HOST.findall(text) == []
    urls = re.findall(r"https?://[^\s)>\]\"'`${]+", text)
    hosts = {urlsplit(url).hostname for url in urls if not REPORT.fullmatch(url)}
    assert {host for host in hosts if host and host not in HOSTS and not host.endswith("example.org")} == set()
