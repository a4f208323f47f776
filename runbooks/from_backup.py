"""What restoring from AWS Backup consists of, in whichever region."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from blackstart.context import ANSWERS, JOB
from blackstart.fault import Plan, Target
from blackstart.runbook import GoBack, Progress, Step
from blackstart.waiting import wait_until
from runbooks import aurora, by_hand, recovery_points, renaming, replacement
from runbooks.site import Site, begin_attempt, delete_unused

if TYPE_CHECKING:
    from blackstart.runbook import State
    from blackstart.staging import Staging

_CHOOSE = "Choose the recovery point"
_ENDED = ("COMPLETED", "ABORTED", "FAILED")
_CALLS = ("backup:StartRestoreJob", "backup:PutRestoreValidationResult", *replacement.CALLS)


@dataclass(frozen=True, kw_only=True)
class FromBackup:
    """Choose a recovery point, restore it, verify it, and fall back to an older one when it is no good."""

    site: Site
    vault: str
    which: str
    seed: int | None  # None for the drill's
    role: str
    old: str
    trusts: str = ANSWERS

    def prepare(self, staging: Staging) -> Plan:
        """Look what there is to restore, and where it goes."""
        points = recovery_points.of_cluster(staging, self.site.region, self.vault, self.site.cluster)
        return Plan(
            targets=(self._vault(staging), *self.site.targets(staging)),
            before={"recovery points": [point.arn for point in points]},
            broken={},
            calls=_CALLS,
            heals=replacement.HEALS,
            region=self.site.region,
        )

    def steps(self) -> tuple[Step, ...]:
        """Return all of them."""
        back = f"note why, and go back to “{_CHOOSE}” with the next older one."
        return (
            self._choose(),
            self._restore(back),
            replacement.create_instances(self.site, self._refuse_restored, back),
            *self._verify(back),
            *renaming.steps(self.site, self.old),
            replacement.delete_refused(self.site),
        )

    def abandon(self, staging: Staging, state: State) -> None:
        """Delete what nobody uses; what the bank uses already stays."""
        _until_no_job_runs(self.site, staging, state)
        if self.site.in_use(staging, state):
            state.remark(f"{self.site.cluster} is the restored one and stays")
            if self.old == renaming.DELETE:
                renaming.delete_old(self.site, staging, state)
        delete_unused(self.site, staging, state)
        if not self.site.in_use(staging, state):
            renaming.undo(self.site, staging, state)

    def _vault(self, staging: Staging) -> Target:
        backup = staging.aws("backup", self.site.region)
        arn = backup.describe_backup_vault(BackupVaultName=self.vault)["BackupVaultArn"]
        return Target(
            kind="backup vault", id=self.vault, arn=arn, tags=backup.list_tags(ResourceArn=arn)["Tags"]
        )

    def _choose(self) -> Step:
        def do(staging: Staging, state: State) -> None:
            points = recovery_points.of_cluster(staging, self.site.region, self.vault, self.site.cluster)
            refused = state.get("refused", {})
            seed = self.seed if self.seed is not None else state.get("seed", 0)
            point = recovery_points.choose(points, self.which, seed, refused, datetime.now(UTC))
            created = point.created.isoformat()
            state.created(point.arn)
            begin_attempt(self.site, state, point=point.arn, restorable_utc=created, job=None, told=False)
            state.event(
                "restore.point", recovery_point=point.arn, created_utc=created, restorable_utc=created
            )
            state.remark(
                f"{self.which}: {point.arn} of {created}, one of {len(points)}{_cost(refused, point.created)}"
            )

        return Step(
            name=_CHOOSE,
            why="What is newer than it is lost: the newest good one costs least.",
            commands=f"""
            aws backup list-recovery-points-by-backup-vault{self.site.flag} \\
              --backup-vault-name {self.vault} --by-resource-type Aurora --output text \\
              --query 'sort_by(RecoveryPoints,&CreationDate)[].[CreationDate,Status,RecoveryPointArn]'
            # {_in_words(self.which)}: its ARN and its CreationDate,
            POINT=arn:aws:...
            AT=...
            # and a name for what it becomes: -1, and another number each time you come back here
            NEW={self.site.cluster}-restored-1
            """,
            seen="You know its ARN and its age, and have told the people who must know that everything after "
            "AT will be lost.",
            otherwise="without any recovery point, restore to a point in time, or in another region.",
            done=lambda _, state: bool(state.get("point")),
            do=do, within_s=60,
        )  # fmt: skip

    def _restore(self, otherwise: str) -> Step:
        def do(staging: Staging, state: State) -> None:
            job = self._job(staging, state) or self._start(staging, state)
            state.created(job)
            state.note(job=job, jobs=[*state.get("jobs", []), job])

        def done(staging: Staging, state: State) -> bool:
            if state.get("resource"):
                return True
            if not state.get("job"):
                return False
            job = _described(self.site, staging, state["job"])
            if job["Status"] in ("FAILED", "ABORTED"):
                self._refuse(state, f"the restore job {job['Status']}: {job.get('StatusMessage', '')}")
            found = aurora.cluster(staging, self.site.region, state["new"])
            return job["Status"] == "COMPLETED" and found is not None and found["Status"] == "available"

        return Step(
            name="Restore it into a new cluster",
            why="A restore never touches the old cluster: it makes a new one beside it.",
            commands=f"""
            aws backup get-recovery-point-restore-metadata{self.site.flag} --query RestoreMetadata \\
              --backup-vault-name {self.vault} --recovery-point-arn "$POINT" --output json > source.json
            sed -E -e 's/("[Dd][Bb][Cc]luster[Ii]dentifier": ")[^"]*/\\1'"$NEW"/ \\
              -e 's/("[Dd][Bb][Ss]ubnet[Gg]roup[Nn]ame": ")[^"]*/\\1{self.site.subnet_group}/' \\
              source.json > metadata.json
            cat metadata.json  # must name $NEW and {self.site.subnet_group}; add what it lacks
            ACCOUNT=$(aws sts get-caller-identity{self.site.flag} --query Account --output text)
            JOB=$(aws backup start-restore-job{self.site.flag} --recovery-point-arn "$POINT" \\
              --resource-type Aurora --copy-source-tags-to-restored-resource \\
              --metadata file://metadata.json \\
              --iam-role-arn "arn:aws:iam::$ACCOUNT:role/{self.role}" --query RestoreJobId --output text)
            {by_hand.restore_job_is_over(self.site.flag, '"$JOB"').replace(chr(10), chr(10) + " " * 12)}
            {by_hand.cluster_is_available(self.site.flag, '"$NEW"')}  # not if the job FAILED
            """,
            seen="The job is COMPLETED and the new cluster `available`.",
            otherwise=otherwise,
            done=done, do=do, within_s=self.site.within_s,
            progress=lambda staging, state: _progress(_described(self.site, staging, state["job"])),
        )  # fmt: skip

    def _verify(self, back: str) -> tuple[Step, ...]:
        if self.trusts == JOB:
            return (replacement.trust_the_job(),)
        return (replacement.verify(self.site, self._refuse_restored, back), self._tell())

    def _tell(self) -> Step:
        def do(staging: Staging, state: State) -> None:
            self._validated(staging, state, "SUCCESSFUL", "")
            state.note(told=True)

        return Step(
            name="Write down that the backup was good",
            why="Who looks at the restore job later must see that it was tested, not only that it ran.",
            commands=f"""
            aws backup put-restore-validation-result{self.site.flag} --restore-job-id "$JOB" \\
              --validation-status SUCCESSFUL
            """,
            seen="The job's ValidationStatus is SUCCESSFUL.",
            done=lambda _, state: bool(state.get("told")), do=do, within_s=60,
        )  # fmt: skip

    def _start(self, staging: Staging, state: State) -> str:
        backup = staging.aws("backup", self.site.region)
        metadata = backup.get_recovery_point_restore_metadata(
            BackupVaultName=self.vault, RecoveryPointArn=state["point"]
        )["RestoreMetadata"]
        job: str = backup.start_restore_job(
            RecoveryPointArn=state["point"], ResourceType="Aurora",
            CopySourceTagsToRestoredResource=True,  # the backup plan finds the cluster by its tags
            Metadata=_with_name(metadata, state["new"], self.site.subnet_group),
            IamRoleArn=f"arn:aws:iam::{staging.facts.account}:role/{self.role}",
            IdempotencyToken=f"{state.id}-{state['attempt']}",
        )["RestoreJobId"]  # fmt: skip
        return job

    def _job(self, staging: Staging, state: State) -> str | None:
        """Find a job that was started just before this process's predecessor died."""
        earlier = state.get("jobs", [])
        found = _jobs(self.site, staging, state)
        return next((j for j, point in found if point == state["point"] and j not in earlier), None)

    def _refuse_restored(self, staging: Staging, state: State, why: str) -> NoReturn:
        self._validated(staging, state, "FAILED", why)
        self._refuse(state, why)

    def _refuse(self, state: State, why: str) -> NoReturn:
        point = state["point"]
        refused = {**state.get("refused", {}), point: state["restorable_utc"]}
        state.event("restore.refused", recovery_point=point, created_utc=state["restorable_utc"], why=why)
        state.note(refused=refused, point=None, resource=None)
        raise GoBack(_CHOOSE, f"refused {point}: {why}")

    def _validated(self, staging: Staging, state: State, status: str, why: str) -> None:
        staging.aws("backup", self.site.region).put_restore_validation_result(
            RestoreJobId=state["job"], ValidationStatus=status, ValidationStatusMessage=why[:1000]
        )


