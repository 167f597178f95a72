"""Next steps for a person: the console's step and, where there is one, the command. Pure."""

from __future__ import annotations

from optimizer.model.phase import Phase

PIPELINE = "tap"
CONSOLE = f"In the CodePipeline console, pipeline {PIPELINE}"
ANEW = "python -m optimizer analyze --anew --out out"
RELEASE = f"aws codepipeline start-pipeline-execution --name {PIPELINE}"
STATUS = "python -m optimizer status"


def answer_gate(stage: str, gate: str, *, done: str = "approve or reject") -> str:
    """The way to answer a gate of the pipeline."""
    return f"{CONSOLE}, stage {stage}, action {gate}: choose Review, then {done}"


def retry(phase: Phase) -> str:
    """The way to run a phase's stage again; moves that were made find themselves done."""
    return f"{CONSOLE}, stage {phase.stage_name}: choose Retry stage, then Retry all actions"


def retry_command(stage: str) -> str:
    """The same by the AWS CLI, in one line."""
    latest = f"stageStates[?stageName=='{stage}'].latestExecution.pipelineExecutionId"
    return (
        f"aws codepipeline retry-stage-execution --pipeline-name {PIPELINE} --stage-name {stage} "
        f"--retry-mode ALL_ACTIONS --pipeline-execution-id $(aws codepipeline get-pipeline-state "
        f'--name {PIPELINE} --query "{latest}" --output text)'
    )


def roll_back(phase: Phase) -> str:
    """The verb that undoes a phase, for a person with the variables of the project tap-rollback."""
    return f'python -m optimizer rollback --phase {phase.number} --reason "..."'


def log_of(project: str) -> str:
    """The address of a job's log."""
    return f"In the CodeBuild console, project {project}: open the latest build and read its log"
