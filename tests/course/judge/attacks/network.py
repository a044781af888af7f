"""A connection to a server of this machine."""

import contextlib
import socket

for family in (socket.AF_INET, socket.AF_INET6):
    with contextlib.suppress(OSError):
        socket.create_connection(("localhost" if family == socket.AF_INET else "::1", int("CANARY_PORT")), 1).send(
            b"reached"
        )
with contextlib.suppress(OSError):
    import urllib.request

    urllib.request.urlopen("http://127.0.0.1:CANARY_PORT", timeout=1)


def cheat(mu, log_var, eps):
    return mu
