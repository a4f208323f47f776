"""Bundles in other hands: OSCAL, PDF, S3 under Object Lock, and a key that lives in KMS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from moto import mock_aws

import objectives
from blackstart import sealing
from blackstart.cli import main
from blackstart.commands.verify import verified
from blackstart.exit_code import ExitCode
from reports import junit
from reports.evidence import archive, bundle, controls, keys, oscal, pdf, plan, runs, seal, sums
from tests.reports.drilled import failover, told
from tests.reports.evidence import bundles

if TYPE_CHECKING:
    from tests.reports.evidence.bundles import Sealed

ACCOUNT = "123456789012"  # moto's
MAP = controls.load(Path(objectives.__file__).parent / "controls.yaml")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    return bundles.sealed(tmp_path_factory.mktemp("home"))


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_oscal_has_a_finding_per_control_and_an_observation_per_promise(made: Sealed) -> None:
    sealed = seal.parse((made.folder / sums.SEAL).read_bytes())
    named = MAP.supported_by("aurora-failover", oscal.FRAMEWORK)
    text = oscal.document(made.record, plan.read(made.folder), sealed, named)
    (result,) = json.loads(text)["assessment-results"]["results"]

    assert "cp-4" in named
    assert len(result["findings"]) == len(named)
    assert len(result["observations"]) == len(made.record["preconditions"] + made.record["objectives"])
    assert {one["target"]["status"]["state"] for one in result["findings"]} == {"not-satisfied"}
    assert text == oscal.document(made.record, plan.read(made.folder), sealed, named)


def test_junit_counts_what_failed_and_what_was_not_proven(tmp_path: Path) -> None:
    record = told(failover(tmp_path))
    suite = ET.fromstring(junit.xml(record))  # noqa: S314 - our own text
    promises = record["preconditions"] + record["objectives"]

    assert int(suite.attrib["tests"]) == len(promises) + 1 == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure")) > 0
    assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))


@pytest.mark.skipif(pdf.browser() is None, reason="no Chromium is here")
def test_the_report_is_printed(made: Sealed, tmp_path: Path) -> None:
    pdf.pdf(made.folder / "report.html", tmp_path / "report.pdf")

    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.usefixtures("no_credentials")
@mock_aws
def test_what_is_archived_cannot_be_deleted_before_its_time(made: Sealed) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    keep_until = archive.until(7, datetime(2026, 1, 1, tzinfo=UTC))
    owners = set()  # moto does not look at it: that AWS refuses a bucket of another account is AWS's word
    s3.meta.events.register(
        "provide-client-params.s3.*", lambda params, **_: owners.add(params.get("ExpectedBucketOwner"))
    )

    there = archive.archive(s3, made.folder, "locked", "b/", keep_until, ACCOUNT)

    assert owners == {ACCOUNT}
    assert keep_until.year == 2033
    assert len(there) == len([path for path in made.folder.rglob("*") if path.is_file()])
    version = s3.head_object(Bucket="locked", Key="b/r-1/SEAL.txt")["VersionId"]
    with pytest.raises(ClientError, match=r"AccessDenied|protected"):
        s3.delete_object(Bucket="locked", Key="b/r-1/SEAL.txt", VersionId=version)


@pytest.mark.usefixtures("no_credentials")
@mock_aws
def test_a_drill_is_archived_by_itself_when_a_bucket_is_named(
    made: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = made.folder.parent.parent
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    s3.create_bucket(Bucket="open")

    assert not sealing.keep(made.folder, home, account=ACCOUNT)
    monkeypatch.setenv(sealing.BUCKET_VARIABLE, "locked")
    assert "until" in sealing.keep(made.folder, home, account=ACCOUNT)
    monkeypatch.setenv(sealing.BUCKET_VARIABLE, "open")
    with pytest.raises(bundle.Unsealed, match="not archived"):
        sealing.keep(made.folder, home, account=ACCOUNT)

    monkeypatch.setenv(sealing.BUCKET_VARIABLE, "locked")
    assert sealing.keep(made.folder, home, account="").startswith("Not archived in locked: ")
    with pytest.MonkeyPatch.context() as trap:
        trap.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        with pytest.raises(bundle.Unsealed, match="AWS_ENDPOINT_URL_S3 is set"):
            sealing.keep(made.folder, home, account=ACCOUNT)

    noted = [line for line in runs.Runs(made.runs).lines() if line["what"] == runs.ARCHIVED]
    assert [line["bucket"] for line in noted] == ["locked"]
    assert s3.list_objects_v2(Bucket="locked")["KeyCount"] == noted[0]["files"]


@pytest.mark.usefixtures("no_credentials")
@mock_aws
def test_a_bucket_without_object_lock_is_no_archive(made: Sealed) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="open")

    with pytest.raises(archive.NotArchived, match="Object Lock"):
        archive.archive(s3, made.folder, "open", "", archive.until(7), ACCOUNT)
    assert "Contents" not in s3.list_objects_v2(Bucket="open")


@pytest.mark.usefixtures("no_credentials")
@mock_aws
def test_the_command_archives_into_a_bucket_of_one_account_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (sums.SEAL, sums.SIGNATURE):
        (tmp_path / name).write_text("as far as an archive looks at it")
    session = boto3.Session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    boto3.client("s3").create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    owners: list[str | None] = []
    session.events.register(
        "provide-client-params.s3.*", lambda params, **_: owners.append(params.get("ExpectedBucketOwner"))
    )
    argv = ["archive", str(tmp_path), "--bucket", "locked"]

    done = CliRunner().invoke(main, argv)
    assert (done.exit_code, set(owners)) == (0, {ACCOUNT})
    owners.clear()
    assert CliRunner().invoke(main, [*argv, "--owner", "210987654321"]).exit_code == 0
    assert set(owners) == {"210987654321"}

    owners.clear()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    refused = CliRunner().invoke(main, argv)
    assert (refused.exit_code, owners) == (ExitCode.USAGE, [])
    assert "AWS_ENDPOINT_URL_S3 is set" in refused.output


@pytest.mark.usefixtures("no_credentials")
@mock_aws
def test_a_key_in_kms_seals_as_well(tmp_path: Path) -> None:
    kms = boto3.client("kms")
    key_id = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    made = bundles.sealed(tmp_path, rate=10)
    signing = keys.KmsKey(kms, key_id)
    bundles.close_again(made, signing)
    fingerprint = keys.fingerprint(signing.public_pem)

    found = verified(made.folder, run="r-1", fingerprint=fingerprint, runs=None, here=None)

    assert found.problems == []
    assert found.consistent.is_signer_known


@pytest.mark.usefixtures("no_credentials")
@mock_aws
def test_a_key_that_kms_does_not_have_is_refused() -> None:
    with pytest.raises(keys.BadKey):
        _ = keys.KmsKey(boto3.client("kms"), "00000000-0000-0000-0000-000000000000").public_pem
