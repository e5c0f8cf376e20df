"""The tables of docs/reference/permissions.md as a reader has them: the tests hold the doors to what they say."""

from gameBoosterss.development.permissions import DOCUMENT


def table(section: str) -> dict[str, dict[str, str]]:
    """Return the first table of ``section``: cells by row and column, both as they are written."""
    part = DOCUMENT.read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    columns, rows = lines[0], lines[1:]
    return {row[0].strip("`"): dict(zip(columns[1:], row[1:], strict=True)) for row in rows}


def masked() -> dict[str, frozenset[str]]:
    """Return what each audience does not see."""
    rows = table("Fields")
    return {
        audience: frozenset(name for name, cells in rows.items() if cells[audience] != "shown")
        for audience in next(iter(rows.values()))
    }
