"""What the jobs of AWS Backup do, in the event loop; files are moved in threads."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from staging.local.aurora.state import AuroraError
from staging.local.backups.write_out import BYTES_PER_S
from staging.local.control_plane.backup.disk import copy_tree
from staging.local.control_plane.backup.kinds import Damaged
from staging.local.control_plane.backup.points import erase
from staging.local.control_plane.kms import inaccessible, is_enabled
from staging.local.control_plane.protocol import AwsError
from staging.local.control_plane.steps import share_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from staging.local.backups import Progress
    from staging.local.control_plane.backup.jobs import BackupJob, CopyJob, Job, RestoreJob
    from staging.local.control_plane.backup.kinds import Kinds
    from staging.local.control_plane.backup.points import RecoveryPoint, Vaults

log = logging.getLogger(__name__)

_EXPECTED = (AuroraError, AwsError, Damaged, OSError)  # what ends a job, and nothing else


class Work:
    """Carries out jobs. A job that fails says why, and leaves nothing behind."""

    def __init__(
        self, vaults: Vaults, kinds: Kinds, *, restore_jobs_lie: bool,
        lost: Callable[[str], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        self._vaults = vaults
        self._kinds = kinds
        self._lie = restore_jobs_lie
        self._lost = lost

    async def back_up(self, job: BackupJob, *, dated_back: timedelta = timedelta()) -> None:
        """Make the recovery point; `dated_back` is a planted lie about when."""
        point = job.point
        with self._ending(job, point):
            self._require_room(point)
            job.run()
            kind = self._kinds.named(point.resource_type)
            point.tags = dict(self._kinds.of(point.region, point.resource_arn)[1])
            captured = await kind.capture(point, _noting(job))
            point.created_at = captured.taken_at - dated_back
            point.initiated_at -= dated_back
            point.size_bytes, point.content = captured.size_bytes, captured.content
            self._require_region(point.region)
            self._keep(job, point)

    async def copy(self, job: CopyJob) -> None:
        """Copy the files, and let the copy stand on its own."""
        source, point = job.source, job.point
        with self._ending(job, point), _reading(source):
            self._require_room(point)
            for key in (source.key_arn, point.key_arn):
                _require_key(key)
            job.run()

            def note(done: int) -> None:
                job.bytes_done, job.share_done = done, min(0.99, done / max(1, source.size_bytes))

            # customers use the same disk
            await asyncio.to_thread(copy_tree, source.path, point.path, note, BYTES_PER_S)
            self._require_region(source.region)
            point.created_at, point.size_bytes = source.created_at, source.size_bytes
            self._kinds.named(point.resource_type).adopt(point, source)
            self._keep(job, point)

    async def restore(self, job: RestoreJob) -> None:
        """Make the new resource."""
        point = job.point
        try:
            with _reading(point):
                _require_key(point.key_arn)
                job.run()
                job.created_resource_arn = await self._restored(job)
        except _EXPECTED as error:
            if self._lie and isinstance(error, AuroraError | Damaged):
                log.warning("restore job %s lies: %s", job.id, error)
                job.complete()
                return
            job.fail(_words(error))
            return
        except BaseException as error:
            job.fail(f"Internal error: {error!r}")
            raise
        point.last_restored_at = datetime.now(UTC)
        job.complete()

    async def _restored(self, job: RestoreJob) -> str:
        kind = self._kinds.named(job.point.resource_type)
        tags = _own_tags(job.point.tags) if job.copy_tags else []
        with self._readable(job.point) as path:
            return await kind.restore(job.point, path, job.metadata, tags, _noting(job))

    @contextmanager
    def _readable(self, point: RecoveryPoint) -> Iterator[Path]:
        """Give the files as they are; the planted lie gives a copy that nothing seems to be wrong with."""
        if not self._lie:
            yield point.path
            return
        with tempfile.TemporaryDirectory(dir=point.path.parent, prefix="unchecked-") as scratch:
            Path(scratch).chmod(0o755)
            path = Path(scratch) / point.path.name
            copy_tree(point.path, path, lambda _: None)
            self._kinds.named(point.resource_type).certify(path)
            yield path

    def _require_room(self, point: RecoveryPoint) -> None:
        refusal = self._vaults.refusal(point.region, point.vault, point.lifecycle)
        if refusal:
            raise AwsError("InvalidRequestException", refusal)

    def _require_region(self, region: str) -> None:
        """What comes from a region that was lost meanwhile never arrived."""
        if self._lost(region):
            raise AwsError("ServiceUnavailableException", f"{region} does not answer.")

    def _keep(self, job: Job, point: RecoveryPoint) -> None:
        point.completed_at = datetime.now(UTC)
        job.bytes_done = point.size_bytes
        self._vaults.add(point)
        job.complete()

    @contextmanager
    def _ending(self, job: Job, point: RecoveryPoint) -> Iterator[None]:
        try:
            yield
        except _EXPECTED as error:
            self._discard(point)
            job.fail(_words(error))
        except BaseException as error:
            self._discard(point)
            job.fail(f"Internal error: {error!r}")
            raise

    def _discard(self, point: RecoveryPoint) -> None:
        self._kinds.named(point.resource_type).forget(point)
        erase(point)


@contextmanager
def _reading(point: RecoveryPoint) -> Iterator[None]:
    point.readers += 1
    try:
        yield
    finally:
        point.readers -= 1


def _noting(job: Job) -> Callable[[Progress], None]:
    def note(progress: Progress) -> None:
        # each step begins at its first byte; what has been backed up or restored does not become less
        job.share_done, job.bytes_done = share_done(progress), max(job.bytes_done, progress.done_bytes)
        job.message = progress.step

    return note


def _require_key(key: str) -> None:
    if not is_enabled(key):
        raise AwsError("KMSKeyNotAccessibleFault", inaccessible(key))


def _own_tags(tags: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items() if not key.startswith("aws:")]


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, AwsError) else str(error)
