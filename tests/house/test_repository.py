"""The house as a whole: what must stand in it, and what must not."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def texts():
    for path in tracked():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


# Written in pieces, so that this file does not hold what it looks for.
REGISTRIES = re.compile(
    "|".join(["pypi" r"\.org", "pythonhosted" r"\.org", "npmjs" r"\.(?:org|com)", "pytorch" r"\.org/whl"])
)
MACHINE_PATHS = re.compile("/" r"(home/\w+|root\b|Users/\w+|work/|opt/|tmp/)|C:" r"\\Users")


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registry host", "machine path"])
def test_no_file_names_a(pattern):
    found = [f"{name}: {m.group()}" for name, text in texts() for m in pattern.finditer(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "name", ["README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", ".ci/run", "mkdocs.yml"]
)
def test_the_house_has_a(name):
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def test_ci_script_is_executable_and_runs_the_tests():
    listed = subprocess.run(
        ["git", "ls-files", "--stage", ".ci/run"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout
    assert listed.startswith("100755")
    assert "run.py test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


def test_versions_agree():
    import lossref

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["version"] == PROJECT["version"] == lossref.__version__
    assert re.search(r"^## ([\d.]+)", changelog, re.MULTILINE)[1] == PROJECT["version"]


def test_importing_needs_numpy_only():
    assert [re.match(r"[\w-]+", need)[0] for need in PROJECT["dependencies"]] == ["numpy"]


def test_torch_is_the_release_the_pages_describe():
    pin = "torch==2.13.0"
    assert PROJECT["optional-dependencies"]["torch"] == [pin]
    assert pin in (ROOT / "requirements/test.txt").read_text(encoding="utf-8").split()


def workflow(name):
    text = (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")
    return text, yaml.load(text, Loader=yaml.BaseLoader)


@pytest.mark.parametrize(
    ("name", "command"), [("test.yml", "python run.py test"), ("deploy.yml", "python run.py serve --build-only")]
)
def test_workflow_runs_the_command_of_the_readme(name, command):
    _, content = workflow(name)
    commands = [step.get("run", "") for job in content["jobs"].values() for step in job["steps"]]
    assert any(command in line for line in commands)


@pytest.mark.parametrize("name", ["test.yml", "deploy.yml"])
def test_workflow_is_well_formed(name):
    text, content = workflow(name)
    assert content["permissions"], "a workflow says what it may do"
    for job in content["jobs"].values():
        assert re.fullmatch(r"(ubuntu-\d\d\.\d\d|\$\{\{ matrix\.os \}\})", job["runs-on"])
        assert int(job["timeout-minutes"]) <= 30
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+(/[\w-]+)+@v\d+\.\d+\.\d+", step["uses"]), f"not pinned: {step['uses']}"
    assert "\t" not in text
