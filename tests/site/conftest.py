"""The site, built once as the reader gets it, served on this machine, and a real browser to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BROWSERS = (
    os.environ.get("LOSSREF_CHROMIUM"),
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)


@pytest.fixture(scope="session")
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Pages whose report the site shows: its marks and rows are looked at like all else. All pages would take a minute.
REPORTED = ("docs/losses/cross-entropy.md", "docs/losses/nll.md", "docs/experiments/saturation.py", "docs/index.md")


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """What the checks say of some pages, where the site's build is told to look."""
    path = tmp_path_factory.mktemp("report") / "pagecheck.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pagecheck-report", path, *REPORTED]
    # (not one of pytest-xdist's processes, even if this is)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stdout + result.stderr
    return path


@pytest.fixture(scope="session")
def build_log(port, report, tmp_path_factory):
    """Build the site with the project's own configuration, from nothing; return where it is and what was said."""
    folder = tmp_path_factory.mktemp("site")
    ours = {
        "LOSSREF_SITE_URL": f"http://127.0.0.1:{port}/", "LOSSREF_REPORT": str(report),
        "NO_MKDOCS_2_WARNING": "1", "PYTHONUTF8": "1",
    }  # fmt: skip
    environment = {**os.environ, **ours}
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", folder],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
    )
    assert result.returncode == 0, result.stdout
    return folder, result.stdout


@pytest.fixture(scope="session")
def site(build_log):
    return build_log[0]


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(site, port):
    """Serve the built site; return its address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=site))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def chromium():
    for name in BROWSERS:
        found = name and shutil.which(name)
        if found:
            return found
    return None


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A Chromium that asks nobody anything on its own."""
    executable = chromium()
    if executable is None:
        message = "no Chromium, Chrome or Edge found; install one or set LOSSREF_CHROMIUM to its path"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    flags = [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
        # No other host exists.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=executable, args=flags)
        yield instance
        instance.close()


class Visit:
    """One browser window: what its page asked other hosts for, and what it complained about."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.elsewhere, self.complaints = [], []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("crash", lambda _: self.complaints.append("the page crashed"))

    def _request(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def go(self, path=""):
        self.page.goto(self.address + path, wait_until="load")
        return self.page

    def wear(self, scheme):
        """Change to the reader's other palette, "light" or "dark", as their system would."""
        self.page.emulate_media(color_scheme=scheme)
        name = {"light": "default", "dark": "slate"}[scheme]
        self.page.wait_for_selector(f"body[data-md-color-scheme={name}]")

    def settle(self):
        """Wait until what scripts do of their own accord is done: the browser has drawn it and found nothing to do."""
        self.page.evaluate("""() => new Promise((done) =>
          requestAnimationFrame(() => requestAnimationFrame(() => requestIdleCallback(done))))""")


@pytest.fixture(scope="session")
def open_window(browser, address):
    """Open a window that its opener closes: `open_window(width=360, dark=True, scripts=False)`."""

    def opened(width=1440, height=900, dark=False, scripts=True, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            # What is measured must not be on its way somewhere.
            reduced_motion="reduce",
            **options,
        )
        return Visit(context.new_page(), address)

    return opened


@pytest.fixture
def visit(open_window):
    """Open windows that are closed when the test is over."""
    windows = []

    def opened(**how):
        windows.append(open_window(**how))
        return windows[-1]

    yield opened
    for window in windows:
        window.page.context.close()


def pages_of(site):
    """Return the addresses of all pages, relative to the site."""
    found = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return [name.removesuffix("index.html") for name in found]
