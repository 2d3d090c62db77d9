import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from vitruvius.core.errors import UsageError
from vitruvius.verbs.search import new_search
from vitruvius.verbs.serve import COOKIE, LivePage


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = new_search("nasbench201", maximize="accuracy", run=tmp_path)
    made.tell((3,) * 6, {"accuracy": 93.0})
    return tmp_path


@pytest.fixture
def live(run: Path) -> Iterator[LivePage]:
    with LivePage(run, port=0) as page:
        yield page


def answer(
    live: LivePage, path: str = "/", method: str = "GET", **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    where = urlsplit(live.url)
    connection = http.client.HTTPConnection("127.0.0.1", where.port or 0, timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=given)
    reply = connection.getresponse()
    told = reply.status, reply.read().decode(), reply.headers
    connection.close()
    return told


def test_it_follows_the_run(live: LivePage, run: Path) -> None:
    before, first = answer(live, "/version")[1], answer(live)[1]
    assert f'data-live="{before.strip()}"' in first
    from vitruvius.verbs.search import open_search

    open_search(run).tell((2,) * 6, {"accuracy": 94.5})
    assert answer(live, "/version")[1] != before
    assert "94.5" not in first
    assert "94.5" in answer(live)[1]


def test_it_only_reads(live: LivePage) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert answer(live, method=method)[0] == 501
    assert answer(live, "/../run.sqlite")[0] == 404
    assert answer(live, "/run.sqlite")[0] == 404


def test_heads_have_no_body(live: LivePage) -> None:
    status, body, headers = answer(live, method="HEAD")
    assert (status, body) == (200, "")
    assert int(headers["Content-Length"]) > 1000


def test_other_sites_names_are_refused(live: LivePage) -> None:
    """A page elsewhere whose name was made to lead here must not read it."""
    assert answer(live, Host="evil.example")[0] == 403
    assert answer(live, "/version", Host=f"evil.example:{urlsplit(live.url).port}")[0] == 403


def test_nothing_is_kept_or_framed(live: LivePage) -> None:
    headers = answer(live)[2]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Set-Cookie" not in answer(live, "/?token=x%0d%0aEvil:%201")[2]


def test_other_addresses_need_the_token(run: Path) -> None:
    with LivePage(run, host="0.0.0.0", port=0) as live:
        token = urlsplit(live.url).query.removeprefix("token=")
        assert len(token) >= 24
        assert answer(live)[0] == answer(live, "/version")[0] == 403
        assert answer(live, "/?token=wrong")[0] == 403
        status, _, headers = answer(live, f"/?token={token}")
        assert status == 200
        assert "HttpOnly" in headers["Set-Cookie"]
        assert answer(live, "/version", Cookie=f"{COOKIE}={token}")[0] == 200
        assert answer(live, "/version", Cookie=f"{COOKIE}=wrong")[0] == 403


def test_a_port_that_is_taken(live: LivePage, run: Path) -> None:
    with pytest.raises(UsageError, match="cannot be listened at"):
        LivePage(run, port=urlsplit(live.url).port or 0)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        LivePage(tmp_path, port=0)
