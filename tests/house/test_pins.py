"""Every package that gets installed is pinned, on every platform we name."""

import json
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from run import OLDEST

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"([\w.-]+)==([\w.]+)")
PLATFORMS = {"linux": ("Linux", "posix"), "darwin": ("Darwin", "posix"), "win32": ("Windows", "nt")}


def lines(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins(name):
    found = {}
    for line in lines(name):
        if line.startswith("-r "):
            found |= pins(line[3:].removesuffix(".txt"))
        else:
            package, version = PIN.fullmatch(line).groups()
            found[canonicalize_name(package)] = version
    return found


@pytest.mark.parametrize("name", ["site", "test", "benchmarks"])
def test_every_line_is_an_exact_pin(name):
    for line in lines(name):
        exact = PIN.fullmatch(line) or line in ("-r site.txt", "-r test.txt")
        assert exact, f"requirements/{name}.txt: not an exact pin: {line}"


@pytest.mark.parametrize("name", ["site", "test", "benchmarks"])
def test_nothing_is_pinned_twice(name):
    packages = [canonicalize_name(PIN.fullmatch(line)[1]) for line in lines(name) if not line.startswith("-r")]
    assert len(packages) == len(set(packages))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("name", ["site", "test"])
def test_what_a_pinned_package_needs_is_pinned(name, python, platform):
    pinned = pins(name)
    system, os_name = PLATFORMS[platform]
    environment = {
        "python_version": python,
        "python_full_version": python + ".0",
        "sys_platform": platform,
        "platform_system": system,
        "os_name": os_name,
        "extra": "",
    }
    for package in pinned:
        for line in distribution(package).requires or ():
            need = Requirement(line)
            if need.marker and not need.marker.evaluate(environment):
                continue
            # On Linux, torch with CUDA pins NVIDIA's packages itself.
            if package == "torch" and re.match(r"nvidia|cuda|triton", need.name):
                assert all(part.operator == "==" for part in need.specifier)
                continue
            wanted = canonicalize_name(need.name)
            assert wanted in pinned, f"{package} needs {line}, which requirements/{name}.txt does not pin"
            assert need.specifier.contains(pinned[wanted]), f"{package} needs {line}, pinned is {pinned[wanted]}"


@pytest.mark.parametrize("name", ["site", "test"])
def test_the_oldest_python_has_every_pinned_package(name):
    oldest = ".".join(map(str, OLDEST)) + ".0"
    for package in pins(name):
        wanted = SpecifierSet(distribution(package).metadata["Requires-Python"] or "")
        assert wanted.contains(oldest), f"{package} {pins(name)[package]} needs Python {wanted}, run.py takes {oldest}"


@pytest.mark.parametrize("name", ["site", "test"])
def test_the_pins_are_what_is_installed(name):
    for package, version in pins(name).items():
        # A local label such as +cpu says how a release was built, not which it is.
        assert distribution(package).version.split("+")[0] == version


def test_site_does_not_need_torch():
    assert "torch" not in pins("site")


def test_npm_packages_are_pinned_with_hashes_and_without_addresses():
    package = json.loads((ROOT / "tools/mathjax/package.json").read_text(encoding="utf-8"))
    lock = json.loads((ROOT / "tools/mathjax/package-lock.json").read_text(encoding="utf-8"))
    for group in ("dependencies", "devDependencies"):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package[group].values())
        assert lock["packages"][""][group] == package[group]
    for path, entry in lock["packages"].items():
        if path:
            assert entry["integrity"].startswith("sha512-"), path
            assert "resolved" not in entry, path
