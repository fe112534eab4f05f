"""The copy of the site that works from disk: `python -m tools.offline site` puts `lossref-offline.zip` into `site/`.

Opened as files, pages cannot fetch anything: links name files, the search index is a script, and a shim stands in for
the search worker.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).resolve().parent.parent
NAME = "lossref-offline"
SHIM = ROOT / "tools" / "mathjax" / "node_modules" / "iframe-worker" / "shim" / "index.js"
# Where the shim goes in the copy; the name tells Material that it has one.
SHIM_ADDRESS = "assets/javascripts/iframe-worker.js"


def build_offline(folder: Path) -> None:
    """Build the copy as files in `folder`."""
    os.environ["LOSSREF_OFFLINE"] = "true"
    try:
        config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder))
    finally:
        del os.environ["LOSSREF_OFFLINE"]
    config.extra["polyfills"] = [SHIM_ADDRESS]
    # Instant navigation fetches pages.
    config.theme["features"] = [name for name in config.theme["features"] if not name.startswith("navigation.instant")]
    build(config)
    shutil.copyfile(SHIM, folder / SHIM_ADDRESS)
    for leftover in ("404.html", "sitemap.xml", "sitemap.xml.gz", "feed.xml"):
        (folder / leftover).unlink(missing_ok=True)


def pack(folder: Path, archive: Path) -> None:
    """Zip `folder`; the same files give the same bytes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{NAME}/{path.relative_to(folder).as_posix()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, path.read_bytes())


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tools.offline SITE   (a folder that mkdocs has built)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        build_offline(Path(folder))
        archive = Path(arguments[0], f"{NAME}.zip")
        pack(Path(folder), archive)
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
