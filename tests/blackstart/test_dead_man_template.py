"""The template makes what the harness needs, and its policy allows what the harness calls, no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from blackstart.dead_man_template import Looks, policy, template
from blackstart.lease import Lease
from blackstart.own import CALLS, Own
from blackstart.staging import Safeguards
from staging.local.client import LocalStaging
from tests.blackstart.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("123456789012", "us-east-1", "of-the-template", "blackstart-123456789012-us-east-1", "/other/stop")
# AWS asks for these in the place of the transaction
INSTEAD = {"dynamodb:TransactWriteItems": {"dynamodb:PutItem", "dynamodb:ConditionCheckItem"}}
READS = {"dynamodb:GetItem", "dynamodb:Query", "ssm:GetParameter"}
BY_PEOPLE = {"ssm:PutParameter"}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Account(tmp_path_factory.mktemp("account")) as account:
        yield account


def actions(document: dict[str, Any]) -> set[str]:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def test_the_policy_allows_what_is_called_and_no_more() -> None:
    called = {action for call in set(CALLS) - BY_PEOPLE for action in INSTEAD.get(call, {call})}

    assert actions(policy(*NAMES)) == called | READS | {"iam:PassRole"}
    assert all(statement["Resource"] != "*" for statement in policy(*NAMES)["Statement"])


def test_what_guardrails_and_guards_look_at_may_be_looked_at() -> None:
    shared = "arn:aws:ssm:eu-west-1:999999999999:document/shared"
    looks = Looks(
        region="us-west-2", safety_lever="default",
        change_calendars=("releases", shared),
    )  # fmt: skip
    plain, more = policy(*NAMES), policy(*NAMES, looks=looks)
    added = {s["Action"][0]: s["Resource"] for s in more["Statement"] if s not in plain["Statement"]}

    assert added == {
        "fis:GetSafetyLever": "arn:aws:fis:us-west-2:123456789012:safety-lever/default",
        "ssm:GetCalendarState": ["arn:aws:ssm:us-west-2:123456789012:document/releases", shared],
    }
    assert "ssm:GetParameter" in actions(plain)
    assert policy(*NAMES, looks=Looks(region="us-west-2")) == plain


def test_a_stack_of_the_template_holds_a_lease(account: Account) -> None:
    s3, iam = account.aws("s3"), account.aws("iam")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="heal.zip", Body=b"PK\x05\x06" + bytes(18))
    statement = {"Effect": "Allow", "Action": "ec2:ReplaceNetworkAclAssociation", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    healer = iam.create_policy(PolicyName="healer", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    made = template(*NAMES)
    made["Resources"]["HealRole"]["Properties"]["ManagedPolicyArns"].pop()  # moto has no policies of AWS
    given = {"CodeBucket": "code", "CodeKey": "heal.zip", "HealerPolicy": healer}
    account.aws("cloudformation").create_stack(
        StackName="dead-man", TemplateBody=json.dumps(made), Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )  # fmt: skip
    own = Own(LocalStaging(account.facts, account.endpoint), Safeguards(table="of-the-template"))
    function = account.aws("lambda").get_function(FunctionName="blackstart-heal")["Configuration"]

    assert Lease(own, "anybody").take("drill") == 1
    assert account.aws("ssm").get_parameter(Name="/other/stop")["Parameter"]["Value"] == "go"
    assert function["Handler"] == "blackstart.dead_man_function.handle"
    assert function["Role"].endswith(":role/blackstart-heal")
