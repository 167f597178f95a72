"""Claims that tests hold already: a campaign of them counts the tests, and names those that fail."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.campaigns.campaign import ROOT, Row


def row(tests: Sequence[str], covered: str, *, marks: str = "") -> Row:
    """Run these tests in a process of their own. Raises RuntimeError where none ran."""
    with tempfile.TemporaryDirectory(prefix="tests-") as folder:
        told = Path(folder, "told.xml")
        asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", marks, f"--junitxml={told}"]
        done = subprocess.run([*asked, *tests], cwd=ROOT, env=dict(os.environ), capture_output=True, check=False)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"no tests ran of {', '.join(tests)}: {done.stdout.decode()[-500:]}")
        ran = [each for each in ElementTree.parse(told).iter("testcase") if each.find("skipped") is None]
    failed = [each for each in ran if each.find("failure") is not None or each.find("error") is not None]
    return Row(len(ran), tuple(f"{each.get('classname')}::{each.get('name')}" for each in failed), covered)
