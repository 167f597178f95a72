"""CodePipeline's small pipelines, made by a call: sources in S3, then manual approvals, which somebody answers.

The platform's own pipeline comes from its template and is driven by the rehearsal; this is for callers without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.codepipeline.execution import Execution, Executions

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_API = "https://docs.aws.amazon.com/codepipeline/latest/APIReference"
SOURCE, APPROVAL = ("Source", "S3"), ("Approval", "Manual")


@dataclass
class SmallExecution(Execution):
    """An execution that goes on by itself. `sources`: whether each source's object is there."""

    sources: dict[tuple[str, str], bool] = field(default_factory=dict)
    now: Callable[[], datetime] = datetime.now

    def go_on(self) -> None:
        """Run sources and open gates, stage by stage, up to the first action that waits or failed."""
        for stage, actions in self.stages.items():
            for action in actions:
                if (stage, action) in self.statuses:
                    continue
                if (stage, action) not in self.sources:
                    self.open(stage, action, "", self.now())
                    continue
                self.begin(stage, action)
                self.end(stage, action, self.sources[stage, action])
            if any(self.statuses[stage, action] != "Succeeded" for action in actions):
                return

    def answer(
        self, stage: str, action: str, token: str, approved: bool, summary: str, who: str, now: datetime
    ) -> None:
        super().answer(stage, action, token, approved, summary, who, now)
        self.go_on()

    def retry(self, stage: str) -> None:
        super().retry(stage)
        for action in self.stages[stage]:
            self.statuses.pop((stage, action), None)
        self.go_on()


@emulates(
    "codepipeline",
    "CreatePipeline",
    rule="Begins its first execution at once. Its first stage has sources alone; here a source is an object of S3 and "
    "every other action a manual approval.",
    source=f"{_API}/API_CreatePipeline.html",
)
def create_pipeline(account: Account, call: Call) -> Answer:
    declared = call.parameters["pipeline"]
    known = account.part(Executions).by_pipeline
    if declared["name"] in known:
        raise AwsError("PipelineNameInUseException", f"A pipeline with the name '{declared['name']}' already exists")
    stages = {stage["name"]: tuple(each["name"] for each in stage["actions"]) for stage in declared["stages"]}
    actions = [(number, stage, each) for number, stage in enumerate(declared["stages"]) for each in stage["actions"]]
    if len(stages) < 2:
        raise AwsError("InvalidStructureException", "Pipeline should have at least 2 stages")
    sources = {}
    for number, stage, action in actions:
        kind = action["actionTypeId"]["category"], action["actionTypeId"]["provider"]
        if kind not in (SOURCE, APPROVAL):
            raise NotImplementedError(f"{declared['name']}: an action of {kind} does not run here")
        if (kind == SOURCE) != (number == 0):
            raise AwsError("InvalidStructureException", "The first stage, and no other, has source actions alone")
        if kind == SOURCE:
            sources[stage["name"], action["name"]] = _is_there(account, call, action["configuration"])
    execution = SmallExecution(declared["name"], account.identifier(), stages, sources=sources, now=account.clock.now)
    known[declared["name"]] = execution
    execution.go_on()
    return {"pipeline": {**declared, "version": 1}}


@emulates(
    "codepipeline",
    "DeletePipeline",
    rule="A pipeline that is not there is no error.",
    source=f"{_API}/API_DeletePipeline.html",
)
def delete_pipeline(account: Account, call: Call) -> Answer:
    account.part(Executions).by_pipeline.pop(call.parameters["name"], None)
    return {}


def _is_there(account: Account, call: Call, where: dict[str, Any]) -> bool:
    """Whether the source's object exists, in a bucket with versions, which CodePipeline demands."""
    s3 = account.client("s3", call.account, call.region)
    try:
        s3.head_object(Bucket=where["S3Bucket"], Key=where["S3ObjectKey"])
    except ClientError:
        return False
    return bool(s3.get_bucket_versioning(Bucket=where["S3Bucket"]).get("Status") == "Enabled")
