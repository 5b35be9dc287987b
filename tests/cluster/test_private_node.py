"""The node of one's own is reached from this machine alone, and by those who know its token."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from command import environment

pytestmark = pytest.mark.ray

LISTENING = """
import json, os, psutil, ray
from cluster.session import session
before = dict(os.environ)
with session():
    @ray.remote
    def mode():
        return os.environ.get("RAY_AUTH_MODE")
    asks = ray.get(mode.remote())
    token = os.environ["RAY_AUTH_TOKEN"]
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    addresses = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
print(json.dumps([asks, len(token), sorted(addresses), dict(os.environ) == before]))
"""


def test_it_listens_on_loopback_and_asks_for_a_token() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LISTENING], env=environment(), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    mode, token_length, addresses, restored = json.loads(done.stdout.splitlines()[-1])
    assert (mode, token_length, restored) == ("token", 64, True)
    assert addresses
    assert [ip for ip in addresses if not ip.removeprefix("::ffff:").startswith("127.") and ip != "::1"] == []
