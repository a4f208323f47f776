"""An Aurora cluster on moto behind the choke point, and a bank that answers as the test tells it to."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from blackstart.choke import ChokePoint
from blackstart.ledger import Handle, Ledger
from blackstart.staging import Facts

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.fault import Plan

TAGS = [{"Key": "Environment", "Value": "staging"}, {"Key": "blackstart", "Value": "allowed"}]
REGION = "us-east-1"


class Bank:
    """The bank's HTTP interface: what each path answers, `{path: body}`; anything else is a 503."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = pages.get(self.path)
                self.send_response(200 if body is not None else 503)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("localhost", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Site:
    """A staging on moto with a cluster `ledger` of two instances."""

    def __init__(self, folder: Path) -> None:
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.bank = Bank()
        self.facts = Facts(
            name="t", account="123456789012", region=REGION, isolation="", timings="", base_url=self.bank.url
        )
        self._clients: dict[str, Any] = {}
        self.powers: dict[type[Any], Any] = {}
        self.rds = boto3.client("rds", region_name=REGION)
        self.rds.create_db_cluster(
            DBClusterIdentifier="ledger", Engine="aurora-postgresql", MasterUsername="owner",
            MasterUserPassword="a password", Tags=TAGS, DeletionProtection=True,
        )  # fmt: skip
        for number, zone in enumerate("ab", start=1):
            self.rds.create_db_instance(
                DBInstanceIdentifier=f"ledger-{number}", DBClusterIdentifier="ledger",
                Engine="aurora-postgresql", DBInstanceClass="db.r6g.large",
                AvailabilityZone=f"{REGION}{zone}", Tags=TAGS,
            )  # fmt: skip

    def aws(self, service: str, region: str = "") -> Any:
        if service not in self._clients:
            self._clients[service] = self.fresh(service, region)
        return self._clients[service]

    def fresh(self, service: str, region: str = "") -> Any:
        """A client of its own, behind the choke point."""
        client = boto3.client(service, region_name=region or REGION)
        ChokePoint(ledger=self.ledger, region=REGION).install(client.meta.events)
        return client

    def power(self, kind: type[Any]) -> Any:
        return self.powers.get(kind)

    def opened(self, fault: str, plan: Plan) -> Handle:
        return Handle(self.ledger.open("drill", fault, {}, plan).id, self.ledger)

    def cluster(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.rds.describe_db_clusters(DBClusterIdentifier="ledger")["DBClusters"][
                0
            ]
        except ClientError:
            return None
        return found

    def members(self) -> list[str]:
        cluster = self.cluster()
        return sorted(m["DBInstanceIdentifier"] for m in cluster["DBClusterMembers"]) if cluster else []

    def snapshots(self) -> list[str]:
        found = self.rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
        return [snapshot["DBClusterSnapshotIdentifier"] for snapshot in found]
