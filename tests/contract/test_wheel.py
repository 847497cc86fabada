"""The wheel that people install holds everything: built, installed into an empty environment, and used."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _run(*command: object, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None or importlib.util.find_spec("pip") is None,
    reason="what builds the wheel (pip, hatchling) is not installed here",
)
def test_the_wheel_has_the_program_and_its_examples(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    _run(*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", tmp_path, ROOT, cwd=tmp_path)
    (wheel,) = tmp_path.glob("innkeeper-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, system_site_packages=False, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    _run(*pip, "install", "--no-deps", "--target", packages, wheel, cwd=tmp_path)
    # What it runs on is taken from the environment of the tests, behind the wheel's own files.
    running = importlib.util.find_spec("click")
    assert running is not None
    assert running.origin is not None
    (packages / "runtime.pth").write_text(f"{Path(running.origin).parents[1]}\n")
    python = environment / "bin" / "python"
    found = _run(python, "-c", "import innkeeper; print(innkeeper.__file__)", cwd=tmp_path).strip()
    assert Path(found).is_relative_to(packages)
    assert "import" in _run(python, "-m", "innkeeper", "--help", cwd=tmp_path)
    script = (
        "from importlib.resources import files; print((files('innkeeper.web') / 'static/innkeeper.js').read_text())"
    )
    assert "sendBeacon" in _run(python, "-c", script, cwd=tmp_path)
    for name in ("harbour-house", "online-retail"):
        answer = _run(python, "-m", "innkeeper", "--json", "init", name, "--example", name, cwd=tmp_path)
        assert json.loads(answer)["files"]
        _run(python, "-m", "innkeeper", "check", name, cwd=tmp_path)
