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

# As on Aurora: every instance says who it is, whichever endpoint led there.
WHO_AM_I = """
CREATE FUNCTION aurora_db_instance_identifier() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT current_setting('cluster_name') $$
"""


async def bear(writer: Instance) -> None:
    """Create the server's files, start it, and fill it."""
    await _initialise(writer)
    writer.configure(fsync=False)  # like initdb's files, these are only worth their disk once they are whole
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
    options = ["--no-sync", "--data-checksums", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
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
        role = await connection.fetchval(
            "SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)",
            settings.app_user,
            settings.app_password,
        )
        await answer(connection, connection.execute(role), LOAD_S)
        name = await connection.fetchval("SELECT quote_ident($1)", settings.database)
        await answer(connection, connection.execute(f"CREATE DATABASE {name}"), LOAD_S)
    finally:
        connection.terminate()


async def _schema(writer: Instance) -> None:
    schema = await asyncio.to_thread(writer.site.settings.schema.read_text)
    connection = await _superuser(writer, writer.site.settings.database)
    try:
        await answer(connection, connection.execute(WHO_AM_I), LOAD_S)
        await answer(connection, connection.execute(schema), LOAD_S)
    finally:
        connection.terminate()


async def _superuser(writer: Instance, database: str) -> Any:
    site = writer.site
    host, port = site.network.route("public", writer.address)
    return await connect(
        host=host, port=port, user=SUPERUSER, password=site.password, database=database, within_s=5.0
    )
