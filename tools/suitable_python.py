"""Checks whether this Python, or a virtual environment's, can run the project. Any Python 3.6 can read this file.

python tools/suitable_python.py         exits 1 with one line when this Python is too old
python tools/suitable_python.py .venv   also removes .venv when its Python is gone or too old: make builds it anew
"""

import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
WANTED = ".".join(map(str, OLDEST))


def main(folders: "list[str]") -> int:
    """The exit code."""
    running = tuple(sys.version_info[:2])
    if running < OLDEST:
        message = f"Python {WANTED} or newer is needed, and {sys.executable} is {running[0]}.{running[1]}."
        sys.stderr.write(f"{message} Name a newer one, as in: make rehearse PYTHON=python3.12\n")
        return 1
    for folder in map(Path, folders):
        if folder.is_dir() and not suits(folder / "bin" / "python"):
            sys.stderr.write(f"{folder} has a Python that is gone or older than {WANTED}: it is made anew.\n")
            shutil.rmtree(folder)
    return 0


def suits(python: Path) -> bool:
    """Whether the interpreter runs and is new enough."""
    try:
        return subprocess.call([str(python), "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]) == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
