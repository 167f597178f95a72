"""One stack's change set: proposed, read whole, executed or thrown away; safe to repeat after a crash at any call.

Drift-aware (DeploymentMode REVERT_DRIFT): CloudFormation compares the new template with the actual
state, so that a template which equals reality touches nothing
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html). No role
and no tags are given: the stack keeps the role it was deployed with, which a caller need not be allowed
to pass, and its tags.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cloudformation.assembly import Stack
from cloudformation.template import Place, Template, same_template
from domain.errors import MoveFailed, ReconcileRefused
from domain.names import PREFIX
from optimizer.model.fingerprint import fingerprint
from optimizer.ports.aws import Aws
from optimizer.reconcile.deployed import deployed_template
from optimizer.reconcile.harmless_changes import Change, Detail

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import DescribeChangeSetOutputTypeDef, StackTypeDef

INLINE = 51_200  # bytes of a TemplateBody (API_CreateChangeSet)
POLL = 10  # seconds
DRIFT_AWARE = {"DeploymentMode": "REVERT_DRIFT"}
PROPOSED_WITHIN = timedelta(minutes=30)  # it reads the actual state of every resource
EXECUTED_WITHIN = timedelta(hours=1)  # harmless changes take minutes
# How CloudFormation says that there is nothing to do; it has no code for it (aws-cdk looks for the same words).
NO_CHANGES = ("The submitted information didn't contain changes.", "No updates are to be performed")
READY = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)

Keep = Callable[[], None]
"""Renews the plan's lease; raises LeaseLost."""


