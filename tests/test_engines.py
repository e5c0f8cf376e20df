"""The engines of development: they start, restart on the same port, and die with their parent."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import redis

from gameBoosterss.development import binaries
from gameBoosterss.development.children import alive, free_port
from gameBoosterss.development.engines import EngineError, Engines, Postgres, Valkey, engines
from tests.engines import scratch

pytestmark = pytest.mark.skipif(
    os.environ["DATABASE_URL"].startswith("sqlite"), reason="no embedded engines on this platform"
)


def client(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, socket_timeout=0.3, retry=None)


def test_valkey_comes_back_on_the_same_port(valkey: Valkey) -> None:
    port = valkey.port
    assert client(valkey).ping()
    valkey.stop()
    with pytest.raises(redis.ConnectionError):
        client(valkey).ping()
    valkey.start()
    assert valkey.port == port
    assert client(valkey).ping()


def test_a_paused_valkey_is_mute_until_it_is_resumed(valkey: Valkey) -> None:
    valkey.pause()
    with pytest.raises(redis.TimeoutError):
        client(valkey).ping()
    valkey.resume()
    assert client(valkey).ping()


def test_a_paused_valkey_can_be_stopped(valkey: Valkey) -> None:
    valkey.pause()
    valkey.stop()
    assert not valkey.running


def test_valkey_lets_nobody_in_without_the_password(valkey: Valkey) -> None:
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=valkey.port).ping()


def test_postgres_keeps_its_data_and_its_port_over_a_kill(postgres: Postgres) -> None:
    port = postgres.port
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('here')")
    postgres.stop(9)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.url)
    postgres.start()
    assert postgres.port == port
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("here",)
        assert connection.info.server_version // 10_000 == 18


def test_postgres_lets_nobody_in_without_the_password(postgres: Postgres) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgres://gameboosterss@127.0.0.1:{postgres.port}/gameboosterss")


PARENT = """
import pathlib, sys, time
from gameBoosterss.development.engines import Postgres, Valkey
folder = pathlib.Path(sys.argv[1])
with Valkey(folder / "valkey") as valkey, Postgres(folder / "postgres", durable=False) as postgres:
    print(valkey.pid, postgres.pid, flush=True)
    time.sleep(60)
"""


def test_engines_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    with scratch() as folder:
        command = [sys.executable, "-c", PARENT, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            pids = [int(number) for number in parent.stdout.readline().split()]
            assert len(pids) == 2
            assert all(alive(pid) for pid in pids)
            parent.kill()
        ends = time.monotonic() + 20
        while any(alive(pid) for pid in pids) and time.monotonic() < ends:
            time.sleep(0.05)
        assert not [pid for pid in pids if alive(pid)]


def test_a_port_that_is_taken_is_an_error_with_the_last_words(valkey: Valkey, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=f"(?s)did not start on port {valkey.port}.*in use"):
        Valkey(tmp_path, port=valkey.port).start()


def test_where_no_wheel_fits_there_is_sqlite_and_no_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "package", unfit)
    with engines(tmp_path, durable=True, given={}) as found:
        assert found.variables == {"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"}
        assert not found.has_redis
        assert ["no wheel for this machine" in note for note in found.notes] == [True, True]


def unfit(name: str) -> Path:
    raise binaries.Unfit("no wheel for this machine")


def test_servers_of_the_user_are_used_and_nothing_is_started(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgres://a:b@db/c", "REDIS_HOST": "cache", "REDIS_PORT": "6380"}
    with engines(tmp_path, durable=True, given=given) as found:
        assert isinstance(found, Engines)
        assert found.postgres is None
        assert found.valkey is None
        assert found.variables["REDIS_URL"] == "redis://cache:6380/0"


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert 15_000 <= free_port() < 32_000
