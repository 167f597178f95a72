"""The upload for Glue is complete: the script and the zip need no other file of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from examples.spark.export_format import merged_line
from examples.spark.package import MODULES, SCRIPT, job_modules, write_job
from optimizer.consolidate.mapping import Entity

LINE = '{"Item":{"pk":{"S":"TENANT#t"},"sk":{"S":"USER#u"},"email":{"S":"e"},"raw":{"B":"AA=="}}}'
MAP = f"""
import sys
sys.path.insert(0, sys.argv[1])
from examples.spark.export_format import merged_line
from optimizer.consolidate.mapping import Entity
print(merged_line(Entity.USERS, ["by-email"], {LINE!r}))
"""


def test_the_zip_maps_with_nothing_else_on_the_path(tmp_path: Path) -> None:
    write_job(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MAP, str(tmp_path / MODULES)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == merged_line(Entity.USERS, ["by-email"], LINE), ran.stderr


def test_the_script_imports_nothing_that_is_not_packed(tmp_path: Path) -> None:
    write_job(tmp_path)
    imported = {
        line.split()[1]
        for line in (tmp_path / SCRIPT).read_text().splitlines()
        if line.startswith("from ") and line.split()[1].partition(".")[0] not in sys.stdlib_module_names
    }
    assert imported == {"pyspark.sql", "examples.spark.export_format", "optimizer.consolidate.mapping"}


def test_the_same_code_is_the_same_zip() -> None:
    assert job_modules() == job_modules()
