"""The control plane of the local staging, seeded, over HTTP, with its audit trail, and nothing behind it."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
from moto.core.base_backend import BackendDict

from blackstart.context import Context, Guarded
from blackstart.rules import Rules
from blackstart.staging import Facts
from staging.local import state_file
from staging.local.client import LocalStaging
from staging.local.control_plane.audit import AuditTrail
from staging.local.control_plane.front import Front
from staging.local.control_plane.platform import ACCOUNT, DR_REGION, REGION
from staging.local.control_plane.seed import seed
from staging.local.control_plane.server import Server
from staging.local.timings import FAST

if TYPE_CHECKING:
    from pathlib import Path

    from blackstart.choke import Seen

FACTS = Facts(
    name="local", account=ACCOUNT, region=REGION, isolation="none", timings="fast",
    base_url="http://127.0.0.1:9", generation="scene",
)  # fmt: skip
OPEN = Rules(regions=(DR_REGION,), targets_max=40, share_max=0.5, seconds_max=7200.0, region_loss=True)


class Scene:
    """Starts it; `changes` are the calls in the trail that changed, or tried to change, something."""

    def __init__(self, directory: Path) -> None:
        os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
        self.home = directory / "home"
        (self.home / "local").mkdir(parents=True)
        self._trail = directory / "audit.jsonl"
        self._audit = AuditTrail(self._trail)
        BackendDict.reset()
        self.platform = seed(
            timings=FAST, desired_count=4, service_subnets=["app-a", "app-b"], user="bank", owner="owner",
            password="long enough", owner_password="long enough",  # noqa: S106 - of a database that does not exist
        )  # fmt: skip
        self._door = socket.create_server(("127.0.0.1", 0))
        host, port = self._door.getsockname()[:2]
        self.endpoint = f"http://{host}:{port}"
        self._server = Server(Front(self._audit), [self._door])
        self._server.start()
        self.at_the_choke: list[str] = []  # changes that came to the choke point, refused or not
        self._set_up = 0
        self._session: Any = None

    def announce(self, **facts: Any) -> None:
        """Let the command line, and other processes, find it as the local staging that runs."""
        host = state_file.Known.of(psutil.Process())
        state = state_file.State(
            host=host, data_dir=str(self.home), aws_endpoint=self.endpoint, facts=replace(FACTS, **facts)
        )
        state_file.write(self.home / "local", state)

    def stop(self) -> None:
        self._server.stop()
        self._audit.close()
        BackendDict.reset()

    def context(self, **more: Any) -> Context:
        return Context(home=str(self.home), **more)

    def staging(self, rule: Rules = OPEN, **facts: Any) -> Guarded:
        """Attach to it as a staging with these rules and facts."""
        raw = LocalStaging(replace(FACTS, **facts), self.endpoint, rule)
        self._session = raw._session = (
            self._session or raw._fresh_session()
        )  # reading AWS's models takes long
        return self.context().guard(raw)

    def changes(self) -> list[str]:
        """The calls in the control plane's own trail that are not a test's own."""
        lines = [json.loads(line) for line in self._trail.read_text().splitlines()]
        return [f"{line['service']}:{line['action']}" for line in lines[self._set_up :]]

    def forget_changes(self) -> None:
        """Count from here: what a test did to prepare is not the harness's."""
        self._set_up = len(self._trail.read_text().splitlines())
        self.at_the_choke.clear()

    def watch(self, staging: Guarded) -> Guarded:
        """Count what comes to the choke point, too."""

        def seen(call: Seen) -> None:
            if call.is_change:
                self.at_the_choke.append(call.name)

        staging.choke_point = replace(staging.choke_point, seen=seen)
        return staging
