"""PostgreSQL and Valkey together, for as long as this process lives; or what stands in for them."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gameBoosterss.development.binaries import Unfit
from gameBoosterss.development.engine import EngineError
from gameBoosterss.development.postgres import Postgres
from gameBoosterss.development.valkey import Valkey

__all__ = ["EngineError", "Engines", "Postgres", "Valkey", "engines"]


@dataclass(slots=True)
class Engines:
    """What runs, the variables that lead there, and what to tell the user."""

    postgres: Postgres | None = None
    valkey: Valkey | None = None
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_redis(self) -> bool:
        return "REDIS_URL" in self.variables


@contextmanager
def engines(
    folder: Path, *, durable: bool, given: Mapping[str, str] | None = None, embedded: bool = True
) -> Iterator[Engines]:
    """Start what the environment does not name already; stop it at the end.

    Where a wheel does not fit: SQLite in ``folder``, and the broker in memory.
    """
    given = os.environ if given is None else given
    found = Engines()
    with ExitStack() as stack:
        if given.get("DATABASE_URL"):
            found.variables["DATABASE_URL"] = given["DATABASE_URL"]
            found.notes.append("Database: the one of DATABASE_URL.")
        else:
            try:
                if not embedded:
                    raise Unfit("not wanted")
                found.postgres = stack.enter_context(Postgres(folder / "postgres18", durable=durable))
                found.variables["DATABASE_URL"] = found.postgres.url
            except Unfit as reason:
                folder.mkdir(parents=True, exist_ok=True)
                found.variables["DATABASE_URL"] = f"sqlite:///{folder.resolve() / 'db.sqlite3'}"
                found.notes.append(f"No embedded PostgreSQL ({reason}): SQLite in {folder / 'db.sqlite3'} instead.")
        if given.get("REDIS_URL"):
            found.variables["REDIS_URL"] = given["REDIS_URL"]
            found.notes.append("Channel layer: the server of REDIS_URL.")
        elif given.get("REDIS_HOST"):
            from gameBoosterss.env import Environment

            found.variables["REDIS_URL"] = Environment(given).redis()
            found.notes.append("Channel layer: the server of REDIS_HOST.")
        else:
            try:
                if not embedded:
                    raise Unfit("not wanted")
                found.valkey = stack.enter_context(Valkey(folder / "valkey"))
                found.variables["REDIS_URL"] = found.valkey.url
            except Unfit as reason:
                found.notes.append(f"No embedded Valkey ({reason}): the broker in memory, in one process.")
        yield found
