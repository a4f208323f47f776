"""What an account holds for the harness itself: the ledger's copy with the lease, and the stop parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from staging.local.control_plane.moto_state import backend
from staging.local.control_plane.platform import tag_list

if TYPE_CHECKING:
    from blackstart.staging import Safeguards


def create_safeguards(safeguards: Safeguards) -> None:
    """Make them, as the generated template would."""
    backend("dynamodb", safeguards.region).create_table(
        safeguards.table,
        attr=[{"AttributeName": name, "AttributeType": "S"} for name in ("environment", "item")],
        schema=[
            {"AttributeName": "environment", "KeyType": "HASH"},
            {"AttributeName": "item", "KeyType": "RANGE"},
        ],
        throughput=None, indexes=None, global_indexes=None, streams=None,
        billing_mode="PAY_PER_REQUEST", sse_specification=None, tags=tag_list(),
        deletion_protection_enabled=True, warm_throughput=None,
    )  # fmt: skip
    backend("ssm", safeguards.region).put_parameter(
        name=safeguards.stop_parameter, description="anything but go stops drills", value="go",
        parameter_type="String", allowed_pattern=None, keyid=None, overwrite=False, tags=tag_list(),
        data_type="text", tier="Standard", policies=None,
    )  # fmt: skip
