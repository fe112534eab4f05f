"""What the site costs: seconds to build, bytes to fetch, time to formulas; beside MathJax in the reader's browser.

    python benchmarks/site.py                    build twice, then measure every page
    python benchmarks/site.py losses/bce/        these pages only
    python benchmarks/site.py --built site       a site that is built already

Bytes are those a browser receives, headers included, from a server that compresses with gzip. A first visit has an
empty cache; the next page comes after another chapter. Times are medians over some visits, on a line of 1.6 Mbit/s with
150 ms there and back (--line fast: this machine alone). The same pages with client-side MathJax are the same HTML
with the TeX put back, and MathJax 4 (tex-chtml, its fonts, no speech) served from node_modules.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# This folder must not be searched for modules: this file has the name of one of Python's own.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT / "benchmarks"]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import argparse  # noqa: E402
import gzip  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from functools import cache, partial  # noqa: E402
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer  # noqa: E402

MODULES = ROOT / "tools" / "mathjax" / "node_modules"
COMPRESSED = {".html", ".css", ".js", ".mjs", ".json", ".svg", ".xml", ".txt"}
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 90_000}
KB = 1000


class Server(SimpleHTTPRequestHandler):
    """Serves a folder as a web host does: text compressed, and kept by the browser for a while."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        body, packed = _body(path, path.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Length", str(len(body)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@cache
def _body(path: Path, _changed: int) -> tuple[bytes, bool]:
    packed = path.suffix in COMPRESSED
    return (gzip.compress(path.read_bytes(), 6, mtime=0) if packed else path.read_bytes()), packed


class Served:
    """A folder behind an address, for the time of a `with`."""

    def __init__(self, folder: Path) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(folder)))
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # A browser that closes has nothing more to hear.
        self.address = f"http://127.0.0.1:{self.server.server_port}/"

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self.address

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()


class Meter:
    """Counts what a page makes its browser receive: bytes by address, fonts apart."""

    def __init__(self, page) -> None:
        self.session = page.context.new_cdp_session(page)
        self.session.send("Network.enable")
        self.session.on("Network.responseReceived", lambda e: self.kinds.update({e["requestId"]: e}))
        self.session.on("Network.loadingFinished", self._finished)
        self.restart()

    def restart(self) -> None:
        self.kinds, self.received, self.fonts = {}, {}, 0

    def _finished(self, event) -> None:
        response = self.kinds.get(event["requestId"])
        if response is None:
            return
        if response["type"] == "Font":
            self.fonts += event["encodedDataLength"]
        elif not response["response"].get("fromDiskCache"):
            address = response["response"]["url"]
            self.received[address] = self.received.get(address, 0) + event["encodedDataLength"]

    @property
    def total(self) -> int:
        return sum(self.received.values())


def visited(browser, address: str, path: str) -> tuple[Meter, Meter]:
    """What a first visit to a page fetches, and what it fetches as the next page after another chapter."""
    meters = []
    for before in ([], ["losses/nll/" if path != "losses/nll/" else "losses/bce/"]):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        for earlier in before:
            # The list of addresses is asked for when the scripts have time: after it, the browser has it.
            with page.expect_request_finished(lambda request: request.url == address + "sitemap.xml"):
                page.goto(address + earlier, wait_until="networkidle")
        meter = Meter(page)
        page.goto(address + path, wait_until="networkidle")
        meters.append(meter)
        context.close()
    return meters[0], meters[1]


# ---- the same pages, typeset in the browser ----------------------------------------------------------------

CONTAINER = re.compile(
    r'<mjx-container class="math"(?P<display> display)?[^>]*? data-tex="(?P<tex>[^"]*)".*?</mjx-container>', re.DOTALL
)
DRAWINGS = re.compile(r'<svg class="math-glyphs".*?</defs></svg>', re.DOTALL)
CLIENT = """<script>
window.MathJax = {
  loader: {load: [], paths: {'mathjax-newcm': ROOT + 'mathjax-newcm-font'}},
  output: {fontPath: ROOT + '%%FONT%%-font'},
  options: {enableSpeech: false, enableBraille: false, enableEnrichment: false, enableComplexity: false,
            enableMenu: false, enableExplorer: false},
};
</script><script defer src="mathjax/tex-chtml.js"></script></head>"""


def client_side(site: Path, folder: Path) -> None:
    """Copy a built site with the TeX put back, for MathJax to set in the browser."""
    shutil.copytree(site, folder, dirs_exist_ok=True)
    shutil.copytree(MODULES / "mathjax", folder / "mathjax", dirs_exist_ok=True)
    for font in (MODULES / "@mathjax").iterdir():
        shutil.copytree(font, folder / "mathjax" / font.name, dirs_exist_ok=True)
    for page in folder.rglob("index.html"):
        up = "../" * len(page.parent.relative_to(folder).parts)
        script = CLIENT.replace('src="mathjax/', f'src="{up}mathjax/').replace("ROOT", f"'{up}mathjax/'")
        text = DRAWINGS.sub("", page.read_text(encoding="utf-8"))
        text = CONTAINER.sub(lambda m: ("\\[{}\\]" if m["display"] else "\\({}\\)").format(m["tex"]), text)
        page.write_text(text.replace("</head>", script, 1), encoding="utf-8")


