"""The tables of docs/reference/permissions.md as a reader has them: tests hold them to ``tests/rights.py``."""

from gameBoosterss.development.permissions import DOCUMENT


def table(section: str) -> dict[str, dict[str, str]]:
    """Return the first table of ``section``: cells by row and column, both as they are written."""
    columns, *rows = lines(section)
    return {row[0].strip("`"): dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


def lines(section: str) -> list[list[str]]:
    """Return the cells of each line of it, the head first."""
    part = DOCUMENT.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
