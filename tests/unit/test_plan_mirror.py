"""A mirror that fails in the middle of an installation: the real apt, with the options that the plan gives it."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.unit.plans import MIRROR, commands, machine, plan, recipe

CONTENT = b"what would be a package"


class Mirror(http.server.BaseHTTPRequestHandler):
    """Has one package, and a list of statuses with which it answers whoever wants that before it is given."""

    answers: list[int]
    sends = CONTENT
    asked = 0

    def do_GET(self) -> None:
        package = self.path.endswith(".deb")
        type(self).asked += package
        status = self.answers.pop(0) if package and self.answers else 200
        body = self.sends if package else LIST.encode() if self.path.endswith("/Packages") else b""
        self.send_response(status if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # A connection that breaks off in the middle is one that was promised more.
        self.wfile.write(body[:5] if status == 206 else body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


LIST = f"""Package: tool
Version: 1
Architecture: all
Filename: tool.deb
Size: {len(CONTENT)}
SHA256: {hashlib.sha256(CONTENT).hexdigest()}
"""


@pytest.fixture
def mirror() -> Generator[type[Mirror]]:
    handler = type("OneMirror", (Mirror,), {"answers": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield handler
        server.shutdown()


def download(folder: Path, mirror: type[Mirror]) -> subprocess.CompletedProcess[str]:
    """Fetch the package with the options that mmdebstrap hands on to apt."""
    made = plan(
        recipe(f'{MIRROR}\n[system]\nsource = "debootstrap"\n'),
        machine(os_mirror="http://deb.example.org/debian", security_mirror="http://deb.example.org/security"),
    )
    argv = next(one.argv for one in commands(made, "system/debootstrap") if "mmdebstrap" in one.argv)
    options = [word.removeprefix("--aptopt=") for word in argv if word.startswith("--aptopt=")]
    for name in ("lists/partial", "archives/partial", "empty"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources").write_text(f"deb [trusted=yes] {mirror.address} ./\n")
    own = {
        "Dir::Etc::sourcelist": "sources",
        "Dir::State::lists": "lists",
        "Dir::State::status": "status",
        "Dir::Cache::archives": "archives",
        "Dir::Cache::pkgcache": "pkg",
        "Dir::Cache::srcpkgcache": "src",
    }
    lines = [*(f'{name} "{folder}/{value}";' for name, value in own.items()), *(f"{option};" for option in options)]
    # The pauses between two attempts grow; here nothing gets better with time.
    lines += [
        'Acquire::Retries::Delay "false";',
        'Dir::Etc::sourceparts "-";',
        'Dir::Etc::trustedparts "/dev/null";',
        'APT::Sandbox::User "root";',
    ]
    (folder / "apt.conf").write_text("\n".join(lines))
    # Neither a proxy nor a configuration of this machine is asked.
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C", "APT_CONFIG": str(folder / "apt.conf")}
    environment["no_proxy"] = "127.0.0.1"

    def apt(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", "-o", "Dir::Etc::parts=/dev/null", "-o", "Acquire::http::Proxy=DIRECT", *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    updated = apt("update")
    assert updated.returncode == 0, updated.stderr
    return apt("download", "tool")


@pytest.mark.needs("apt-get")
@pytest.mark.parametrize("status", [206, 500, 503])
def test_a_mirror_that_fails_for_a_moment_is_asked_again(tmp_path: Path, mirror: type[Mirror], status: int) -> None:
    """fault 65"""
    mirror.answers = [status] * 5
    done = download(tmp_path, mirror)
    assert done.returncode == 0, done.stderr
    assert mirror.asked == 6


@pytest.mark.needs("apt-get")
def test_a_damaged_package_is_not_taken_and_ends_the_step(tmp_path: Path, mirror: type[Mirror]) -> None:
    """fault 65"""
    mirror.sends = CONTENT[::-1]
    done = download(tmp_path, mirror)
    assert done.returncode != 0
    assert "Hash Sum mismatch" in done.stderr
    assert not list(tmp_path.glob("*.deb"))
