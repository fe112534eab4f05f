"""run.py: it re-uses what is installed, and a step that cannot work says what to do."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import run

ROOT = Path(run.__file__).parent


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of what run.py looks at, with an empty .venv."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "site.txt").write_text("a==1\n")
    (tmp_path / "requirements" / "test.txt").write_text("-r site.txt\nb==2\n")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(run, "PYTHON", Path(sys.executable))
    (tmp_path / ".venv").mkdir()
    return tmp_path


@pytest.fixture
def steps(monkeypatch):
    """What run.py would have run."""
    titles = []
    monkeypatch.setattr(run, "step", lambda title, command, where=None: titles.append(title))
    monkeypatch.setattr(run, "check_space", lambda level: None)
    monkeypatch.setattr(run, "make_venv", lambda: None)
    monkeypatch.setattr(run.subprocess, "check_output", lambda *a, **k: str(run.VENV))
    return titles


def test_second_run_installs_nothing(project, steps):
    run.install("site")
    run.install("site")
    assert len(steps) == 1


def test_changed_pins_are_installed(project, steps):
    run.install("test")
    (project / "requirements" / "test.txt").write_text("-r site.txt\nb==3\n")
    run.install("test")
    assert len(steps) == 2


def test_test_pins_do_not_touch_the_site(project, steps):
    run.install("site")
    (project / "requirements" / "test.txt").write_text("-r site.txt\nb==3\n")
    run.install("site")
    assert len(steps) == 1


def test_each_level_of_pins_reaches_the_next(project):
    (project / "requirements" / "benchmarks.txt").write_text("-r test.txt\nc==1\n")
    before = [run.fingerprint(level) for level in run.LEVELS]
    (project / "requirements" / "benchmarks.txt").write_text("-r test.txt\nc==2\n")
    after = [run.fingerprint(level) for level in run.LEVELS]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False]


def test_bench_installs_the_peers_and_passes_arguments_on(project, steps, monkeypatch):
    (project / "requirements" / "benchmarks.txt").write_text("-r test.txt\nc==1\n")
    called = []
    monkeypatch.setattr(run.subprocess, "call", lambda command, **_: called.append(command) or 0)
    assert run.main(["bench", "--quick"]) == 0
    assert "requirements/benchmarks.txt" in steps[0]
    assert called == [[run.PYTHON, project / "benchmarks" / "run.py", "--quick"]]


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        ([], run.SIDE_BY_SIDE),
        (["--pagecheck-report"], run.SIDE_BY_SIDE),
        (["docs/losses/bce.md"], ()),
        (["-k", "maths"], ()),
        (["--update-docs"], ()),
    ],
)
def test_only_all_tests_run_side_by_side(project, steps, monkeypatch, arguments, added):
    called = []
    monkeypatch.setattr(run, "install_mathjax", lambda: None)
    monkeypatch.setattr(run.subprocess, "call", lambda command, **_: called.append(command) or 0)
    assert run.main(["test", *arguments]) == 0
    assert called == [[run.PYTHON, "-m", "pytest", *added, *arguments]]


def test_site_pins_reach_the_tests(project):
    before = run.fingerprint("test")
    (project / "requirements" / "site.txt").write_text("a==2\n")
    assert run.fingerprint("test") != before


def test_interrupted_installation_starts_again(project, steps, monkeypatch):
    def fail(*_, **__):
        raise run.Failure("no network")

    with monkeypatch.context() as broken:
        broken.setattr(run, "step", fail)
        with pytest.raises(run.Failure):
            run.install("site")
    run.install("site")
    assert len(steps) == 1


def test_installed_project_is_importable(project, steps):
    run.install("site")
    assert (project / ".venv" / "lossref-in-place.pth").read_text(encoding="utf-8").strip() == str(project)


@pytest.mark.parametrize("version", [(3, 8, 0), (3, 10, 14)])
def test_old_python_is_refused_with_advice(version):
    with pytest.raises(SystemExit, match=rf"Python 3\.{version[1]}, and lossref needs 3\.11 or newer"):
        run.check_python(version)


def test_new_python_is_accepted():
    run.check_python((3, 11, 0))


def test_old_python_can_read_the_file():
    """Python 3.6 must get as far as the version check."""
    import ast

    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_taken_port_is_named_with_another(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run.main(["serve", "--port", str(port)]) == 1
    message = capsys.readouterr().err
    assert f"port {port} cannot be used" in message
    assert f"--port {port + 1}" in message


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection: Temporary failure in name resolution", "registry could not be reached"),
        ("npm error code ENOTFOUND", "registry could not be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for this Python or platform"),
        ("Error: Command '['/x/python', '-m', 'ensurepip']' returned non-zero exit status 1", "python3-venv"),
        ("something else", "delete .venv"),
    ],
)
def test_failures_come_with_advice(output, expected):
    assert expected in run.advice(output)


def test_failing_step_names_itself_and_shows_its_output(capsys):
    command = [sys.executable, "-c", "print('No space left on device'); raise SystemExit(3)"]
    with pytest.raises(run.Failure, match=r"Trying failed \(status 3\).\nThe disk is full"):
        run.step("Trying", command)
    assert "   No space left on device" in capsys.readouterr().out


def test_too_little_space_is_said_before_anything_is_installed(monkeypatch):
    monkeypatch.setitem(run.SPACE, "site", 10**9)
    with pytest.raises(run.Failure, match="make room"):
        run.check_space("site")


def test_unknown_options_are_refused():
    result = subprocess.run([sys.executable, ROOT / "run.py", "serve", "--prot", "1"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "--prot" in result.stderr
