"""What the servers of one cluster share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from staging.local import binaries
from staging.local.aurora.state import SUPERUSER

if TYPE_CHECKING:
    from pathlib import Path

    from staging.local.aurora.state import AuroraSettings
    from staging.local.network import Network


@dataclass(frozen=True)
class Site:
    """Where one cluster lives, whatever it is called."""

    network: Network
    root: Path  # of all clusters
    resource: str  # what AWS calls its resource id; it never changes
    settings: AuroraSettings

    @property
    def password(self) -> str:
        """The superuser's."""
        return self.settings.superuser_password

    @property
    def directory(self) -> Path:
        """Where its servers keep their files."""
        return self.root / self.resource

    @property
    def volume(self) -> Path:
        """Where its data lies while it has no instance."""
        return self.directory / "volume"

    @property
    def archive(self) -> Path | None:
        """Where its write-ahead log is archived, if it is."""
        return None if self.settings.wal_archiving_stopped else self.archive_directory

    @property
    def archive_directory(self) -> Path:
        """Where its archive is: beside its files, because it can outlive them."""
        return self.root / "archives" / self.resource

    @property
    def passfile(self) -> Path:
        """Where libpq finds the superuser's password."""
        return self.directory / "passfile"

    @cached_property
    def programs(self) -> Path:
        """Where PostgreSQL is installed. The first look takes a while."""
        return binaries.postgres_bin(self.root)

    def make(self) -> None:
        """Make the directories."""
        self.directory.mkdir(mode=0o755)
        self.passfile.touch(mode=0o600)
        self.passfile.write_text(f"*:*:*:{SUPERUSER}:{self.password}\n")
        for path in (self.directory, self.passfile):
            binaries.own(path)
        archive = self.archive_directory
        for path in (archive.parent, archive, archive / "wal", archive / "bases"):
            path.mkdir(mode=0o755, exist_ok=True)
            binaries.own(path)
