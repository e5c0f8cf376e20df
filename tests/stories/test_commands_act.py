"""What a command of ``manage.py`` writes, stands in the log under its name."""

import subprocess
import sys

import pytest

from realtime.models import Event
from tests.server import ROOT


@pytest.mark.django_db(transaction=True)
def test_a_command_is_the_actor_of_what_it_writes(server_environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "demo_data"]
    done = subprocess.run(command, cwd=ROOT, env=server_environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    assert set(Event.objects.values_list("actor", "context__source")) == {("command:demo_data", "command")}
    reasons = Event.objects.filter(context__has_key="reason").values_list("context__reason", flat=True)
    assert set(reasons) == {
        "The client sold the account.",
        "A discount for a regular client.",
        "Two games were played while I was logged in.",
    }
