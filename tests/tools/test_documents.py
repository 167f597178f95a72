"""Every command and code block of the documentation: executed, or parsed where it needs AWS."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from emulator.account import EmulatedAccount
from emulator.core import registry
from optimizer.cli.verbs import _command
from optimizer.ports.aws import Aws
from optimizer.resources.actual_state import Observed
from rehearsal.command import SCENARIOS
from rehearsal.scenario import known_scenarios, load_scenario

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPOKEN = re.compile(r"`((?:python -m optimizer|\./tap|make|\.venv/bin/python -m [a-z.]+) ?[^`]*)`")
OURS = re.compile(r"(?:\.venv/bin/)?python -m optimizer(?![.\w])|\./tap\b")
TOOLING, PRODUCTION, REGION = "111111111111", "222222222222", "us-east-1"


def blocks(document: str, language: str) -> list[str]:
    return [text for found, text in BLOCK.findall((ROOT / document).read_text()) if found == language]


def commands() -> Iterator[tuple[str, str]]:
    """Place and text of every command line: those in blocks without a language, and those in the text."""
    for path in DOCUMENTS:
        text, name = path.read_text(), path.relative_to(ROOT).as_posix()
        for language, block in BLOCK.findall(text):
            if language in ("", "sh"):
                for line in block.splitlines():
                    if re.match(r"(python -m|\./tap|make |\.venv/bin/)", line.strip()):
                        yield name, line.split(" #")[0].strip().removesuffix("&").strip()
        for spoken in SPOKEN.findall(BLOCK.sub("", text)):
            yield name, " ".join(spoken.split())


COMMANDS = sorted(set(commands()))


def parse(words: list[str]) -> None:
    """Raises click's UsageError for a verb or an option that does not exist."""
    command: Any = _command()
    context = command.make_context("optimizer", [], resilient_parsing=True)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
        context = command.make_context(command.name, [], resilient_parsing=True)
    if words and hasattr(command, "commands") and not words[0].startswith("-"):
        raise AssertionError(f"no verb {words[0]}")
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    given = {each.partition("=")[0] for each in words if each.startswith("--") and each != "--"}
    assert given <= known, f"{command.name} has no {sorted(given - known)}"
    assert context is not None


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_a_command_of_the_documentation_parses(document: str, command: str) -> None:
    if command.startswith("make"):
        targets = [each for each in shlex.split(command)[1:] if re.fullmatch(r"[a-z]+", each)]
        known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert set(targets) <= known, f"{document}: {command}"
        return
    if not OURS.match(command):
        module = re.search(r"-m ([a-z.]+)", command)
        assert (
            module is None
            or module[1] == "pytest"
            or (ROOT / f"{module[1].replace('.', '/')}.py").is_file()
            or (ROOT / module[1].replace(".", "/")).is_dir()
        ), f"{document}: {command}"
        return
    words = shlex.split(OURS.sub("", command, count=1).replace("...", "").replace("[", "").replace("]", ""))
    if not words or words[0].isupper():
        return  # the command line itself, as `python -m optimizer VERB`
    own, _, other = " ".join(words).partition(" -- ")
    parse(own.split())
    if other and not other.split()[0].isupper():
        parse(other.split())


def test_there_are_commands_to_look_at() -> None:
    assert len(COMMANDS) > 30
    with pytest.raises(AssertionError, match="no verb"):
        parse(["optimise"])
    with pytest.raises(AssertionError, match="has no"):
        parse(["status", "--jsn"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_blocks_are_what_they_say(path: Path) -> None:
    for language, text in BLOCK.findall(path.read_text()):
        match language:
            case "python":
                compile(text, str(path), "exec")
            case "yaml":
                assert yaml.safe_load(text)
            case "json":
                assert json.loads(text)
            case "sh":
                assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0


def test_the_scenario_of_the_guide_is_one(tmp_path: Path) -> None:
    (text,) = blocks("docs/adding-more.md", "yaml")
    path = tmp_path / "slow-afternoon.yaml"
    path.write_text(text)
    scenario = load_scenario(str(path))
    assert (scenario.name, scenario.days) == ("slow-afternoon", 61)


def test_the_kind_of_the_guide_finds_its_resources() -> None:
    text, _ = blocks("docs/adding-more.md", "python")
    module = types.ModuleType("kinds")
    exec(compile(text, "adding-more.md", "exec"), vars(module))
    (kind,) = module.KINDS
    with EmulatedAccount(start=datetime(2027, 3, 1, tzinfo=UTC), tooling=TOOLING, production=PRODUCTION) as account:
        client = account.client("sqs", PRODUCTION, REGION)
        url = client.create_queue(QueueName="orders", tags={GOVERNED_TAG: GOVERNED_VALUE})["QueueUrl"]
        aws = Aws(account.session(PRODUCTION, REGION), PRODUCTION, REGION, account.clock)
        arn = f"arn:aws:sqs:{REGION}:{PRODUCTION}:orders"
        assert kind.tags(aws, arn) == {GOVERNED_TAG: GOVERNED_VALUE}
        assert kind.compared["AWS::SQS::Queue"].read(Observed(aws), url) == {"VisibilityTimeout": "30"}


def test_the_emulated_operation_of_the_guide_answers_and_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = blocks("docs/adding-more.md", "python")
    monkeypatch.setattr(registry, "_OPERATIONS", dict(registry.operations()))
    exec(compile(text, "adding-more.md", "exec"), {})
    added = dict(registry._OPERATIONS)
    monkeypatch.setattr(registry, "operations", lambda: added)
    with EmulatedAccount(start=datetime(2027, 3, 1, tzinfo=UTC), tooling=TOOLING, production=PRODUCTION) as account:
        emulated = added["sqs", "PurgeQueue"]
        call = types.SimpleNamespace(parameters={"QueueUrl": "q"}, forward=lambda: {"done": True})
        assert emulated.answer(account, call) == {"done": True}  # type: ignore[arg-type]  # a call as the guide reads it
        with pytest.raises(Exception, match="Only one PurgeQueue"):
            emulated.answer(account, call)  # type: ignore[arg-type]
        account.clock.sleep(timedelta(seconds=61).total_seconds())
        assert emulated.answer(account, call) == {"done": True}  # type: ignore[arg-type]


def test_help_names_every_scenario() -> None:
    assert [each for each in known_scenarios() if each not in SCENARIOS] == []


def test_the_readme_says_why_each_dependency() -> None:
    readme = (ROOT / "README.md").read_text()
    setup = (ROOT / "setup.py").read_text()
    required = re.findall(
        r'"([a-z0-9-]+)[^"]*"', setup[setup.index("install_requires") : setup.index("extras_require")]
    )
    table = readme[readme.index("## Dependencies") :]
    assert [each for each in required if each != "install_requires" and f"`{each}`" not in table] == []
