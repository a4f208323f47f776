"""A drill for AWS never reaches this machine, one for the double never reaches AWS: real sockets listen."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from blackstart.choke import Refused
from blackstart.context import Context, NoStaging
from blackstart.fault import Plan, Target
from tests.safety.scene import Scene
from tests.staging.test_aws import GOOD, file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Listener:
    """A port on this machine; `heard` counts who connects."""

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.heard = 0
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._door.accept()
            except OSError:
                return
            self.heard += 1
            connection.close()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: Listener) -> Path:
    """A user whose AWS configuration leads astray, and whose proxy sees whatever goes to AWS itself."""
    config = tmp_path / "config"
    config.write_text(f"""
[default]
region = eu-central-1
[profile elsewhere]
endpoint_url = {listener.url}
[profile only-ec2]
services = mine
[services mine]
ec2 =
  endpoint_url = {listener.url}
[profile fine]
region = us-east-1
""")
    credentials = tmp_path / "credentials"
    keys = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n"
    credentials.write_text(
        "".join(f"[{name}]\n{keys}" for name in ("default", "elsewhere", "only-ec2", "fine"))
    )
    for name, value in {
        "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
        "AWS_EC2_METADATA_DISABLED": "true", "HTTPS_PROXY": listener.url, "HTTP_PROXY": listener.url,
        "AWS_MAX_ATTEMPTS": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    return file(tmp_path, GOOD)


PAST = "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:4566"),
        ("AWS_ENDPOINT_URL_RDS_DATA", "https://double.example.com"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_CREDENTIAL_EXPIRATION", PAST),
    ],
)
def test_a_variable_that_leads_elsewhere_is_found_before_anything_is_sent(
    configured: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(NoStaging, match=variable):
        Context(home=str(configured.parent), staging=str(configured)).attach()

    assert listener.heard == 0


@pytest.mark.parametrize(
    ("profile", "says"),
    [("elsewhere", "endpoint_url"), ("only-ec2", "services"), ("none-such", "could not be found")],
)
def test_a_profile_that_leads_elsewhere_is_found_before_anything_is_sent(
    configured: Path, listener: Listener, profile: str, says: str
) -> None:
    named = file(configured.parent, {**GOOD, "profile": profile})

    with pytest.raises(NoStaging, match=says):
        Context(home=str(configured.parent), staging=str(named)).attach()

    assert listener.heard == 0


def test_a_profile_of_the_environment_that_leads_elsewhere_is_found_too(
    configured: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "elsewhere")

    with pytest.raises(NoStaging, match="endpoint_url"):
        Context(home=str(configured.parent), staging=str(configured)).attach()

    assert listener.heard == 0


def test_the_listener_does_hear_what_goes_to_aws(configured: Path, listener: Listener) -> None:
    """The control: a client that nothing keeps from AWS comes to the proxy, and so would any other."""
    staging = Context(home=str(configured.parent), staging=str(configured)).attach()

    with pytest.raises(Exception, match=r"proxy|Connection was closed"):
        staging.aws("sts").get_caller_identity()

    assert listener.heard > 0


def test_a_drill_for_the_double_reaches_nothing_but_the_double(
    configured: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scene = Scene(tmp_path)
    for name, value in {
        "AWS_ENDPOINT_URL": listener.url, "AWS_ENDPOINT_URL_EC2": listener.url, "AWS_PROFILE": "none-such",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "expired",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    try:
        staging = scene.staging()
        vpc = staging.aws("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["bank"]}])["Vpcs"][0]
        target = Target(kind="VPC", id=vpc["VpcId"])
        scene.context().ledger.open("x", "faults.x:X", {}, Plan(
            targets=(target,), before={}, broken={}, calls=("ec2:CreateNetworkAcl",),
        ), staging.facts)  # fmt: skip
        staging.aws("ec2").create_network_acl(VpcId=vpc["VpcId"])
        staging.aws("rds").describe_db_clusters()

        assert scene.changes() == ["ec2:CreateNetworkAcl"]
        assert (configured.exists(), listener.heard) == (True, 0)
    finally:
        scene.stop()


def test_a_client_whose_address_is_changed_on_the_way_is_stopped(tmp_path: Path, listener: Listener) -> None:
    scene = Scene(tmp_path)
    try:
        ec2 = scene.staging().aws("ec2")

        def elsewhere(params: dict[str, str], **_: object) -> None:
            params["url"] = "https://ec2.us-east-1.amazonaws.com/"

        ec2.meta.events.register("before-call.ec2.DescribeVpcs", elsewhere)
        with pytest.raises(Refused, match="not of this staging"):
            ec2.describe_vpcs()

        assert listener.heard == 0
    finally:
        scene.stop()
