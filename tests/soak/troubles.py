"""What happens to the house, one after the other. Each returns when what it broke is mended; viewers heal after it."""

import random
import signal
import subprocess
import time
from collections.abc import Callable

from tests.soak.house import PATIENCE, House

Trouble = Callable[[House, random.Random], None]
TROUBLES: dict[str, Trouble] = {}


def trouble(name: str) -> Callable[[Trouble], Trouble]:
    def named(strike: Trouble) -> Trouble:
        TROUBLES[name] = strike
        return strike

    return named


def while_it_lasts(dice: random.Random) -> None:
    """Let people feel it: longer than a round of repair, shorter than patience."""
    time.sleep(dice.uniform(1, 4))


@trouble("server killed")
def server_killed(house: House, dice: random.Random) -> None:
    house.servers[1].stop(signal.SIGKILL)
    while_it_lasts(dice)
    house.servers[1].start(PATIENCE)


@trouble("server stands still")
def server_stands_still(house: House, dice: random.Random) -> None:
    child = dice.choice(house.servers).child
    assert child is not None
    child.send_signal(signal.SIGSTOP)
    while_it_lasts(dice)
    child.send_signal(signal.SIGCONT)


@trouble("server drained")
def server_drained(house: House, dice: random.Random) -> None:
    server = house.servers[1]
    child = server.child
    assert child is not None
    child.send_signal(signal.SIGTERM)
    try:
        code = child.wait(60)
    except subprocess.TimeoutExpired:
        raise AssertionError("a drained server does not end") from None
    assert code in (0, -signal.SIGTERM), f"a drained server ended with {code}"
    server.start(PATIENCE)


@trouble("layer flushed")
def layer_flushed(house: House, dice: random.Random) -> None:
    house.bus("FLUSHALL")


@trouble("layer holds its clients")
def layer_holds_its_clients(house: House, dice: random.Random) -> None:
    house.bus("CLIENT", "PAUSE", str(dice.randint(500, 3000)), "ALL")


@trouble("layer loses its subscribers")
def layer_loses_its_subscribers(house: House, dice: random.Random) -> None:
    house.bus("CLIENT", "KILL", "TYPE", "pubsub")


@trouble("layer down")
def layer_down(house: House, dice: random.Random) -> None:
    house.valkey.stop()
    while_it_lasts(dice)
    house.valkey.start()


@trouble("layer killed, and another")
def layer_killed(house: House, dice: random.Random) -> None:
    house.valkey.stop(signal.SIGKILL)
    house.valkey.start()


@trouble("layer stands still")
def layer_stands_still(house: House, dice: random.Random) -> None:
    house.valkey.pause()
    while_it_lasts(dice)
    house.valkey.resume()


@trouble("database ends its connections")
def database_ends_connections(house: House, dice: random.Random) -> None:
    house.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@trouble("database restarted")
def database_restarted(house: House, dice: random.Random) -> None:
    house.postgres.stop()
    while_it_lasts(dice)
    house.postgres.start()


@trouble("writer killed")
def writer_killed(house: House, dice: random.Random) -> None:
    house.kill_writer(dice)
