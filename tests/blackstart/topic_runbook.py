"""A small runbook for the tests of the framework: it makes an SNS topic and gives it a display name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3

from blackstart.choke import ChokePoint
from blackstart.fault import Plan, Target
from blackstart.runbook import GoBack, Progress, RunbookFailed, Step
from blackstart.staging import Facts

if TYPE_CHECKING:
    from blackstart.runbook import State
    from blackstart.staging import AnyPower, Staging

TAGS = {"Environment": "staging", "blackstart": "allowed"}


class Account:
    """moto as a staging."""

    def __init__(self, ledger: Any) -> None:
        self.facts = Facts(
            name="t", account="123456789012", region="us-east-1", isolation="", timings="", base_url=""
        )
        self._sns = boto3.client("sns", region_name="us-east-1")
        ChokePoint(ledger=ledger, environment=self.facts.environment).install(self._sns.meta.events)

    def aws(self, service: str, region: str = "") -> Any:  # noqa: ARG002 - of the protocol
        return boto3.client("sts", region_name="us-east-1") if service == "sts" else self._sns

    def power(self, kind: type[AnyPower]) -> AnyPower | None:  # noqa: ARG002 - of the protocol
        return None


def topics(staging: Staging) -> list[str]:
    return [topic["TopicArn"] for topic in staging.aws("sns").list_topics()["Topics"]]


@dataclass(frozen=True, kw_only=True)
class TopicRunbook:
    """Make a topic, find it bad as often as told, and name it."""

    topic: str = "ops"
    bad: int = 0
    breaks_at: str = ""
    tagged: bool = True

    def prepare(self, staging: Staging) -> Plan:  # noqa: ARG002 - of the protocol
        target = Target(kind="topic", id=self.topic, tags=TAGS if self.tagged else {})
        calls = ("sns:CreateTopic", "sns:SetTopicAttributes", "sns:DeleteTopic")
        return Plan(targets=(target,), before={}, broken={}, calls=calls)

    def steps(self) -> tuple[Step, ...]:
        return (
            Step(
                name="Make the topic", why="Without it nobody hears anything.", within_s=2,
                commands=f"aws sns create-topic --name {self.topic}-new", seen="It is listed.",
                done=lambda staging, state: state.get("arn") in topics(staging),
                do=self._make, progress=lambda *_: Progress(percent=50, detail="half"),
            ),
            Step(
                name="Verify it", why="A bad one must not be used.", within_s=2, commands="",
                seen="It is good.", otherwise="Go back.",
                done=lambda _, state: state.get("verified") == state["attempt"], do=self._verify,
            ),
            Step(
                name="Name it", why="People read names.", within_s=0.3, commands="", seen="It has one.",
                done=self._named, do=self._name,
            ),
        )  # fmt: skip

    def abandon(self, staging: Staging, state: State) -> None:
        if any(self._named_arn(staging, arn) for arn in topics(staging)):
            state.remark("in use")
            return
        for arn in topics(staging):
            if arn.endswith(state.id):
                state.created(arn)
                staging.aws("sns").delete_topic(TopicArn=arn)
                state.remark("deleted")

    def _make(self, staging: Staging, state: State) -> None:
        name = f"{self.topic}-{state.get('attempt', 0) + 1}-{state.id}"
        state.created(name)
        arn = staging.aws("sns").create_topic(Name=name)["TopicArn"]
        self._break("after the call")
        state.created(arn)
        state.note(arn=arn, attempt=state.get("attempt", 0) + 1)

    def _verify(self, _: Staging, state: State) -> None:
        self._break("verify")
        if state["attempt"] <= self.bad:
            attempt = state["attempt"]
            state.note(arn=None)
            raise GoBack("Make the topic", f"number {attempt} is bad")
        state.note(verified=state["attempt"])
        state.remark("it is good")

    def _named(self, staging: Staging, state: State) -> bool:
        return self._named_arn(staging, state["arn"])

    def _named_arn(self, staging: Staging, arn: str) -> bool:
        found = staging.aws("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        return bool(found.get("DisplayName") == "new")

    def _name(self, staging: Staging, state: State) -> None:
        if self.breaks_at == "too late":
            return
        arn = state["arn"]
        staging.aws("sns").set_topic_attributes(
            TopicArn=arn, AttributeName="DisplayName", AttributeValue="new"
        )

    def _break(self, where: str) -> None:
        if self.breaks_at == where:
            raise RunbookFailed(where)