@dataclass(frozen=True)
class ChangeSet:
    """A change set that could be executed."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class StackChanges:
    """The change sets of one stack. `aws` is in the stack's own Region; `keep` is called while waiting."""

    aws: Aws
    stack: Stack
    keep: Keep

    def settle(self) -> None:
        """Wait for an update that is under way. Raises ReconcileRefused for a stack that takes no update."""
        current = self._until(lambda stack: not _in_progress(stack), "finish what it is doing", EXECUTED_WITHIN)
        if current["StackStatus"] not in READY:
            raise ReconcileRefused(
                f"{self.stack.name} in {self.stack.region} is {current['StackStatus']}: "
                f"{current.get('StackStatusReason', 'no reason told')}. Bring it out of that state by hand "
                "(docs/runbook.md, A stack that is stuck), then reconcile again."
            )

    def propose(self, template: Template) -> ChangeSet | None:
        """The change set that would bring the stack to `template`; None when CloudFormation sees nothing to do.

        A change set of the same name that a crash left is thrown away: the account may have changed since.
        """
        name = f"{PREFIX}-{fingerprint(template, 16)}"
        description = "Brings the template after the account; made by the cost optimizer"
        return self._made(name, description, DRIFT_AWARE, ImportExistingResources=True, **self._template(template))

    def ask(self) -> tuple[Change, ...]:
        """The changes of a drift-aware change set although the template stays the deployed one; it is thrown away."""
        name = f"{PREFIX}-asked"
        description = "Asks what drift CloudFormation sees; never executed"
        return self._thrown_away(self._made(name, description, DRIFT_AWARE, UsePreviousTemplate=True))

    def foresee(self, template: Template) -> tuple[Change, ...]:
        """The changes of an ordinary deployment of `template`, as the pipeline would make it; thrown away."""
        description = "Asks what a deployment would change; never executed"
        return self._thrown_away(self._made(f"{PREFIX}-foreseen", description, {}, **self._template(template)))

    def _thrown_away(self, change_set: ChangeSet | None) -> tuple[Change, ...]:
        if change_set is None:
            return ()
        self.discard(change_set)
        return change_set.changes

    def _made(self, name: str, description: str, mode: Mapping[str, Any], **template: Any) -> ChangeSet | None:
        self._delete(name)
        self._client.create_change_set(
            StackName=self.stack.name,
            ChangeSetName=name,
            ClientToken=self._token(name),
            Description=description,
            ChangeSetType="UPDATE",
            **mode,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **template,
        )
        described = self._described(name)
        if described["Status"] == "FAILED":
            reason = described.get("StatusReason", "")
            self._delete(name)
            if reason.startswith(NO_CHANGES):
                return None
            raise ReconcileRefused(
                f"CloudFormation made no change set of {self.stack.name}: {reason} "
                "See docs/runbook.md, Reconcile was refused."
            )
        pages = self._client.get_paginator("describe_change_set").paginate(
            ChangeSetName=name, StackName=self.stack.name, IncludePropertyValues=True
        )
        return ChangeSet(name, tuple(read_change(each) for page in pages for each in page["Changes"]))

    def discard(self, change_set: ChangeSet) -> None:
        """Throw away a change set that is not to be executed."""
        self._delete(change_set.name)

    def execute(self, change_set: ChangeSet, template: Template) -> None:
        """Execute it, until the stack is at `template`. Raises MoveFailed when it rolled back or takes too long."""
        before = self._stack().get("LastUpdatedTime")
        self._client.execute_change_set(
            ChangeSetName=change_set.name,
            StackName=self.stack.name,
            ClientRequestToken=self._token(change_set.name),
        )

        def over(stack: StackTypeDef) -> bool:
            if _in_progress(stack):
                return False
            return _ended_badly(stack, before) or same_template(self.deployed(), template)

        current = self._until(over, f"take the change set {change_set.name}", EXECUTED_WITHIN)
        if not same_template(self.deployed(), template):
            raise MoveFailed(
                f"{self.stack.name}: the change set {change_set.name} ended as {current['StackStatus']}: "
                f"{self._why()}. Nothing harmful was requested of it; see the stack's events, then reconcile again."
            )

    def deployed(self) -> Template | None:
        """The template that the stack was deployed with last."""
        return deployed_template(self.aws, self.stack.name)

    @property
    def _client(self) -> CloudFormationClient:
        return self.aws.cloudformation

    def _stack(self) -> StackTypeDef:
        return self._client.describe_stacks(StackName=self.stack.name)["Stacks"][0]

    def _until(self, reached: Callable[[StackTypeDef], bool], what: str, within: timedelta) -> StackTypeDef:
        deadline = self.aws.clock.now() + within
        while not reached(current := self._stack()):
            self._wait(deadline, what, current["StackStatus"])
        return current

    def _wait(self, deadline: datetime, what: str, status: str) -> None:
        if self.aws.clock.now() >= deadline:
            raise MoveFailed(
                f"{self.stack.name} did not {what} in time (it is {status}). See its events in CloudFormation; "
                "run the same command again: it goes on where it stands."
            )
        self.aws.clock.sleep(POLL)
        self.keep()

    def _described(self, name: str) -> DescribeChangeSetOutputTypeDef:
        """The change set, once CloudFormation has made it or failed to."""
        deadline = self.aws.clock.now() + PROPOSED_WITHIN
        while True:
            described = self._client.describe_change_set(ChangeSetName=name, StackName=self.stack.name)
            if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
                return described
            self._wait(deadline, "propose a change set", described["Status"])

    def _delete(self, name: str) -> None:
        """Delete a change set, if there is one, and wait until it is gone: its name is needed."""
        deadline = self.aws.clock.now() + PROPOSED_WITHIN
        while (status := self._status(name)) is not None:
            if not status.startswith("DELETE_") and not status.endswith(("_PENDING", "_IN_PROGRESS")):
                self._client.delete_change_set(ChangeSetName=name, StackName=self.stack.name)
            else:
                self._wait(deadline, f"let go of the change set {name}", status)

    def _status(self, name: str) -> str | None:
        try:
            return self._client.describe_change_set(ChangeSetName=name, StackName=self.stack.name)["Status"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ChangeSetNotFound", "ChangeSetNotFoundException"):
                return None
            raise

    def _template(self, template: Template) -> dict[str, Any]:
        """The template inline, or where it is too large for that, in the bucket that CDK keeps templates in.

        It is a bucket of the same account and Region, made by bootstrapping: nothing crosses accounts.
        """
        body = json.dumps(template, separators=(",", ":"), ensure_ascii=False)
        if len(body.encode()) <= INLINE:
            return {"TemplateBody": body}
        if not self.stack.staging:
            raise ReconcileRefused(
                f"The template of {self.stack.name} is larger than {INLINE} bytes, and the assembly names no bucket "
                "for it: synthesize it with the default synthesizer."
            )
        key = f"{PREFIX}/{self.stack.name}-{fingerprint(template, 16)}.json"
        self.aws.s3.put_object(Bucket=self.stack.staging, Key=key, Body=body.encode(), ContentType="application/json")
        suffix = Place(self.stack.account, self.stack.region, self.stack.name).pseudo_parameter("AWS::URLSuffix")
        return {"TemplateURL": f"https://{self.stack.staging}.s3.{self.stack.region}.{suffix}/{key}"}

    def _token(self, name: str) -> str:
        """The same for botocore's own retries of one call, another one for the next call."""
        return f"{name}-{self.aws.clock.now():%Y%m%d%H%M%S}"

    def _why(self) -> str:
        """The first failure of the last update, in CloudFormation's own words."""
        events = self._client.describe_stack_events(StackName=self.stack.name)["StackEvents"]  # newest first
        failed = [each for each in events if each.get("ResourceStatus", "").endswith("_FAILED")]
        return failed[-1].get("ResourceStatusReason", "no reason told") if failed else "no event tells why"


def read_change(described: Mapping[str, Any]) -> Change:
    """One change as DescribeChangeSet tells it (API_Change)."""
    change: Mapping[str, Any] = described.get("ResourceChange", {})
    return Change(
        action=change.get("Action", "?"),
        logical_id=change.get("LogicalResourceId", "?"),
        type=change.get("ResourceType", "?"),
        physical_id=change.get("PhysicalResourceId", ""),
        replacement=change.get("Replacement"),
        policy=change.get("PolicyAction"),
        drift=change.get("ResourceDriftStatus"),
        details=tuple(_detail(each) for each in change.get("Details", ())),
        nested="ChangeSetId" in change,
        before=change.get("BeforeContext"),
        after=change.get("AfterContext"),
    )


def _detail(described: Mapping[str, Any]) -> Detail:
    target = described.get("Target", {})
    return Detail(
        attribute=target.get("Attribute", "?"),
        property=target.get("Name", ""),
        kind=target.get("AttributeChangeType"),
        evaluation=described.get("Evaluation", "Dynamic"),
        cause=described.get("CausingEntity"),
        before=target.get("BeforeValue"),
        after=target.get("AfterValue"),
        before_from=target.get("BeforeValueFrom"),
    )


def _in_progress(stack: StackTypeDef) -> bool:
    return stack["StackStatus"].endswith("_IN_PROGRESS")


def _ended_badly(stack: StackTypeDef, before: datetime | None) -> bool:
    """Whether the update that began after `before` ended otherwise than complete."""
    return stack.get("LastUpdatedTime") != before and stack["StackStatus"] != "UPDATE_COMPLETE"
