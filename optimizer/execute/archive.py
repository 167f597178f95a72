"""A plan's dashboard, evidence, plan and journal, filed where they outlive the run that made them.

The bucket is versioned: a plan's files always lie under its hash, and each publication is a version.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from optimizer.execute.journal import Journal, unpacked
from optimizer.model.decision import finite
from optimizer.ports.aws import Aws

PLANS = "plans/"


def export(journal: Journal) -> dict[str, Any]:
    """Every item of the plan in force as the journal holds it, documents unpacked; nothing is chosen."""
    head = journal.items("plan")
    plan_hash = head[0]["hash"]["S"] if head else None
    kept = [*head, *journal.items("sizing"), *journal.items("accepted")]
    if plan_hash:
        kept += journal.items(f"plan#{plan_hash}")
    return {"plan": plan_hash, "items": [{name: _plain(value) for name, value in item.items()} for item in kept]}


def write_export(journal: Journal, out: Path) -> None:
    """Write `journal.json`, and the plan in force as `plan.json`, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    held = export(journal)
    items = ",\n".join(json.dumps(finite(each), sort_keys=True, allow_nan=False) for each in held["items"])
    # An item a line: an indented document takes Python's own encoder, ten times as long.
    (out / "journal.json").write_text(f'{{"plan": {json.dumps(held["plan"])}, "items": [\n{items}\n]}}\n')
    if current := journal.current():
        (out / "plan.json").write_text(current.plan.dump())


def upload(tooling: Aws, bucket: str, plan_hash: str, files: Iterable[Path]) -> str:
    """File them under the plan's hash; returns where."""
    for path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        key = f"{PLANS}{plan_hash}/{path.name}"
        tooling.s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType=kind)
    return f"s3://{bucket}/{PLANS}{plan_hash}/"


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
