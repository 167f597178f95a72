"""The copying job as AWS Glue takes it: a script, and the modules beside it as one zip.

    python -m examples.spark.package DIR      writes spark_job.py and tap.zip

No asset, no wheel and no package index: the mapping imports nothing but the standard library, and what is packed
is the code that is running. The zip is the same byte for byte whenever the code is.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

SCRIPT = "spark_job.py"
MODULES = "tap.zip"
PACKED = {
    "domain": ("__init__.py", "errors.py", "indexes.py", "item_size.py"),
    "optimizer": ("__init__.py",),
    "optimizer.consolidate": ("__init__.py", "mapping.py"),
    "examples": ("__init__.py",),
    "examples.spark": ("__init__.py", "export_format.py"),
}


def job_script() -> bytes:
    """The script that Glue runs."""
    return files("examples.spark").joinpath("job.py").read_bytes()


def job_modules() -> bytes:
    """Our modules that the script imports, for `--extra-py-files`."""
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        for package, names in PACKED.items():
            for name in names:
                entry = ZipInfo(f"{package.replace('.', '/')}/{name}")  # of 1980: the time of packing says nothing
                entry.compress_type = ZIP_DEFLATED
                archive.writestr(entry, files(package).joinpath(name).read_bytes())
    return packed.getvalue()


def write_job(folder: Path) -> None:
    """Both, as files to upload."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRIPT).write_bytes(job_script())
    (folder / MODULES).write_bytes(job_modules())


if __name__ == "__main__":
    write_job(Path(sys.argv[1]))
