"""The wheel, as users get it: built from a clean checkout, installed where NumPy is and nothing else."""

import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import lossref

ROOT = Path(__file__).parents[2]


def succeed(*command, **kwargs):
    done = subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8", **kwargs)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments):
    return succeed(sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated", *arguments)


def in_git(*where):
    """The files of a clone, and what is about to be committed."""
    names = succeed("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *where, cwd=ROOT)
    return sorted(name for name in names.split("\0") if name and (ROOT / name).is_file())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    checkout, result = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in in_git():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, checkout / name)
    # the pinned backend is here; nothing is fetched
    pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", result, checkout)
    (path,) = result.iterdir()
    return path


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Runs code in a fresh environment that holds this NumPy and the wheel, but neither torch nor this checkout."""
    environment = tmp_path_factory.mktemp("environment")
    succeed(sys.executable, "-m", "venv", "--without-pip", environment)
    windows = (environment / "Scripts").is_dir()
    executable = environment / ("Scripts/python.exe" if windows else "bin/python")
    packages = Path(succeed(executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for folder in Path(np.__file__).parents[1].glob("numpy*"):  # with its libraries and its metadata
        if windows:
            shutil.copytree(folder, packages / folder.name)
        else:
            (packages / folder.name).symlink_to(folder, target_is_directory=True)
    pip("--python", executable, "install", "--no-index", "--no-deps", wheel)

    def run(code):
        return succeed(executable, "-I", "-W", "error", "-c", code, cwd=environment)

    return run


def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(name for name in archive.namelist() if ".dist-info/" not in name)
        metadata = archive.read(f"lossref-{lossref.__version__}.dist-info/METADATA").decode()
    assert names == in_git("lossref")
    assert {"lossref/py.typed", "lossref/torch/__init__.py", "lossref/_tiles.py"} <= set(names)
    assert re.search(r"^License-File: LICENSE$", metadata, re.MULTILINE)
    assert sorted(re.findall(r"^Requires-Dist: (.*)", metadata, re.MULTILINE)) == [
        "numpy>=2.0,<3",
        'torch==2.13.0 ; extra == "torch"',
    ]


def test_nothing_but_numpy_is_there(python):
    code = """
import importlib.util, sys
from importlib.metadata import distributions
print(*sorted(d.name + "==" + d.version for d in distributions()))
print([name for name in ("torch", "scipy", "mpmath", "sympy", "pytest", "pip") if importlib.util.find_spec(name)])
import lossref
print(lossref.__file__.startswith(sys.prefix))
"""
    installed, others, own = python(code).splitlines()
    assert installed.split() == [f"lossref=={lossref.__version__}", f"numpy=={version('numpy')}"]
    assert others == "[]"
    assert own == "True"


def test_import_loads_numpy_only(python, record_property):
    code = """
import sys, time
import numpy, numpy.typing
before, start = set(sys.modules), time.perf_counter()
import lossref
print(time.perf_counter() - start)
print(*{name.partition(".")[0] for name in set(sys.modules) - before})
"""
    seconds, loaded = python(code).splitlines()
    record_property("seconds that importing lossref adds to importing NumPy", seconds)
    assert set(loaded.split()) <= {"lossref", "__future__", "cmath"}


def test_all_examples_run(python):
    """Those of every docstring in the package, but for its torch half and the checker of pages."""
    code = """
import doctest, importlib, pkgutil, lossref
names = [m.name for m in pkgutil.iter_modules(lossref.__path__) if m.name not in ("torch", "pagecheck")]
modules = [lossref, *(importlib.import_module("lossref." + name) for name in names)]
results = [doctest.testmod(module, globs={}) for module in modules]
print(sum(r.failed for r in results), sum(r.attempted for r in results))
"""
    *report, counts = python(code).splitlines()
    failed, attempted = map(int, counts.split())
    written = sum(
        line.strip().startswith(">>> ")
        for name in in_git("lossref")
        if name.endswith(".py") and not name.startswith(("lossref/pagecheck/", "lossref/torch"))
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    )
    assert failed == 0, "\n".join(report)
    assert attempted == written > 3 * len(lossref.LOSSES)


def test_torch_half_says_that_torch_is_missing(python):
    code = """
try:
    import lossref.torch
except ModuleNotFoundError as error:
    print(error.name, error, sep="; ")
"""
    name, _, message = python(code).strip().partition("; ")
    assert name == "torch"
    assert message == "lossref.torch needs PyTorch, which is not installed: pip install 'lossref[torch]'"
