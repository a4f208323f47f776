"""The platform's AWS account without its data plane, served over HTTP, and homes that work on it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Self

import psutil
from moto.core.base_backend import BackendDict

from blackstart.context import Context
from blackstart.staging import Facts
from staging.local import state_file
from staging.local.client import LocalStaging
from staging.local.control_plane.audit import AuditTrail
from staging.local.control_plane.front import Front
from staging.local.control_plane.seed import seed
from staging.local.control_plane.server import Server
from staging.local.state_file import Known, State
from staging.local.timings import FAST

if TYPE_CHECKING:
    from pathlib import Path

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
PASSWORD = "nobody connects"  # noqa: S105 - there is no database


class Account:
    """Serves the account from this process."""

    def __init__(self, folder: Path) -> None:
        BackendDict.reset()
        seed(
            timings=FAST, desired_count=1, service_subnets=["app-a"], user="bank", password=PASSWORD,
            owner="ledger_owner", owner_password=PASSWORD,
        )  # fmt: skip
        self._folder = folder
        self._audit = AuditTrail(folder / "audit.jsonl")
        self.front = Front(self._audit)
        door = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "http://{}:{}".format(*door.getsockname()[:2])
        self._server = Server(self.front, [door])
        self.facts = Facts(
            name="local", account="123456789012", region="us-east-1", isolation="", timings="fast",
            base_url="http://127.0.0.1:9", generation="g1",
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._audit.close()

    def home(self, name: str) -> Context:
        """Return a context in a home of its own, with a drill's folder."""
        home = self._folder / name
        (home / "local").mkdir(parents=True)
        state = State(
            host=Known.of(psutil.Process()), data_dir="/nonexistent", aws_endpoint=self.endpoint,
            facts=self.facts,
        )  # fmt: skip
        state_file.write(home / "local", state)
        folder = home / "drills" / f"drill-{name}"
        (folder / "history").mkdir(parents=True)
        return Context(home=str(home), drill=folder.name, folder=str(folder), seed=1)

    def aws(self, service: str, region: str = "") -> Any:
        """Return a client that no choke point stands before."""
        return LocalStaging(self.facts, self.endpoint).aws(service, region)

    def acls(self) -> dict[str, str]:
        """Return which network ACL each subnet has."""
        return {
            association["SubnetId"]: acl["NetworkAclId"]
            for acl in self.aws("ec2").describe_network_acls()["NetworkAcls"]
            for association in acl["Associations"]
        }

    def give_acl(self, subnet: str, acl: str = "") -> str:
        """Give a subnet this network ACL, or a new one of somebody else's; return which."""
        ec2 = self.aws("ec2")
        if not acl:
            vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
            acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        association = next(
            association["NetworkAclAssociationId"]
            for one in ec2.describe_network_acls()["NetworkAcls"]
            for association in one["Associations"]
            if association["SubnetId"] == subnet
        )
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
        return acl
