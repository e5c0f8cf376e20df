"""The proxy of the fault stories does what each of its words says."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.proxy import Proxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)
        self.request.sendall(b"bye")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as echo:
        echo.daemon_threads = True
        threading.Thread(target=echo.serve_forever, daemon=True).start()
        with Proxy.in_front_of(f"tcp://name:word@127.0.0.1:{echo.server_address[1]}/3") as found:
            yield found
        echo.shutdown()


def line_to(proxy: Proxy, timeout: float = 20) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout)


def said_back(line: socket.socket, words: bytes) -> bytes:
    line.sendall(words)
    got = b""
    while len(got) < len(words) and (data := line.recv(65536)):
        got += data
    return got


def for_ever_said_back(line: socket.socket) -> None:
    while said_back(line, b"again"):
        continue


def test_it_passes_and_stands_for_its_target(proxy: Proxy) -> None:
    assert proxy.url == f"tcp://name:word@127.0.0.1:{proxy.port}/3"
    with line_to(proxy) as line:
        assert said_back(line, b"x" * 300_000) == b"x" * 300_000
        assert (proxy.accepted, proxy.open) == (1, 1)


def test_mute_it_takes_connections_and_answers_after_it_is_healed(proxy: Proxy) -> None:
    with line_to(proxy) as before:
        assert said_back(before, b"one") == b"one"
        proxy.mute()
        with line_to(proxy, timeout=0.3) as after:
            for line in (before, after):
                line.settimeout(0.3)
                line.sendall(b"two")
                with pytest.raises(TimeoutError):
                    line.recv(10)
            proxy.heal()
            for line in (before, after):
                line.settimeout(20)
                assert line.recv(10) == b"two"


def test_mute_it_holds_no_more_than_its_buffers(proxy: Proxy) -> None:
    proxy.mute()
    with line_to(proxy, timeout=1) as line, pytest.raises(TimeoutError):
        line.sendall(b"x" * 30_000_000)


def test_it_cuts_and_refuses_until_it_is_healed(proxy: Proxy) -> None:
    with line_to(proxy) as line:
        assert said_back(line, b"one") == b"one"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            line.recv(10)
    with line_to(proxy) as line:
        assert said_back(line, b"two") == b"two"
    proxy.refuse()
    with pytest.raises(ConnectionError), line_to(proxy) as line:  # the reset may be quicker than its connect
        for_ever_said_back(line)
    proxy.heal()
    with line_to(proxy) as line:
        assert said_back(line, b"four") == b"four"


def test_it_is_late_by_what_it_was_told(proxy: Proxy) -> None:
    with line_to(proxy) as line:
        for slow in (lambda: proxy.delay(0.2), lambda: proxy.throttle(20)):
            proxy.heal()
            slow()
            began = time.monotonic()
            assert said_back(line, b"1234") == b"1234"
            assert time.monotonic() - began >= 0.39, "both ways"


def test_half_closed_the_target_hears_the_end_and_may_answer(proxy: Proxy) -> None:
    with line_to(proxy) as line:
        assert said_back(line, b"one") == b"one"
        proxy.half_close()
        assert line.recv(10) == b"bye"
        assert line.recv(10) == b""
