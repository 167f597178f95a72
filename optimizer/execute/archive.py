"""A plan's dashboard, evidence, plan and journal, filed where they outlive the run that made them.

The bucket is versioned: a plan's files always lie under its hash, and each publication is a version.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from optimizer.execute.journal import Item, Journal, unpacked
from optimizer.model.decision import finite
from optimizer.ports.aws import Aws

PLANS = "plans/"
NOT_STRICT = re.compile(r"\n|NaN|Infinity")


def export(journal: Journal) -> dict[str, Any]:
    """Every item of the plan in force as the journal holds it, documents unpacked; nothing is chosen."""
    plan_hash, kept = _kept(journal)
    return {"plan": plan_hash, "items": [{name: _plain(value) for name, value in item.items()} for item in kept]}


def write_export(journal: Journal, out: Path) -> None:
    """Write `journal.json`, and the plan in force as `plan.json`, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    plan_hash, kept = _kept(journal)
    with (out / "journal.json").open("w") as file:
        file.write(f'{{"plan": {json.dumps(plan_hash)}, "items": [')
        for number, item in enumerate(kept):  # one item per line
            file.write(f"{',' if number else ''}\n{_line(item)}")
        file.write("\n]}\n")
    if current := journal.current():
        (out / "plan.json").write_text(current.plan.dump())


def upload(tooling: Aws, bucket: str, plan_hash: str, files: Iterable[Path]) -> str:
    """File them under the plan's hash; returns where."""
    for path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        key = f"{PLANS}{plan_hash}/{path.name}"
        with path.open("rb") as body:
            tooling.s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
    return f"s3://{bucket}/{PLANS}{plan_hash}/"


def _kept(journal: Journal) -> tuple[str | None, list[Item]]:
    """The hash of the plan in force, and all that the journal holds of it."""
    head = journal.items("plan")
    plan_hash = head[0]["hash"]["S"] if head else None
    kept = [*head, *journal.items("sizing"), *journal.items("accepted")]
    return plan_hash, kept + list(journal.items(f"plan#{plan_hash}")) if plan_hash else kept


def _line(item: Item) -> str:
    """An item as strict JSON, its keys in order."""
    return f"{{{', '.join(f'{json.dumps(name)}: {_text(item[name])}' for name in sorted(item))}}}"


def _text(attribute: Mapping[str, Any]) -> str:
    """An attribute as strict JSON. Most documents are that already, and are copied."""
    if "B" in attribute and not NOT_STRICT.search(document := unpacked(attribute)):
        return document
    return json.dumps(finite(_plain(attribute)), sort_keys=True, allow_nan=False)


def _plain(attribute: Mapping[str, Any]) -> Any:
    """One DynamoDB attribute as JSON says it."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return float(value) if "." in value else int(value)
        case "NS":
            return sorted(int(each) for each in value)
        case "B":
            return json.loads(unpacked(attribute))
        case "S" if value[:1] in ("{", "["):
            return json.loads(value)
    return value
