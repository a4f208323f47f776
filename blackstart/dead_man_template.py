"""The dead man's parts in the account, as a CloudFormation template and as policies. Not yet run on AWS.

The table, the stop parameter, the function that heals, its role, and the role as which it is called. The
schedule itself is made by each drill. What the function may do to the staging is another policy, which the
template takes as a parameter: the one that healing needs (`blackstart policy`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FUNCTION, SCHEDULE_ROLE, HEAL_ROLE = "blackstart-heal", "blackstart-schedule", "blackstart-heal"
_TIMEOUT_S, _MEMORY_MB = 900, 1024
_KEEP = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What a staging's file has guards and guardrails look at, in the staging's own region.

    Alarms are not among them: every drill looks at those (`blackstart policy runner`).
    """

    region: str
    safety_lever: str = ""
    change_calendars: tuple[str, ...] = ()  # names or ARNs


def policy(
    account: str, region: str, table: str, schedule: str, stop_parameter: str, *, looks: Looks | None = None
) -> dict[str, Any]:
    """Return what runner and function need for what the harness keeps for itself, and nothing more."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            *(_look(looks, account) if looks else ()),
            # a transaction needs what its parts need
            _allow(
                "LedgerAndLease", f"arn:aws:dynamodb:{region}:{account}:table/{table}", "dynamodb:GetItem",
                "dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:PutItem", "dynamodb:ConditionCheckItem",
            ),
            _allow(
                "DeadMan", f"arn:aws:scheduler:{region}:{account}:schedule/default/{schedule}",
                "scheduler:CreateSchedule", "scheduler:UpdateSchedule", "scheduler:DeleteSchedule",
            ),
            {
                **_allow("CallAs", f"arn:aws:iam::{account}:role/{SCHEDULE_ROLE}", "iam:PassRole"),
                "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
            },
            _allow("Stop", _parameter(account, region, stop_parameter), "ssm:GetParameter"),
        ],
    }  # fmt: skip


def template(
    account: str, region: str, table: str, schedule: str, stop_parameter: str, *, looks: Looks | None = None
) -> dict[str, Any]:
    """Return the CloudFormation template."""
    function = f"arn:aws:lambda:{region}:{account}:function:{FUNCTION}"
    own = policy(account, region, table, schedule, stop_parameter, looks=looks)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Blackstart: what heals a staging when the machine that drilled on it is lost.",
        "Parameters": {
            "CodeBucket": {"Type": "String", "Description": "Where the function's package is."},
            "CodeKey": {"Type": "String"},
            "HealerPolicy": {"Type": "String", "Description": "ARN of the policy that healing needs."},
        },
        "Resources": {
            "Table": {**_KEEP, "Type": "AWS::DynamoDB::Table", "Properties": _table(table)},
            "Stop": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": stop_parameter, "Type": "String", "Value": "go"},
            },
            "HealRole": _role(
                HEAL_ROLE, "lambda.amazonaws.com", own, [{"Ref": "HealerPolicy"}, _logs()]
            ),
            "ScheduleRole": _role(
                SCHEDULE_ROLE, "scheduler.amazonaws.com",
                {"Version": "2012-10-17", "Statement": [_allow("Heal", function, "lambda:InvokeFunction")]},
                [], account,
            ),
            "Function": {"Type": "AWS::Lambda::Function", "Properties": _function()},
        },
        "Outputs": {
            "table": {"Value": {"Ref": "Table"}},
            "heal_function": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
            "schedule_role": {"Value": {"Fn::GetAtt": ["ScheduleRole", "Arn"]}},
        },
    }  # fmt: skip


def _look(looks: Looks, account: str) -> Iterator[dict[str, Any]]:
    """Yield what it takes to look, each of it only where there is something to look at."""
    here = f"{looks.region}:{account}"
    if looks.safety_lever:
        lever = f"arn:aws:fis:{here}:safety-lever/{looks.safety_lever}"
        yield _allow("Lever", lever, "fis:GetSafetyLever")
    if looks.change_calendars:
        # AWS reads each calendar as a document, by its name or, when it is shared, by its ARN
        calendars = [
            one if one.startswith("arn:") else f"arn:aws:ssm:{here}:document/{one}"
            for one in looks.change_calendars
        ]
        yield {**_allow("Calendars", "*", "ssm:GetCalendarState"), "Resource": calendars}


def _table(name: str) -> dict[str, Any]:
    keys = (("environment", "HASH"), ("item", "RANGE"))
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        "TimeToLiveSpecification": {"AttributeName": "ends", "Enabled": True},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "DeletionProtectionEnabled": True,
    }


def _function() -> dict[str, Any]:
    return {
        "FunctionName": FUNCTION,
        "Runtime": "python3.11",
        "Handler": "blackstart.dead_man_function.handle",
        "Role": {"Fn::GetAtt": ["HealRole", "Arn"]},
        "Timeout": _TIMEOUT_S,
        "MemorySize": _MEMORY_MB,
        "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
        "Environment": {
            "Variables": {"BLACKSTART_HOME": "/tmp/blackstart", "BLACKSTART_STAGING": "staging.yaml"}  # noqa: S108 - the only place where a function may write
        },
    }


def _role(
    name: str, service: str, own: dict[str, Any], managed: list[Any], account: str = ""
) -> dict[str, Any]:
    trust: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if account:  # no schedule of another account may take it
        trust["Condition"] = {"StringEquals": {"aws:SourceAccount": account}}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "ManagedPolicyArns": managed,
            "Policies": [{"PolicyName": "own", "PolicyDocument": own}],
        },
    }


def _logs() -> str:
    return "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def _parameter(account: str, region: str, name: str) -> str:
    return f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}"


def _allow(sid: str, resource: str, *actions: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
