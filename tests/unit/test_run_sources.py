"""What the system comes from is looked at before the first write."""

from __future__ import annotations

import datetime
import hashlib
import http.server
import ssl
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path

import pytest
from run_plans import plan

from installer.errors import Refusal, Refusals
from installer.plan.operation import Plan, Source
from installer.run import sources
from tests.needs import require

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)


def words(made: Plan) -> str:
    try:
        sources.require(made, notice=lambda _: None)
    except Refusals as refusals:
        return str(refusals)
    return ""


def wanting(place: Path | str, sha256: str = "") -> Plan:
    return plan().model_copy(update={"sources": (Source(place=str(place), sha256=sha256),)})


def test_a_tarball_with_the_right_sum_or_without_one_is_taken(tmp_path: Path) -> None:
    tarball = tmp_path / "debian.tar.zst"
    tarball.write_bytes(b"content")
    assert words(wanting(tarball, hashlib.sha256(b"content").hexdigest())) == ""
    assert words(wanting(tarball)) == ""


def test_another_tarball_or_none_is_refused(tmp_path: Path) -> None:
    tarball = tmp_path / "debian.tar.zst"
    assert "The tarball is not there: debian.tar.zst." in words(wanting(tarball))
    tarball.write_bytes(b"other")
    assert "is not the one that the recipe means" in words(wanting(tarball, "0" * 64))


def test_a_tarball_on_the_volume_is_looked_for_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "debian.tar.zst").write_bytes(b"content")

    @contextmanager
    def mounted(device: str, point: Path, *, writable: bool) -> Generator[Path]:
        assert (device, writable) == ("/dev/disk/by-label/ZROOT", False)
        yield point

    monkeypatch.setattr(sources, "mounted", mounted)
    monkeypatch.setattr(sources, "POINT", tmp_path)
    assert words(wanting("debian.tar.zst")) == ""
    assert "is not there: other.tar.zst" in words(wanting("other.tar.zst"))
    monkeypatch.setattr(sources, "in_plan", lambda link, plan: True)
    assert "lies on a disk that would be erased" in words(wanting("debian.tar.zst"))


@pytest.mark.parametrize(
    ("off", "age", "refused"),
    [
        (datetime.timedelta(minutes=5), 0, False),
        (datetime.timedelta(hours=1), 0, True),
        (datetime.timedelta(hours=1), 3600, False),
        (datetime.timedelta(hours=-2), 0, True),
        (datetime.timedelta(days=9000), 0, True),
    ],
)
def test_a_clock_that_is_astray_is_told_from_a_cached_answer(off: datetime.timedelta, age: int, refused: bool) -> None:
    """fault 66"""
    answer = f"HTTP/1.1 200 OK\r\nDate: {format_datetime(NOW, usegmt=True)}\r\nAge: {age}\r\n"
    problem = sources.clock_problem(answer, now=NOW + off)
    assert (problem is not None) is refused
    if problem and not age:
        assert 'date --utc --set="2026-03-01 12:00:00"' in problem.hint


@pytest.mark.parametrize("answer", ["", "HTTP/1.1 200 OK\r\n", "Date: yesterday\r\n"])
def test_an_answer_without_a_time_says_nothing_about_the_clock(answer: str) -> None:
    assert sources.clock_problem(answer, now=NOW) is None


class Server(http.server.BaseHTTPRequestHandler):
    """Has a Release file, by a clock of its own."""

    now = NOW

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the time by this server."""
        return format_datetime(self.now, usegmt=True)

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/debian/dists/trixie/InRelease" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(certificate: Path | None = None) -> Generator[str]:
    """Serve whoever asks with curl, with a certificate over TLS."""
    require("curl")
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}/debian/dists"
        server.shutdown()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    monkeypatch.setattr(sources, "AGAIN", ())
    with served() as found:
        yield found


def test_a_mirror_that_answers_by_the_right_clock_is_taken(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "now", datetime.datetime.now(datetime.UTC))
    assert words(wanting(f"{address}/trixie/InRelease")) == ""


def test_a_mirror_without_the_suite_or_none_at_all_is_refused(address: str) -> None:
    """fault 64, fault 65"""
    assert "bookwrom/InRelease does not answer" in words(wanting(f"{address}/bookwrom/InRelease"))
    assert "does not answer" in words(wanting("http://127.0.0.1:9/debian/dists/trixie/InRelease"))


def test_a_wrong_clock_is_found_by_the_mirror(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 66"""
    monkeypatch.setattr(Server, "now", datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC))
    with pytest.raises(Refusal) as refused:
        sources.reach(f"{address}/trixie/InRelease")
    assert "The clock of this machine is wrong" in refused.value.title
    assert '--set="2001-01-01 00:00:00"' in refused.value.hint


@pytest.mark.needs("curl", "openssl")
def test_a_wrong_clock_is_told_where_no_certificate_is_valid_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fault 66"""
    monkeypatch.setattr(sources, "AGAIN", ())
    pem = tmp_path / "pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*new, "-subj", "/CN=127.0.0.1", "-keyout", pem, "-out", pem], check=True, capture_output=True)
    # Signed by nobody, it is refused by a right clock as well as by a wrong one.
    with served(pem) as address:
        monkeypatch.setattr(Server, "now", datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC))
        assert "The clock of this machine is wrong" in words(wanting(f"{address}/trixie/InRelease"))
        monkeypatch.setattr(Server, "now", datetime.datetime.now(datetime.UTC))
        assert "does not answer" in words(wanting(f"{address}/trixie/InRelease"))
