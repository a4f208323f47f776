"""Make the first writer of a cluster: an empty server, its users, the database and its schema."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from staging.local import binaries
from staging.local.aurora.link import NoAnswerError, answer, connect
from staging.local.aurora.look import look
from staging.local.aurora.state import SUPERUSER, AuroraError
from staging.local.aurora.waiting import until

if TYPE_CHECKING:
    from staging.local.aurora.instance import Instance

START_S = 30.0
LOAD_S = 30.0
# small, because a segment is what archives are made of: the first bytes of a big one would wait for its last
SEGMENTS = "--wal-segsize=1"

# As on Aurora: every instance says who it is, whichever endpoint led there.
WHO_AM_I = """
CREATE FUNCTION aurora_db_instance_identifier() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT current_setting('cluster_name') $$
"""

# Whoever verifies a restored cluster looks into its indexes, too.
CHECKS = """
CREATE EXTENSION amcheck;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC
"""


async def bear(writer: Instance) -> None:
    """Create the server's files, start it, and fill it."""
    await _initialise(writer)
    # like initdb's files, these are only worth their disk once they are whole; until then nothing is archived
    writer.configure(more={"fsync": "off", "archive_timeout": "0"})
    writer.start()
    await until(lambda: _answers(writer), f"{writer.id} answers", within_s=START_S)
    await _users_and_database(writer)
    await _schema(writer)
    await writer.probe.ask("CHECKPOINT", within_s=LOAD_S)
    writer.configure()


async def _initialise(writer: Instance) -> None:
    secret = writer.directory / "superuser"
    secret.touch(mode=0o600)
    secret.write_text(writer.site.password)
    binaries.own(secret)
    # unsynced, because the files are only needed for as long as this machine is up
    options = [
        "--no-sync",
        "--data-checksums",
        SEGMENTS,
        "--encoding=UTF8",
        "--locale=C",
        "--auth=scram-sha-256",
    ]
    status = await writer.run(
        "initdb", *options, "-U", SUPERUSER, f"--pwfile={secret}", "-D", str(writer.data), within_s=60.0
    )
    secret.unlink()
    if status:
        raise AuroraError(f"initdb failed, see {writer.directory / 'programs.log'}")


async def _answers(writer: Instance) -> bool:
    if writer.exited:
        raise AuroraError(f"{writer.id} ended while starting, see {writer.log}")
    try:
        return not (await look(writer.probe, within_s=1.0)).in_recovery
    except NoAnswerError:
        return False


async def _users_and_database(writer: Instance) -> None:
    settings = writer.site.settings
    connection = await _superuser(writer, "postgres")
    try:
        await _role(connection, settings.app_user, settings.app_password)
        await _role(connection, settings.owner_user, settings.owner_password)
        database = await connection.fetchval(
            "SELECT format('CREATE DATABASE %I OWNER %I', $1::text, $2::text)",
            settings.database,
            settings.owner_user,
        )
        await answer(connection, connection.execute(database), LOAD_S)
    finally:
        connection.terminate()


async def _role(connection: Any, user: str, password: str) -> None:
    role = await connection.fetchval(
        "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", user, password
    )
    await answer(connection, connection.execute(role), LOAD_S)


async def _schema(writer: Instance) -> None:
    settings = writer.site.settings
    schema = await asyncio.to_thread(settings.schema.read_text)
    connection = await _superuser(writer, settings.database)
    try:
        await answer(connection, connection.execute(WHO_AM_I), LOAD_S)
        await answer(connection, connection.execute(CHECKS), LOAD_S)
        # as the owner, so that what it makes is the owner's
        await connection.execute("SELECT set_config('role', $1, false)", settings.owner_user)
        await answer(connection, connection.execute(schema), LOAD_S)
        if settings.schema_defects:
            await answer(connection, connection.execute(settings.schema_defects), LOAD_S)
    finally:
        connection.terminate()


async def _superuser(writer: Instance, database: str) -> Any:
    site = writer.site
    host, port = site.network.route("public", writer.address)
    return await connect(
        host=host, port=port, user=SUPERUSER, password=site.password, database=database, within_s=5.0
    )
