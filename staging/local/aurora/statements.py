"""Run statements on a server as somebody who is not its superuser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from staging.local.aurora.link import answer, connect

if TYPE_CHECKING:
    from staging.local.aurora.instance import Instance
    from staging.local.aurora.state import ExecuteRole

CONNECT_S = 10.0
EXECUTE_S = 45.0  # as long as the Data API lets a statement run


async def rows(server: Instance, sql: str, role: ExecuteRole) -> list[dict[str, Any]]:
    """Run one, on a connection of its own, as the application or as the owner of its tables."""
    settings, network = server.site.settings, server.site.network
    user, password = settings.app_user, settings.app_password
    if role == "owner":
        user, password = settings.owner_user, settings.owner_password
    host, port = network.route("public", server.address)
    connection = await connect(
        host=host, port=port, user=user, password=password, database=settings.database, within_s=CONNECT_S
    )
    try:
        found = await answer(connection, connection.fetch(sql), EXECUTE_S)
    finally:
        connection.terminate()
    return [dict(row) for row in found]
