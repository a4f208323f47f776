"""Tables and buckets in AWS Backup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from staging.local.control_plane.platform import RECEIPTS, SESSIONS, arn

if TYPE_CHECKING:
    from tests.staging.local.control_plane.estate import Estate

pytestmark = pytest.mark.local

TABLE, BUCKET = arn("dynamodb", f"table/{SESSIONS}"), f"arn:aws:s3:::{RECEIPTS}"


def items(estate: Estate, table: str, region: str = "us-east-1") -> list[Any]:
    found: list[Any] = estate.aws("dynamodb", region).scan(TableName=table)["Items"]
    return sorted(found, key=lambda item: str(item["token"]["S"]))


def test_a_table_comes_back_with_the_items_that_it_had_also_in_the_other_region(estate: Estate) -> None:
    dynamodb = estate.aws("dynamodb")
    for number in range(3):
        item = {"token": {"S": f"t{number}"}, "account": {"N": str(number)}}
        dynamodb.put_item(TableName=SESSIONS, Item=item)
    before = items(estate, SESSIONS)
    point = estate.back_up(TABLE)["RecoveryPointArn"]
    dynamodb.delete_item(TableName=SESSIONS, Key={"token": {"S": "t1"}})
    copy = estate.copy(point)["DestinationRecoveryPointArn"]

    here = estate.restore(point, targetTableName="sessions-restored")
    there = estate.restore(copy, "us-west-2", targetTableName="sessions-restored")

    assert here["CreatedResourceArn"] == arn("dynamodb", "table/sessions-restored")
    assert there["CreatedResourceArn"] == arn("dynamodb", "table/sessions-restored", "us-west-2")
    assert items(estate, "sessions-restored") == items(estate, "sessions-restored", "us-west-2") == before
    assert len(before) == 3
    again = estate.restore(point, targetTableName="sessions-restored")
    assert (again["Status"], again["StatusMessage"]) == ("FAILED", "Table already exists: sessions-restored")


def test_a_bucket_comes_back_with_the_newest_version_of_every_object(estate: Estate) -> None:
    s3 = estate.aws("s3")
    s3.put_object(Bucket=RECEIPTS, Key="receipts/1", Body=b"old")
    s3.put_object(Bucket=RECEIPTS, Key="receipts/1", Body=b"new", Metadata={"task": "a"})
    s3.put_object(Bucket=RECEIPTS, Key="receipts/2", Body=b"gone")
    s3.delete_object(Bucket=RECEIPTS, Key="receipts/2")
    point = estate.back_up(BUCKET)["RecoveryPointArn"]

    restore = estate.restore(point, DestinationBucketName="receipts-restored", NewBucket="true")

    assert restore["CreatedResourceArn"] == "arn:aws:s3:::receipts-restored"
    listed = s3.list_objects_v2(Bucket="receipts-restored")["Contents"]
    assert [found["Key"] for found in listed] == ["receipts/1"]
    restored = s3.get_object(Bucket="receipts-restored", Key="receipts/1")
    original = s3.head_object(Bucket=RECEIPTS, Key="receipts/1")
    assert (restored["Body"].read(), restored["Metadata"]) == (b"new", original["Metadata"])
    assert len(original["Metadata"]) == 1


@pytest.mark.parametrize("resource", [TABLE, BUCKET])
def test_a_flipped_byte_is_refused(estate: Estate, resource: str) -> None:
    estate.aws("s3").put_object(Bucket=RECEIPTS, Key="receipts/3", Body=b"paid")
    point = estate.back_up(resource)["RecoveryPointArn"]
    estate.damage(point, "byte")

    restore = estate.restore(point, targetTableName="never", DestinationBucketName="never", NewBucket="true")

    assert restore["Status"] == "FAILED"
    assert "the checksum of" in restore["StatusMessage"]
    assert "never" not in estate.aws("dynamodb").list_tables()["TableNames"]
