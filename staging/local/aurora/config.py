"""The configuration of one PostgreSQL server: outside its data directory, where no copy overwrites it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.aurora.state import SUPERUSER, AuroraSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from staging.local.network import Address

ALWAYS: Mapping[str, str] = {
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "hot_standby": "on",
    "track_commit_timestamp": "on",
    # little, because pg_rewind copies all of it; a reader that was dark for longer is copied anew
    "wal_keep_size": "48MB",
    "min_wal_size": "8MB",
    "max_wal_size": "64MB",
    # commits that come close together share one flush, here and on the reader: half the CPU of 300 a second
    "commit_delay": "3000",
    "commit_siblings": "1",
    "wal_retrieve_retry_interval": "200ms",
    "wal_receiver_status_interval": "1s",
    "idle_in_transaction_session_timeout": "10s",  # a client that went dark must not keep its row locks
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: nothing outside survives a kill
    "huge_pages": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}

IMPATIENCE: Mapping[str, str] = {
    "connect_timeout": "3",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "4000",
}


def server_settings(
    address: Address,
    instance: str,
    settings: AuroraSettings,
    *,
    awaits: str | None,
    follows: str | None,
    archive: Path | None,
) -> dict[str, str]:
    """Return what this server runs with.

    `awaits` is the standby that its commits wait for, `follows` the conninfo of the writer it replicates,
    `archive` where its write-ahead log is copied to.
    """
    # A stalled link is given up soon; the delayed one of a planted defect answers late by design.
    patience = "60s" if settings.async_standby else "3s"
    return {
        **ALWAYS,
        "listen_addresses": address.host,
        "port": str(address.port),
        "cluster_name": instance,
        "synchronous_commit": "off" if settings.synchronous_commit_off else "on",
        "synchronous_standby_names": f'ANY 1 ("{awaits}")' if awaits else "",
        "primary_conninfo": follows or "",
        "wal_receiver_timeout": patience,
        "wal_sender_timeout": patience,
        **_archiving(archive, settings),
    }


def _archiving(archive: Path | None, settings: AuroraSettings) -> dict[str, str]:
    if archive is None:
        return {"archive_mode": "off"}
    return {
        # the reader too, so that a dead writer leaves no gap: who comes second finds the same file there
        "archive_mode": "always",
        # in the server's own process: a command would cost a shell and a copy for every segment
        "archive_library": "basic_archive",
        "basic_archive.archive_directory": str(archive / "wal"),
        "archive_timeout": f"{max(1, round(settings.archive_timeout_s))}s",
    }


def rendered(settings: Mapping[str, str]) -> str:
    """Return the text of a postgresql.conf."""
    return "".join(f"{name} = {_escaped(value)}\n" for name, value in settings.items())


def access_rules(settings: AuroraSettings) -> str:
    """Return the text of a pg_hba.conf: everybody by password, but for the superuser to one database only."""
    return (
        f"host replication {SUPERUSER} 0.0.0.0/0 scram-sha-256\n"
        f"host all {SUPERUSER} 0.0.0.0/0 scram-sha-256\n"
        f"host {settings.database} {settings.app_user} 0.0.0.0/0 scram-sha-256\n"
        f"host {settings.database} {settings.owner_user} 0.0.0.0/0 scram-sha-256\n"
    )


def conninfo(host: str, port: int, passfile: Path, *, patient: bool = False) -> str:
    """Return how one server reaches another as superuser.

    It gives up soon when nobody is there, unless `patient`: over a delayed link even a greeting takes long.
    """
    parts = {
        "host": host,
        "port": str(port),
        "user": SUPERUSER,
        "passfile": str(passfile),
        "sslmode": "disable",
        "gssencmode": "disable",
        **({} if patient else IMPATIENCE),
    }
    return " ".join(f"{key}={_escaped(value)}" for key, value in parts.items())


def _escaped(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
