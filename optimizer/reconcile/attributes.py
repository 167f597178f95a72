"""Values of `Fn::GetAtt` for deployed resources: CloudFormation shows them to nobody, their services do."""

from __future__ import annotations

from collections.abc import Mapping

from cloudformation.template import Template
from domain.errors import ReconcileRefused
from optimizer.ports.aws import Aws
from optimizer.reconcile.reimport import Known, attributes
from optimizer.resources.registry import compared_types


def references_to(aws: Aws, template: Template, leaving: Mapping[str, str]) -> Known:
    """The attributes of `leaving` (logical to physical ids) that the template's other parts refer to.

    Raises ReconcileRefused for one that cannot be told.
    """
    return {
        (logical_id, name): _attribute(aws, template["Resources"][logical_id]["Type"], leaving[logical_id], name)
        for logical_id, name in sorted(attributes(template, leaving))
    }


def _attribute(aws: Aws, type_name: str, physical_id: str, name: str) -> str:
    known = compared_types().get(type_name)
    if known is None or (read := known.attributes.get(name)) is None:
        raise ReconcileRefused(
            f"{physical_id} cannot leave its stack for a moment: nothing tells its {name} ({type_name}), "
            "which other resources refer to. See docs/runbook.md, Reconcile was refused."
        )
    return read(aws, physical_id)
