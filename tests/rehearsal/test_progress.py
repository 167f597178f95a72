"""Progress: plain lines in a file, wrapped lines with the time left on a terminal; Ctrl-C leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rehearsal import report
from rehearsal.report import DIM, Progress
from rehearsal.run import remember_seconds, usual_seconds

ROOT = Path(__file__).parents[2]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_there_are_plain_lines() -> None:
    stream = io.StringIO()
    progress = Progress(stream, usual=90)
    progress.say("x" * 200)
    progress.end()
    assert stream.getvalue() == f"{'':16}  {'x' * 200}\n"


@pytest.mark.parametrize(("variables", "dimmed"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_wraps_and_says_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], dimmed: bool
) -> None:
    monkeypatch.setattr(report, "environ", variables)
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    progress = Progress(stream, usual=90)
    progress.say("a word " * 30)
    lines = stream.getvalue().split("\n")
    assert all(len(each) <= 84 for each in lines[:-1])  # with the four characters that erase the line
    assert len(lines) > 3
    assert "s left" in lines[-1]
    assert (DIM in lines[-1]) == dimmed


def test_the_time_left_is_that_of_the_last_run(tmp_path: Path) -> None:
    assert usual_seconds(tmp_path, "quiet") is None
    remember_seconds(tmp_path, "quiet", 81.04)
    assert usual_seconds(tmp_path, "quiet") == 81.0


@pytest.mark.slow
def test_ctrl_c_ends_a_rehearsal_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "optimizer", "rehearse", "--out", str(out)]
    environ = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert tempfile.gettempdir() != str(scratch)
    for line in process.stderr:
        if "deployed tap-primary" in line:
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert process.stderr.read().splitlines()[-1] == "Interrupted."
    assert not out.exists()
    assert list(scratch.glob("rehearsal-*")) == []
