"""Mails to people: which notices a plan's state calls for, and sending each of them once.

The notices are derived from the journal: a watch that crashed, or a topic that could not be reached, delays
a notice by five minutes and loses none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from optimizer.execute.journal import Journal
from optimizer.execute.records import Acceptance, PhaseRecord, PhaseState
from optimizer.execute.ways_on import ANEW, RELEASE, STATUS, answer_gate, log_of, retry, roll_back
from optimizer.model.health import Assessment, Health
from optimizer.model.phase import Phase
from optimizer.ports.aws import Aws

OBSERVE = "Observe"
UNCLEAR = timedelta(hours=6)  # a gap that mends itself is nobody's work
UNANSWERED = timedelta(hours=24)
UNFINISHED = timedelta(hours=2)
AGAIN = timedelta(days=1)  # what still stands is said once a day
SUBJECT_LIMIT = 100  # ASCII characters, no line break (SNS API, Publish)


@dataclass(frozen=True)
class Notice:
    """One message to people. `key` is what it is about: the same key is sent once."""

    key: str
    subject: str
    text: str


def due(phases: Iterable[PhaseRecord], now: datetime) -> Iterator[Notice]:
    """The mails that are due for the phases of a plan."""
    for record in phases:
        match record.state:
            case PhaseState.ROLLED_BACK:
                yield rolled_back(record)
            case PhaseState.APPLYING | PhaseState.ACCEPTING if record.unattended_since:
                yield unattended(record, record.unattended_since, now)
            case PhaseState.ROLLING_BACK if now - record.since >= UNFINISHED:
                yield rollback_unfinished(record, now)
            case PhaseState.OBSERVING if record.unclear_since and now - record.unclear_since >= UNCLEAR:
                yield unclear(record, record.unclear_since, now)
            case PhaseState.OBSERVING if record.window_end and now - record.window_end >= UNANSWERED:
                yield unanswered(record, record.window_end, now)


def rolled_back(record: PhaseRecord) -> Notice:
    """The phase was undone, and the plan stopped."""
    return _notice(
        record.phase,
        "rolled_back",
        "was rolled back",
        f"Phase {record.phase.number} is as it was before: {record.reason}",
        f"The plan is stopped. Find the cause on the dashboard and mend it. Then propose a new plan: run `{ANEW}` with "
        f"the variables of the project tap-analyze, and release the pipeline (`{RELEASE}`).",
    )


def unattended(record: PhaseRecord, since: datetime, now: datetime) -> Notice:
    """The job that applied or accepted the phase ended before it was done."""
    applying = record.state is PhaseState.APPLYING
    then = "after an hour the phase is rolled back, unless it goes on by then" if applying else "it stays as it is"
    return _notice(
        record.phase,
        f"unattended#{since:%Y%m%dT%H%M}#{(now - since) // AGAIN}",
        "stands half way, and no job is at work on it",
        f"It is {record.state.value}, and no job has worked on it since {since:%Y-%m-%d %H:%M} UTC. The watch guards "
        f"the service and tends what was changed; {then}.",
        f"Read the log of the job that ended. {retry(record.phase)}: the phase goes on where it stopped. To give up "
        f"instead: `{roll_back(record.phase)}`.",
    )


def no_way_back(phase: Phase, problem: str, now: datetime) -> Notice:
    """The phase was to be rolled back, and cannot be."""
    return _notice(
        phase,
        f"no_way_back#{now:%Y%m%d}",
        "cannot be rolled back",
        problem,
        f"Treat it as an incident: mend by hand what is named above, then run `{roll_back(phase)}`; see "
        "docs/runbook.md, The way back is closed.",
    )


def held_by_aws(phase: Phase, problem: str, now: datetime) -> Notice:
    """A breach is not undone while AWS itself fails."""
    return _notice(
        phase,
        f"held_by_aws#{now:%Y%m%d}",
        "is in breach, and AWS itself fails",
        problem,
        "Look at the AWS Health Dashboard. The watch rolls the phase back as soon as AWS answers again; what a person "
        "can do meanwhile is in docs/runbook.md, AWS itself fails.",
    )


def not_watched(phase: Phase, problem: str, now: datetime) -> Notice:
    """A phase does not begin: nobody would watch it."""
    return _notice(
        phase,
        f"not_watched#{now:%Y%m%d}",
        "does not begin: the watch cannot run beside it",
        problem,
        "Request more concurrent builds (Service Quotas console, AWS CodeBuild: Concurrently running builds). "
        f"Then: {retry(phase)}.",
    )


def rollback_unfinished(record: PhaseRecord, now: datetime) -> Notice:
    """The undoing takes long, or fails again and again."""
    return _notice(
        record.phase,
        f"rolling_back#{(now - record.since - UNFINISHED) // AGAIN}",
        "is still being rolled back",
        f"The rollback began at {record.since:%Y-%m-%d %H:%M} UTC and is not finished: {record.reason}",
        f"The watch goes on with it every five minutes. {log_of('tap-watch')}, and that of tap-rollback; mend what "
        "fails there: see docs/runbook.md, No capacity on the way back.",
    )


def unclear(record: PhaseRecord, since: datetime, now: datetime) -> Notice:
    """The window is held: for want of data, or by something that the data show."""
    seen = record.assessment is not None and record.assessment.needs_a_look
    reason = record.assessment.reason if record.assessment else ""
    mend = "Find what causes it" if seen else "Mend what publishes the load balancer's metrics"
    return _notice(
        record.phase,
        f"unclear#{since:%Y%m%dT%H%M}#{(now - since - UNCLEAR) // AGAIN}",
        "is held: the service needs a look" if seen else "cannot be judged",
        f"The window has been INCONCLUSIVE since {since:%Y-%m-%d %H:%M} UTC: {reason}",
        f"{mend}; the phase stays applied and watched. To give up instead: "
        f"{answer_gate(record.phase.stage_name, OBSERVE, done='reject')}.",
    )


def tending_found(phase: Phase, line: str) -> Notice:
    """Something that the watch found while it tended what was changed; sent once in the same words."""
    key = f"found#{sha256(line.encode()).hexdigest()[:16]}"
    return _notice(phase, key, "needs a look", line, f"Follow the line above; `{STATUS}` shows where the phase stands.")


def unanswered(record: PhaseRecord, end: datetime, now: datetime) -> Notice:
    """The window is over and nobody accepted."""
    return _notice(
        record.phase,
        f"unanswered#{end:%Y%m%dT%H%M}#{(now - end - UNANSWERED) // AGAIN}",
        "waits to be accepted",
        f"Its window ended at {end:%Y-%m-%d %H:%M} UTC, and it is not accepted.",
        f"{answer_gate(record.phase.stage_name, OBSERVE)}. When the stage has failed, because somebody approved too "
        "early or the service was not surely healthy, choose Retry stage, then Retry all actions first.",
    )


def gate_expired(phase: Phase, execution: str, *, asked_again: bool) -> Notice:
    """A gate ran out of time without an answer."""
    again = f"The gate is open again. {answer_gate(phase.stage_name, OBSERVE)}."
    by_hand = f"The gate could not be opened again. {retry(phase)}; or release the newest commit: `{RELEASE}`."
    return _notice(
        phase,
        f"expired#{execution}",
        "was not answered in time",
        "Nobody answered the Observe gate. The phase stays applied and watched; nothing was rolled back.",
        again if asked_again else by_hand,
    )


def afterwards(acceptance: Acceptance, assessment: Assessment) -> Notice | None:
    """The service broke a limit within a day of an acceptance."""
    if assessment.verdict is not Health.BREACH:
        return None
    return _notice(
        acceptance.phase,
        "after_acceptance",
        "was accepted, and now the service is in breach",
        f"Accepted at {acceptance.at:%Y-%m-%d %H:%M} UTC; since then: {assessment.reason}",
        "Nothing is rolled back by itself: an accepted phase has no way back. Treat it as an incident; what a person "
        "can do is in docs/runbook.md, A breach after acceptance.",
    )


def send(notices: Iterable[Notice], plan_hash: str, journal: Journal, tooling: Aws, topic: str | None) -> list[str]:
    """Publish what was not sent yet; returns the subjects. Without a topic nobody gets a mail.

    Sent first and remembered then: a crash in between sends twice, never not at all.
    """
    wanted = list(notices)
    if topic is None or not wanted:
        return []
    sent = journal.mails_sent(plan_hash)
    fresh = [each for each in wanted if each.key not in sent]
    for notice in fresh:
        tooling.sns.publish(TopicArn=topic, Subject=notice.subject[:SUBJECT_LIMIT], Message=notice.text)
        journal.tell(plan_hash, notice.key)
    return [notice.subject for notice in fresh]


def _notice(phase: Phase, key: str, subject: str, happened: str, to_do: str) -> Notice:
    title = f"tap: phase {phase.number} ({phase.title}) {subject}"
    return Notice(f"{phase.number}#{key}", title, f"{happened}\n\nWhat to do: {to_do}\n")
