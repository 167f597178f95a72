"""Parameters that people set while the pipeline runs: the kill switch, the freeze override, the announced peaks.

Each is a parameter beside the journal: a change needs no commit, and Parameter Store records the user. The stack
creates them and never changes a value again: CloudFormation compares with its own last template, which stays
the same.
"""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from optimizer.execute.freeze_override import NOTHING
from optimizer.execute.kill_switch import SwitchPosition


class Controls(Construct):
    """The parameters /tap/switch, /tap/freeze-override and /tap/peaks of the tooling account."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.switch = self._parameter(
            "Switch", "switch", SwitchPosition.GO.value, "go: work; undo: only roll back; stop: change nothing, at once"
        )
        self.override = self._parameter(
            "FreezeOverride",
            "freeze-override",
            NOTHING,
            "COMMIT REASON: deploy this commit although a plan is under way",
        )
        self.peaks = self._parameter(
            "Peaks", "peaks", NOTHING, "FROM/TO NAME, one a line, days in UTC: no phase begins before or in them"
        )

    @property
    def variables(self) -> dict[str, str]:
        """The variables with their names for a job."""
        return {
            "TAP_SWITCH_PARAMETER": self.switch.parameter_name,
            "TAP_OVERRIDE_PARAMETER": self.override.parameter_name,
            "TAP_PEAKS_PARAMETER": self.peaks.parameter_name,
        }

    def grant_read(self, role: iam.Role) -> None:
        """Grant reading of the values; no job may set one."""
        arns = [each.parameter_arn for each in (self.switch, self.override, self.peaks)]
        role.add_to_policy(iam.PolicyStatement(actions=["ssm:GetParameter"], resources=arns))

    def grant_read_who_overrides(self, role: iam.Role) -> None:
        """Grant reading of the user who set an override, which is recorded with it."""
        override = [self.override.parameter_arn]
        role.add_to_policy(iam.PolicyStatement(actions=["ssm:GetParameterHistory"], resources=override))

    def _parameter(self, id: str, name: str, value: str, description: str) -> ssm.StringParameter:
        return ssm.StringParameter(self, id, parameter_name=f"/tap/{name}", string_value=value, description=description)
