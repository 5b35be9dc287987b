"""Who may use the review page: whoever has its address, with its token, and nobody through another page of a browser.

A page of another site can make a browser send requests to a server on loopback. It does not know the token or have the
cookie that came for it; a name that it has the browser resolve to loopback (DNS rebinding) is none that we answer to
(Host); and what it makes the browser post says where it comes from (Origin, Sec-Fetch-Site).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
REFUSED = "Refused. Open the address that lpff-ray review printed, with its token.\n"
TOKEN = "token"
READING = ("GET", "HEAD")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Access:
    """What a request has to show. host: the name or address that the server listens on."""

    def __init__(self, host: str) -> None:
        self.token = secrets.token_urlsafe(32)
        self.cookie = ""
        self._names = {"localhost", host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    def listen(self, port: int) -> None:
        """Browsers share cookies between the ports of a machine, so every server has one of its own name."""
        self.cookie = f"lpff_ray_review_{port}"

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what may not come in; give every answer its headers; a failure is told as text."""
        if not self._allows(request):
            response: web.StreamResponse = web.Response(status=403, text=REFUSED)
        else:
            response = await handler(request)
            if self._has_token(request):
                response.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict", path="/")
        response.headers.update(HEADERS)
        return response

    def _allows(self, request: web.Request) -> bool:
        if not self._known_host(request.host):
            return False
        if request.method not in READING and not _same_origin(request):
            return False
        return self._has_token(request) or _equal(request.cookies.get(self.cookie, ""), self.token)

    def _has_token(self, request: web.Request) -> bool:
        return (
            request.method in READING
            and request.path == "/"
            and _equal(request.query.get(TOKEN, ""), self.token)
        )

    def _known_host(self, host: str) -> bool:
        """Whether a Host header names this machine: by an address, which no name server can change, or a name of it."""
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in self._names
        return True


def _same_origin(request: web.Request) -> bool:
    """Whether a request that changes something was made by our own page: browsers tell where they post from."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return request.headers.get("Origin") == f"{request.scheme}://{request.host}" and site == "same-origin"


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())
