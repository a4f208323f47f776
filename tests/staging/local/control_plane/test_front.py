"""The front: our own operations in every protocol, moto for the rest, and errors that say what they mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from staging.local.control_plane import shortcuts
from staging.local.control_plane.protocol import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from staging.local.control_plane.front import Front
    from staging.local.control_plane.protocol import Call


def actions(trail: Path) -> list[str]:
    return [json.loads(line)["action"] for line in trail.read_text().splitlines()]


def test_an_operation_of_ours_answers_in_the_query_protocol(front: Front, aws: Callable[[str], Any]) -> None:
    @front.operation("elasticache", "TestFailover")
    def test_failover(params: Mapping[str, Any]) -> dict[str, Any]:
        return {"ReplicationGroup": {"ReplicationGroupId": params["ReplicationGroupId"]}}

    answer = aws("elasticache").test_failover(ReplicationGroupId="cache", NodeGroupId="0001")

    assert answer["ReplicationGroup"]["ReplicationGroupId"] == "cache"


def test_an_operation_of_ours_answers_in_the_rest_json_protocol(
    front: Front, aws: Callable[[str], Any]
) -> None:
    @front.operation("rds-data", "ExecuteStatement")
    def execute(params: Mapping[str, Any]) -> dict[str, Any]:
        return {"records": [[{"stringValue": params["sql"]}, {"isNull": True}]]}

    answer = aws("rds-data").execute_statement(resourceArn="a" * 20, secretArn="b" * 20, sql="SELECT 1")

    assert answer["records"] == [[{"stringValue": "SELECT 1"}, {"isNull": True}]]


def test_an_operation_of_ours_answers_in_the_json_protocol(front: Front, aws: Callable[[str], Any]) -> None:
    @front.operation("ecs", "StopTask")
    def stop(params: Mapping[str, Any]) -> dict[str, Any]:
        return {"task": {"taskArn": params["task"], "stopCode": "UserInitiated"}}

    assert aws("ecs").stop_task(cluster="bank", task="t-1")["task"]["stopCode"] == "UserInitiated"


def test_an_error_of_ours_is_the_services_own_exception(front: Front, aws: Callable[[str], Any]) -> None:
    @front.operation("rds", "FailoverDBCluster")
    def refuse(_: Mapping[str, Any]) -> dict[str, Any]:
        raise AwsError("InvalidDBClusterStateFault", "Not now.")

    rds = aws("rds")

    with pytest.raises(rds.exceptions.InvalidDBClusterStateFault, match=r"Not now\."):
        rds.failover_db_cluster(DBClusterIdentifier="ledger")


@pytest.mark.parametrize(
    ("service", "method", "parameters"),
    [
        ("rds", "modify_current_db_cluster_capacity", {"DBClusterIdentifier": "ledger"}),
        ("ecs", "execute_command", {"task": "t", "command": "c", "interactive": True}),
        ("backup", "list_backup_jobs", {}),
        ("arc-zonal-shift", "list_zonal_shifts", {}),
    ],
)
def test_what_nobody_implements_is_a_client_error_that_says_so(
    aws: Callable[[str], Any], service: str, method: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(aws(service), method)(**parameters)

    assert caught.value.response["Error"]["Code"] == "UnimplementedByLocalStaging"


def test_a_failing_operation_is_an_internal_failure_and_not_a_web_page(
    front: Front, aws: Callable[[str], Any]
) -> None:
    @front.operation("ecs", "StopTask")
    def stumble(_: Mapping[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ClientError) as caught:
        aws("ecs").stop_task(task="t")

    assert caught.value.response["Error"]["Code"] == "InternalFailure"


def test_hooks_run_before_and_after_a_call_that_succeeds(front: Front, aws: Callable[[str], Any]) -> None:
    seen: list[str] = []

    @front.before("sns", "CreateTopic")
    def before(call: Call) -> None:
        seen.append(f"before {call.params['Name']}")

    @front.after("sns", "CreateTopic")
    def after(call: Call) -> None:
        seen.append(f"after {call.params['Name']}")

    aws("sns").create_topic(Name="ops")

    assert seen == ["before ops", "after ops"]


def test_the_after_hook_does_not_run_when_the_call_was_refused(
    front: Front, aws: Callable[[str], Any]
) -> None:
    seen: list[str] = []
    front.after("ecs", "StopTask")(lambda call: seen.append(call.action))

    with pytest.raises(ClientError):
        aws("ecs").stop_task(cluster="nowhere", task="t")

    assert seen == []


def test_the_trail_has_what_changed_something_and_no_more(trail: Path, aws: Callable[[str], Any]) -> None:
    bucket = f"receipts-{uuid4().hex}"
    s3 = aws("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="one", Body=b"1")
    s3.list_objects_v2(Bucket=bucket)
    aws("sns").create_topic(Name="ops")
    aws("sns").list_topics()

    assert actions(trail) == ["CreateBucket", "CreateTopic"]


def test_sessions_take_the_shortcut_and_moto_sees_them(front: Front, aws: Callable[[str], Any]) -> None:
    shortcuts.register(front)
    table, dynamodb = f"sessions-{uuid4().hex}", aws("dynamodb")
    dynamodb.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "token", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "token", "AttributeType": "S"}],
    )  # fmt: skip
    item = {"token": {"S": "t"}, "account": {"N": "17"}}

    dynamodb.put_item(TableName=table, Item=item)

    assert dynamodb.get_item(TableName=table, Key={"token": {"S": "t"}})["Item"] == item
    assert dynamodb.scan(TableName=table)["Items"] == [item]
    assert "Item" not in dynamodb.get_item(TableName=table, Key={"token": {"S": "other"}})


def test_a_conditional_put_does_not_take_the_shortcut(front: Front, aws: Callable[[str], Any]) -> None:
    shortcuts.register(front)
    table, dynamodb = f"sessions-{uuid4().hex}", aws("dynamodb")
    dynamodb.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "token", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "token", "AttributeType": "S"}],
    )  # fmt: skip
    dynamodb.put_item(TableName=table, Item={"token": {"S": "t"}})

    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(
            TableName=table, Item={"token": {"S": "t"}}, ConditionExpression="attribute_not_exists(#t)",
            ExpressionAttributeNames={"#t": "token"},
        )  # fmt: skip
