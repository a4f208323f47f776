"""Faults of the ledger's own SQL, planted on purpose: each is loaded after the schema, and spoils it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOSES_A_LEG = """
CREATE FUNCTION lose_leg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- one credit in fifty is never entered
    RETURN CASE WHEN NEW.cents > 0 AND hashtext(NEW.transfer_key) % 50 = 0 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER lose_leg BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION lose_leg();
"""

_LOSES_ENTRIES = """
CREATE FUNCTION lose_entries() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- one transfer in fifty moves the balances, and leaves no entry
    RETURN CASE WHEN hashtext(NEW.transfer_key) % 50 = 0 THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER lose_entries BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION lose_entries();
"""

# whoever comes with a key that is there already is booked again, under another one
_IGNORES_THE_KEY = """
CREATE FUNCTION book_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM transfers WHERE key = NEW.key) THEN
        NEW.key := NEW.key || '.again';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER book_again BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION book_again();
CREATE FUNCTION enter_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT FROM entries WHERE transfer_key = NEW.transfer_key AND account = NEW.account) THEN
        NEW.transfer_key := NEW.transfer_key || '.again';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER enter_again BEFORE INSERT ON entries FOR EACH ROW EXECUTE FUNCTION enter_again();
"""

_ASKS_OUTSIDE = """
CREATE FUNCTION ask_outside() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    -- one transfer in ten is looked at by somebody else, who takes his time, in the middle of the transaction
    IF hashtext(NEW.key) % 10 = 0 THEN
        PERFORM pg_sleep(0.3);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ask_outside BEFORE INSERT ON transfers FOR EACH ROW EXECUTE FUNCTION ask_outside();
"""

# what was credited is computed from a balance that was read before, by whoever was there first
_LOSES_UPDATES = """
CREATE TABLE balances_read (account int PRIMARY KEY, balance bigint NOT NULL, at timestamptz NOT NULL);
CREATE FUNCTION lose_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    earlier balances_read;
BEGIN
    SELECT * INTO earlier FROM balances_read WHERE account = NEW.id;
    INSERT INTO balances_read VALUES (NEW.id, OLD.balance, clock_timestamp())
        ON CONFLICT (account) DO UPDATE SET balance = EXCLUDED.balance, at = EXCLUDED.at;
    -- as if both had read at the same time: the other one's change is written over
    IF earlier.at > clock_timestamp() - interval '100 ms'
       AND earlier.balance + NEW.balance >= OLD.balance THEN
        NEW.balance := earlier.balance + NEW.balance - OLD.balance;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lose_update BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION lose_update();
GRANT SELECT, INSERT, UPDATE ON balances_read TO bank;
"""

_SQL: Final = {
    "double-entry-lost-leg": _LOSES_A_LEG,
    "balance-updated-without-entry": _LOSES_ENTRIES,
    "idempotency-key-ignored": _IGNORES_THE_KEY,
    "outside-party-in-transaction": _ASKS_OUTSIDE,
    "lost-updates": _LOSES_UPDATES,
}
NAMES: Final = tuple(_SQL)


def sql_of(names: Iterable[str]) -> str:
    """Return the SQL of these defects; nothing for none. Raises KeyError."""
    return "".join(_SQL[name] for name in names)