def _in_words(which: str) -> str:
    return (
        "the newest that is COMPLETED or AVAILABLE, at the end" if which == recovery_points.NEWEST else which
    )


def _with_name(metadata: dict[str, str], new: str, group: str) -> dict[str, str]:
    """Return the restore metadata with another cluster's name; AWS does not mind how its keys are spelt."""
    wanted = {
        "dbclusteridentifier": ("DBClusterIdentifier", new),
        "dbsubnetgroupname": ("DBSubnetGroupName", group),
    }
    kept = {key: value for key, value in metadata.items() if key.lower() not in wanted}
    return {**kept, **dict(wanted.values())}


def _cost(refused: dict[str, str], created: datetime) -> str:
    """Say what falling back costs, "" when nothing was refused."""
    if not refused:
        return ""
    first = max(datetime.fromisoformat(utc) for utc in refused.values())
    cost_s = (first - created).total_seconds()
    return f"; {len(refused)} newer refused, which costs {cost_s:.0f} s more of data"


def _described(site: Site, staging: Staging, job: str) -> dict[str, Any]:
    return dict(staging.aws("backup", site.region).describe_restore_job(RestoreJobId=job))


def _progress(job: dict[str, Any]) -> Progress:
    text = str(job.get("PercentDone", "")).rstrip("%")
    minutes = job.get("ExpectedCompletionTimeMinutes")
    return Progress(
        percent=float(text) if text else None,
        detail=" ".join(part for part in (job["Status"], job.get("StatusMessage", "")) if part),
        eta_s=minutes * 60.0 if minutes and not text else None,
    )


def _jobs(site: Site, staging: Staging, state: State) -> list[tuple[str, str]]:
    """Return the restore jobs since this run began, with their recovery points."""
    pages = staging.aws("backup", site.region).get_paginator("list_restore_jobs")
    return [
        (job["RestoreJobId"], job["RecoveryPointArn"])
        for page in pages.paginate(ByCreatedAfter=state.began_at)
        for job in page["RestoreJobs"]
    ]


def _until_no_job_runs(site: Site, staging: Staging, state: State) -> None:
    """AWS Backup cannot cancel a restore job: what it makes can only be deleted when it is there."""
    named = set(state.plan.before["recovery points"]) | {state.get("point")}
    for job, point in _jobs(site, staging, state):
        if point in named:
            wait_until(
                lambda job=job: _described(site, staging, job)["Status"] in _ENDED,  # type: ignore[misc]
                within_s=site.within_s, what=f"restore job {job} has ended", every_s=0.5,
            )  # fmt: skip
