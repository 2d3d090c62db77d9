"""A live page of a run: its report, which follows it as trials end."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Sequence
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from ..bo.store import TrialLog
from ..core.errors import UsageError
from ..core.torch_state import own_torch_state
from ..reports.page import Section
from .report import report_of_run
from .run_evidence import evidence_sections
from .run_told import RunTold

__all__ = ["PORT", "LivePage", "serve"]

HERE = ("127.0.0.1", "localhost", "::1")
PORT = 8421
COOKIE = "vitruvius-token"
# Predictors are fitted anew once there is this much more to learn from.
MORE = 1.25
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class LivePage:
    """A server of one run's report; it only reads.

    Other addresses than this machine's own need a token, which is part of `url`.

    Args:
        run: As for `vitruvius.resume`.
        storage: As for `vitruvius.search`.
        host: The address that it listens at.
        port: The port; 0 takes a free one.

    Attributes:
        url: What to open.

    Raises:
        UsageError: Where there is no such run, or the port is taken.

    Example:
        >>> import tempfile
        >>> from urllib.request import urlopen
        >>> from vitruvius.verbs.search import new_search
        >>> made = new_search("nasbench201", maximize="accuracy", run=tempfile.mkdtemp())
        >>> with LivePage(made.log.run.location, port=0) as live:
        ...     b"nothing was measured yet" in urlopen(live.url).read()
        True
    """

    def __init__(
        self,
        run: str | Path,
        storage: str | None = None,
        *,
        host: str = HERE[0],
        port: int = PORT,
    ) -> None:
        self._run, self._storage = run, storage
        told = RunTold.of(run, storage)
        self._log = TrialLog(told.run, told.problem)
        self._lock = threading.Lock()
        self._page, self._made_at = "", ""
        self._evidence: Sequence[Section] = ()
        self._learned = 0
        self._token = "" if host in HERE else secrets.token_urlsafe(24)
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be listened at: {error.strerror}.",
                "Choose another port, or 0 for a free one.",
            ) from error
        self._server.live, self._server.token = self, self._token
        at = self._server.server_address[1]
        self._server.hosts = {f"{name}:{at}" for name in (*HERE[:2], "[::1]")}
        self.url = f"http://{host}:{at}/" + (f"?token={self._token}" if self._token else "")
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self) -> None:
        """Returns when the server has ended."""
        self._thread.join()

    def close(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()

    def version(self) -> str:
        """Says in a word how far the run is; another word means that the page has changed."""
        with self._lock:
            trials = [entry.trial for entry in self._log.read()]
            return f"{len(trials)}-{sum(trial.done for trial in trials)}"

    def page(self) -> str:
        """Returns the page as it is now."""
        version = self.version()
        with self._lock:
            if version != self._made_at:
                told = RunTold.of(self._run, self._storage)
                measured = len(told.history.ok)
                if measured > MORE * self._learned:
                    self._evidence, self._learned = evidence_sections(told), measured
                self._page = report_of_run(told, self._evidence, live=version).html
                self._made_at = version
            return self._page


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    live: LivePage
    token: str
    hosts: set[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "vitruvius", ""

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal belongs to whoever runs it."""

    def _answer(self, *, body: bool) -> None:
        where = urlsplit(self.path)
        given = parse_qs(where.query).get("token", [""])[0]
        if not self._allowed(given):
            self._send(HTTPStatus.FORBIDDEN, "text/plain", "Not allowed.\n", body)
        elif where.path == "/version":
            self._send(HTTPStatus.OK, "text/plain", self.server.live.version() + "\n", body)
        elif where.path == "/":
            self._send(HTTPStatus.OK, "text/html", self.server.live.page(), body, self.server.token)
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "There is no such page.\n", body)

    def _allowed(self, given: str) -> bool:
        token = self.server.token
        if not token:
            # A name that was made to lead here belongs to another site's scripts.
            return self.headers.get("Host", "") in self.server.hosts
        kept = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        tried = given or (kept.value if kept is not None else "")
        return hmac.compare_digest(tried.encode(), token.encode())

    def _send(self, status: HTTPStatus, kind: str, text: str, body: bool, token: str = "") -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if token:
            self.send_header("Set-Cookie", f"{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/")
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)


@own_torch_state()
def serve(
    run: str | Path, *, storage: str | None = None, host: str = HERE[0], port: int = PORT
) -> LivePage:
    """Serves the report of a run, which follows it as trials end; it only reads.

    Args:
        run: Folder of the run; with ``storage`` its name there.
        storage: As for `vitruvius.search`.
        host: The address to listen at; any but this machine's own needs the token in the URL.
        port: The port; 0 takes a free one.

    Raises:
        UsageError: As for `LivePage`.
    """
    return LivePage(run, storage, host=host, port=port)
