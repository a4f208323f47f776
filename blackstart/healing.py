"""Healing from outside a drill: by a person, by the watchdog, by the dead man's function.

The caller holds the machine's lock (`blackstart.lock`); the environment's lease is taken here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blackstart import activities
from blackstart.account_ledger import fetch, settle
from blackstart.context import account_ledger
from blackstart.holding import held_if_possible

if TYPE_CHECKING:
    from blackstart.context import Context
    from blackstart.staging import Staging


def heal(here: Context, staging: Staging, *, from_account: bool = False) -> str:
    """Heal what is open, here or also in the account; return in words what was done.

    Raises Leased while another machine works on the environment, and whatever keeps a fault from healing.
    """
    here.ledger.check_environment(staging.facts.environment)  # before anything is changed in the account
    with held_if_possible(here, "healing", must=from_account) as inside:
        if inside.token:
            account = account_ledger(inside)
            settle(account, inside.ledger)
            if from_account:
                fetch(account, inside.ledger)
        return activities.heal_open(inside, staging)
