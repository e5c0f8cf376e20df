"""Child processes that cannot outlive us, and the ports they listen on."""

import ctypes
import functools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PR_SET_PDEATHSIG = 1


def die_with_parent(how: int = signal.SIGKILL) -> None:
    """Ask Linux to send ``how`` to this process when its parent ends; elsewhere nothing happens."""
    call = prctl()
    if call is not None:
        call(PR_SET_PDEATHSIG, int(how), 0, 0, 0)


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    user: int | None = None,
    output: IO[Any] | int | None = None,
    stdin: int | None = subprocess.DEVNULL,
    own_group: bool = True,
    on_death: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a child that gets ``on_death`` when this process ends, however it ends.

    Linux watches the *thread* that forked: hence the main thread only. ``own_group`` keeps the terminal's
    Ctrl-C from the child, so that we stop our children in our order. With ``user`` all groups are dropped.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("Start children from the main thread: they die with the thread that forked them.")
    return subprocess.Popen(
        [str(part) for part in command],
        env=None if env is None else dict(env),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        user=user,
        group=user_group(user),
        extra_groups=None if user is None else [],
        process_group=0 if own_group else None,
        # Runs after setuid(), which would clear it.
        preexec_fn=functools.partial(_bound, os.getpid(), prctl(), int(on_death)),  # noqa: PLW1509
    )


def prctl() -> Any:
    """The C function, loaded before the fork; None where there is none."""
    return ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def _bound(parent: int, call: Any, how: int) -> None:
    """In the child: bind it to ``parent``, which may have ended a moment ago."""
    if call is not None:
        call(PR_SET_PDEATHSIG, how, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def user_group(user: int | None) -> int | None:
    """The main group of ``user``."""
    if user is None:
        return None
    import pwd

    return pwd.getpwuid(user).pw_gid


def stop(child: subprocess.Popen[bytes], how: int = signal.SIGTERM, *, patience: float = 10) -> int:
    """End ``child``: ask with ``how``, kill after ``patience`` seconds; return its exit code."""
    if child.poll() is None:
        child.send_signal(how)
        child.send_signal(signal.SIGCONT)  # a stopped process takes no other signal
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, below the range of outgoing connections.

    Inside that range a client that retries while the server is down can connect to itself and keep the port.
    """
    for _ in range(200):
        port = random.randrange(15_000, 32_000)
        if is_free(host, port):
            return port
    raise RuntimeError("No free port between 15000 and 32000.")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def alive(pid: int) -> bool:
    """Whether a process of that number runs, ours or not; one that has ended and only waits to be noticed does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        # The state follows the name, which stands in parentheses and may contain anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return sys.platform != "linux"
