"""Runs our moves and verbs in both emulators, and makes docs/second-emulator.md: make second."""

from __future__ import annotations

import sys

from benchmarks.second_emulator.compare import both
from benchmarks.second_emulator.page import write
from benchmarks.second_emulator.place import version
from benchmarks.second_emulator.scripts import RUN


def main() -> int:
    answers = both()
    write(version(), answers)
    wrong = [
        f"{name}: {question}: expected {wanted!r}, the emulated account answers {answers[name]['emulated'][question]!r}"
        for name, script in RUN.items()
        for question, wanted in script.documented.items()
        if answers[name]["emulated"][question] != wanted
    ]
    print("\n".join(wrong or ["The emulated account answers as AWS's pages say; docs/second-emulator.md is made."]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
