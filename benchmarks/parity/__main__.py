"""Tests in a sandbox account the facts behind our rules: make parity PROFILE=... (or python -m benchmarks.parity).

Refused for the accounts of the environment. AWS's answers are stored in seen.json; differences from the documentation
are printed side by side, and `python -m tools.reference` then makes docs/overlay.md.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

import boto3

from benchmarks.parity.asking import Answers, Sandbox, Script
from benchmarks.parity.scripts import SCRIPTS
from domain.environment import EXAMPLE_ACCOUNTS, load_environment

SEEN = Path(__file__).with_name("seen.json")
ROOT = Path(__file__).parents[2]


class ProductionAccount(Exception):
    """The credentials belong to an account of the platform or its pipeline."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", help=_choice())
    parser.add_argument("--profile", help="of the sandbox account, in ~/.aws")
    parser.add_argument("--region", default="us-east-1")
    options = parser.parse_args()
    if unknown := [each for each in options.scripts if each not in SCRIPTS]:
        parser.error(f"no script {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    session = boto3.Session(profile_name=options.profile, region_name=options.region)
    try:
        require_sandbox(session.client("sts").get_caller_identity()["Account"])
    except ProductionAccount as refusal:
        print(refusal, file=sys.stderr)
        return 2
    differs = False
    seen = json.loads(SEEN.read_text()) if SEEN.exists() else {}
    for name in options.scripts or [name for name, script in SCRIPTS.items() if not script.on_request]:
        script = SCRIPTS[name]
        print(f"{script.title} (costs {script.cost})", flush=True)
        answers = script.ask(Sandbox(session, options.region, secrets.token_hex(3)))
        lines = differences(script, answers)
        differs = differs or bool(lines)
        print("\n".join(lines or ["  as documented"]), flush=True)
        seen[name] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "answers": answers, "operations": script.operations}
        SEEN.write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n")
    return 1 if differs else 0


def _choice() -> str:
    named = ", ".join(f"{name} ({script.cost})" for name, script in SCRIPTS.items() if script.on_request)
    return f"of {', '.join(SCRIPTS)}; without any, all but {named}"


def require_sandbox(account: str) -> None:
    """Raises ProductionAccount for an account of the environment in cdk.json, except an example's."""
    environment = load_environment(json.loads((ROOT / "cdk.json").read_text())["context"]["environment"])
    if account in {environment.accounts.production, environment.accounts.tooling} | EXAMPLE_ACCOUNTS:
        raise ProductionAccount(
            f"{account} is an account of the environment: these scripts make and delete tables and instances, "
            "in a sandbox account only. Give credentials of one (--profile)."
        )


def differences(script: Script, answers: Answers) -> list[str]:
    """Answers that differ from the documented ones, side by side."""
    return [
        f"  {name}: documented {script.documented.get(name)!r}, answered {answers.get(name)!r}"
        for name in {**script.documented, **answers}
        if script.documented.get(name) != answers.get(name)
    ]


if __name__ == "__main__":
    sys.exit(main())
