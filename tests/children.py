"""Writers that are processes of their own, and how they end."""

import subprocess
import sys
import textwrap

from tests.engines import child_environment
from tests.server import ROOT

PREAMBLE = """
import os, signal, sys, time
import django
django.setup()
from django.db import connections, transaction
from accounts.models import User
from orders.models import BaseOrder
from orders.services import order_write_note
from realtime.models import Event

def write(order_id, text):
    order = BaseOrder.objects.get(pk=order_id)
    order_write_note(order_id=order_id, note=text, by=order.client)

def settled(order_id, text, seconds=20):
    until = time.monotonic() + seconds
    while not Event.objects.filter(topic=f"order.{order_id}", state__note=text).exclude(pos=None).exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` behind the preamble on the test database, to its end."""
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code)],
        env=child_environment() | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def write_and_be_killed(order_id: int, text: str) -> None:
    """Change the note in a process that is killed in the moment of its commit: nothing was settled, nobody was told."""
    ended = run(
        f"""
        with transaction.atomic():
            transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
            write({order_id}, {text!r})
        """
    )
    assert ended.returncode == -9, ended.stderr
