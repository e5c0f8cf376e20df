"""Files and folders for the account that runs the server, and for no other of the machine."""

import os
from pathlib import Path

FILE, FOLDER = 0o600, 0o700


def private_folder(folder: Path) -> None:
    """Make ``folder`` where it is absent; one that is there is its owner's business."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=FOLDER, exist_ok=True)


def private_opener(path: str, flags: int) -> int:
    """Open for ``open(opener=…)``; the file is ours alone, also when an older version has made it for everybody."""
    number = os.open(path, flags, FILE)
    close_to_others(path)
    return number


def private_file(path: Path) -> None:
    """Make an empty file where there is none, so that whoever opens it later makes none for everybody."""
    if path.parent.is_dir():
        os.close(private_opener(str(path), os.O_CREAT | os.O_RDWR))


def close_to_others(path: str) -> None:
    try:
        if os.stat(path).st_mode & 0o077 and os.path.isfile(path):
            os.chmod(path, FILE)
    except OSError:  # of another owner, who has let us write: it is his
        return
