"""A plan's dashboard, evidence, plan and journal, filed where they outlive the run that made them.

The bucket is versioned: a plan's files always lie under its hash, and each publication is a version.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from optimizer.execute.journal import Item, Journal, unpacked
from optimizer.model.decision import finite
from optimizer.ports.aws import Aws

PLANS = "plans/"


def export(journal: Journal) -> dict[str, Any]:
    """Every item of the plan in force as the journal holds it, documents unpacked; nothing is chosen."""
    plan_hash, kept = _kept(journal)
    return {"plan": plan_hash, "items": [{name: _plain(value) for name, value in item.items()} for item in kept]}


def write_export(journal: Journal, out: Path) -> None:
    """Write `journal.json`, and the plan in force as `plan.json`, into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    plan_hash, kept = _kept(journal)
    # An item a line: an indented document takes Python's own encoder, ten times as long.
    items = ",\n".join(map(_line, kept))
    (out / "journal.json").write_text(f'{{"plan": {json.dumps(plan_hash)}, "items": [\n{items}\n]}}\n')
    if current := journal.current():
        (out / "plan.json").write_text(current.plan.dump())


def upload(tooling: Aws, bucket: str, plan_hash: str, files: Iterable[Path]) -> str:
    """File them under the plan's hash; returns where."""
    for path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        key = f"{PLANS}{plan_hash}/{path.name}"
        tooling.s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType=kind)
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
    if "B" in attribute:
        return _document(bytes(attribute["B"]))
    return json.dumps(finite(_plain(attribute)), sort_keys=True, allow_nan=False)


@lru_cache(maxsize=16)
def _document(packed: bytes) -> str:
    """A document's text, made once of the same bytes: most stay as they are from one publication to the next."""
    return json.dumps(finite(_plain({"B": packed})), sort_keys=True, allow_nan=False)


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
