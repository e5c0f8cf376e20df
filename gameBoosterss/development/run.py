"""``./dev run`` and ``./dev manage``: engines, migrations, demo data, Daphne, simulation."""

import ipaddress
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException

from gameBoosterss.development.checkout import VAR, checkout_engines
from gameBoosterss.development.children import is_free, spawn, stop
from gameBoosterss.development.engines import EngineError, Engines

APPLICATION = "gameBoosterss.asgi:application"
PACKAGE = "gameBoosterss.development"
LOGINS = ("client", "booster", "manager", "admin")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of every child: ours, the engines', and what development needs by default."""
    defaults = {"DEBUG": "1", "SECRET_KEY": secret_key(), "PYTHONUNBUFFERED": "1"}
    return defaults | dict(os.environ) | dict(variables)


def secret_key() -> str:
    """The key of this checkout, made once, so that a restart logs nobody out."""
    path = VAR / "secret_key"
    VAR.mkdir(exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(64))
    return path.read_text()


def manage(arguments: list[str]) -> int:
    """``manage.py`` on the engines of this checkout, those of a running ``./dev run`` if there is one."""
    with checkout_engines("./dev manage", join=True) as found:
        # In our own group: it owns the terminal, and Ctrl-C is its business.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = spawn(
            [sys.executable, "manage.py", *arguments], env=environment(found.variables), stdin=None, own_group=False
        )
        try:
            return child.wait()
        finally:
            stop(child)


def run(*, host: str, port: int, simulate: bool, embedded: bool, access_log: bool) -> int:
    """Everything up until Ctrl-C, or until a part ends by itself: then the rest ends too and the code is 1."""
    started = time.monotonic()
    with checkout_engines(f"./dev run on port {port}", join=False, embedded=embedded) as found, ExitStack() as stack:
        if not is_free(host, port):
            raise EngineError(refusal(host, port))
        variables = environment(found.variables)
        variables.setdefault("ALLOWED_HOSTS", ",".join(hosts(host)))
        say("migrations and demo data")
        commands = prepare(variables)
        # Without Redis nothing carries a hint to another process: the simulation plays inside the server's.
        alone = not found.has_redis and simulate and "simulate" in commands
        server = [sys.executable, "-m", f"{PACKAGE}.alone" if alone else "daphne"]
        server += ["-b", host, "-p", str(port), "-v", "0", *(["--access-log", "-"] if access_log else []), APPLICATION]
        children = {"Daphne": spawn(server, env=variables)}
        stack.callback(stop_all, children)
        await_answer(host, port, children["Daphne"])
        if simulate and not alone and "simulate" in commands:
            children["The simulation"] = spawn([sys.executable, "manage.py", "simulate"], env=variables)
        welcome(host, port, found, "simulate" in commands and simulate, time.monotonic() - started)
        return watch(children)


def prepare(variables: Mapping[str, str]) -> list[str]:
    """Migrate and load demo data in a child; return the names of all management commands."""
    child = spawn([sys.executable, "-m", f"{PACKAGE}.preparation"], env=variables, output=None, stdin=None)
    report = VAR / "commands.json"
    try:
        if child.wait():
            raise EngineError("The database could not be prepared (see above).")
    finally:
        stop(child)
    return list(json.loads(report.read_text()))


def refusal(host: str, port: int) -> str:
    """Why we cannot listen there, and what to type instead."""
    if port < 1024 and os.geteuid() != 0:
        return f"Port {port} needs root. Try: ./dev run --port 8000"
    other = next((near for near in range(port + 1, port + 50) if is_free(host, near)), 0)
    hint = f"./dev run --port {other}" if other else "./dev run --host 127.0.0.1"
    return f"{host}:{port} cannot be used: something listens there, or the address is not ours. Try: {hint}"


def hosts(host: str) -> list[str]:
    """Names by which a browser may call this server."""
    names = ["localhost", "127.0.0.1", "[::1]", ".localhost"]
    if host not in {"127.0.0.1", "localhost", "::1"}:
        names += [socket.gethostname(), host] if not unspecified(host) else [socket.gethostname(), *addresses()]
    return names


def unspecified(host: str) -> bool:
    """Whether ``host`` means every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def addresses() -> list[str]:
    """The addresses that this machine's name leads to."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)})
    except OSError:
        return []


def await_answer(host: str, port: int, child: subprocess.Popen[bytes], patience: float = 60) -> None:
    """Return when the server answers over HTTP; an error when it ends first or takes too long."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        if child.poll() is not None:
            raise EngineError(f"Daphne ended with code {child.returncode} before it answered (see above).")
        line = HTTPConnection(target, port, timeout=5)
        try:
            line.request("GET", "/healthz", headers={"Host": "localhost"})
            if line.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            pass
        finally:
            line.close()
        time.sleep(0.05)
    raise EngineError(f"No healthy answer from http://{target}:{port}/healthz within {patience:.0f} s.")


def watch(children: Mapping[str, subprocess.Popen[bytes]]) -> int:
    """Wait until a child ends by itself, which none should; a signal ends the wait as an exception."""
    while True:
        for name, child in children.items():
            if child.poll() is not None:
                print(f"\n{name} has ended by itself with code {child.returncode}; stopping the rest.", file=sys.stderr)
                return 1
        time.sleep(0.2)


def stop_all(children: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """The last started first: who writes stops before who serves."""
    for child in reversed(list(children.values())):
        stop(child)


def say(words: str) -> None:
    print(f"… {words}", file=sys.stderr, flush=True)


def welcome(host: str, port: int, found: Engines, simulated: bool, seconds: float) -> None:
    """The block that tells a newcomer where to go."""
    shown = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
    lines = [
        f"GameBoosterss runs (ready after {seconds:.1f} s).",
        "",
        f"  Pages    {url}/",
        f"  Log-in   {url}/accounts/login/",
        f"  People   {', '.join(LOGINS)} (password: demo)",
        "",
        "Try: log in as client in one window and as booster in a private one, open the same order in both,",
        "     and change it in one." + (" The simulation plays the rest." if simulated else ""),
        "     ./dev manage shell, in another terminal, works on the same data.",
        *[f"     {note}" for note in found.notes],
    ]
    if shown != host or not (host.startswith("127.") or host in {"localhost", "::1"}):
        lines += ["", "Careful: other machines reach this server, and everybody knows the demo password."]
    print("\n" + "\n".join(lines) + "\n\nCtrl-C ends everything.\n", flush=True)