# ---- times in the browser ----------------------------------------------------------------------------------

# Formulas are complete when MathJax says so, or when the drawings and the file of their glyphs are there: looked at
# in every frame, on the formulas that the first screen shows.
WATCH = """
const shown = () => {
  const formulas = [...document.querySelectorAll("mjx-container.math")].filter((f) => {
    const box = f.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0 && box.width > 0;
  });
  // Either the page is there, or more of it than a screen.
  const enough = document.readyState !== "loading" || document.body?.scrollHeight > 1.5 * innerHeight;
  const drawn = (use) => use.getBoundingClientRect().height > 0.5;
  return enough && formulas.every((f) => [...f.querySelectorAll("use")].every(drawn));
};
const look = () => shown() ? (window.typeset ??= performance.now()) : requestAnimationFrame(look);
requestAnimationFrame(look);
"""


# MathJax in the browser is done when every formula of the page has its element.
WATCH_CLIENT = """
const look = () => document.querySelectorAll("mjx-container").length >= COUNT
  ? (window.typeset ??= performance.now()) : requestAnimationFrame(look);
requestAnimationFrame(look);
"""


def times(browser, address: str, path: str, line: dict | None, watch: str, visits: int) -> tuple[float, float]:
    """Medians of the time to the first paint and to complete formulas, in ms."""
    found = []
    for _ in range(visits):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.set_default_timeout(90_000)
        if line:
            context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)
        page.add_init_script(watch)
        page.goto(address + path, wait_until="commit")
        page.wait_for_function("window.typeset !== undefined")
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        found.append((paint, max(paint, page.evaluate("window.typeset"))))
        context.close()
    return tuple(statistics.median(column) for column in zip(*found, strict=True))


# ---- the report --------------------------------------------------------------------------------------------


def built(folder: Path) -> list[float]:
    """Build the site with nothing kept, and again; return the seconds of each."""
    seconds = []
    cache = ROOT / ".cache" / "maths.json"
    with tempfile.TemporaryDirectory() as aside:
        kept = shutil.move(cache, aside) if cache.exists() else None
        try:
            for _ in ("cold", "warm"):
                started = time.perf_counter()
                environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONUTF8": "1"}
                command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
                subprocess.run(command, cwd=ROOT, env=environment, check=True, stderr=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - started)
        finally:
            if kept and not cache.exists():
                shutil.move(kept, cache)
    return seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", help="addresses below the site's; all pages by default")
    parser.add_argument("--built", type=Path, help="measure this site instead of building it")
    parser.add_argument("--line", choices=["slow", "fast"], default="slow")
    parser.add_argument("--visits", type=int, default=3)
    options = parser.parse_args(arguments)

    from playwright.sync_api import sync_playwright

    from tests.site.conftest import chromium, pages_of

    with tempfile.TemporaryDirectory() as folder:
        site = options.built or Path(folder, "site")
        if not options.built:
            cold, warm = built(site)
            load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            print(f"build: {cold:.1f} s cold, {warm:.1f} s warm ({load})\n")
        client = Path(folder, "client")
        client_side(site, client)
        pages = options.pages or [path for path in pages_of(site) if not path.endswith(".html")]
        line = SLOW if options.line == "slow" else None
        print(
            f"kB (gzip); ms on a {options.line} line        "
            "html    gz  first  next   paint  maths | MathJax there: first  paint  maths"
        )
        with Served(site) as ours, Served(client) as theirs, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
            for path in pages:
                html = (site / path / "index.html").read_bytes()
                first, following = visited(browser, ours, path)
                row = f"{path or '/':36} {len(html) / KB:7.0f} {len(gzip.compress(html, 6)) / KB:5.1f}"
                row += f" {first.total / KB:6.1f} {following.total / KB:5.1f}"
                if b"<mjx-container" in html:
                    paint, maths = times(browser, ours, path, line, WATCH, options.visits)
                    count = WATCH_CLIENT.replace("COUNT", str(html.count(b"<mjx-container")))
                    their_first, _ = visited(browser, theirs, path)
                    their_paint, their_maths = times(browser, theirs, path, line, count, options.visits)
                    row += f" {paint:7.0f} {maths:6.0f} |"
                    row += f" {their_first.total / KB:21.1f} {their_paint:6.0f} {their_maths:6.0f}"
                    row += f"   (+ fonts {their_first.fonts / KB:.0f})"
                print(row, flush=True)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
