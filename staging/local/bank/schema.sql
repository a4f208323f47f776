-- The ledger: accounts, transfers and their double entries, and the one function that moves money.
-- Loaded once into an empty database, by a superuser.

BEGIN;

CREATE TABLE accounts (
    id       int    PRIMARY KEY,
    opening  bigint NOT NULL CHECK (opening >= 0),
    balance  bigint NOT NULL CHECK (balance >= 0),  -- always opening + the sum of the account's entries
    version  bigint NOT NULL DEFAULT 0,             -- one more with every entry: which balance is newer
    pin_hash text   NOT NULL                        -- salt, "$", sha256 of salt and pin in hex
) WITH (fillfactor = 50);  -- room in each page, so that a new balance touches no index

CREATE TABLE transfers (
    key          text        COLLATE "C" PRIMARY KEY,  -- bytewise, so that a prefix is a range of the index
    debit        int         NOT NULL REFERENCES accounts,
    credit       int         NOT NULL REFERENCES accounts,
    cents        bigint      NOT NULL CHECK (cents > 0),
    committed_at timestamptz NOT NULL,
    CHECK (debit <> credit)
);

CREATE TABLE entries (
    transfer_key text   COLLATE "C" NOT NULL REFERENCES transfers,
    account      int    NOT NULL REFERENCES accounts,
    cents        bigint NOT NULL CHECK (cents <> 0),  -- negative at the debit, positive at the credit
    balance      bigint NOT NULL,                     -- of the account after this entry,
    version      bigint NOT NULL,                     -- so that a retry is given the first answer again
    PRIMARY KEY (transfer_key, account)
);

-- Move money: one call, one transaction. Called again with the same key and body, it moves nothing and
-- returns what it returned the first time. Errors: BK001 unknown account, BK002 insufficient funds,
-- BK003 the key was used for another transfer.
CREATE FUNCTION bank_transfer(
    in_key text, in_debit int, in_credit int, in_cents bigint,
    OUT replayed boolean,
    OUT debit_balance bigint, OUT debit_version bigint,
    OUT credit_balance bigint, OUT credit_version bigint
) LANGUAGE plpgsql AS $$
DECLARE
    accounts_locked int;
    earlier transfers;
BEGIN
    -- in the order of their ids, so that two transfers never wait for each other in a circle; before the
    -- key, so that whoever waits for a key waits for a transaction that needs nothing more
    PERFORM FROM accounts WHERE id IN (in_debit, in_credit) ORDER BY id FOR NO KEY UPDATE;
    GET DIAGNOSTICS accounts_locked = ROW_COUNT;
    IF accounts_locked <> 2 THEN
        RAISE EXCEPTION 'unknown account' USING ERRCODE = 'BK001';
    END IF;

    -- waits for a concurrent transaction with this key, then sees whether it committed
    INSERT INTO transfers VALUES (in_key, in_debit, in_credit, in_cents, clock_timestamp())
        ON CONFLICT (key) DO NOTHING;
    replayed := NOT FOUND;
    IF replayed THEN
        SELECT * INTO STRICT earlier FROM transfers WHERE key = in_key;
        IF (earlier.debit, earlier.credit, earlier.cents) <> (in_debit, in_credit, in_cents) THEN
            RAISE EXCEPTION 'key already used for another transfer' USING ERRCODE = 'BK003';
        END IF;
        SELECT balance, version INTO STRICT debit_balance, debit_version
            FROM entries WHERE transfer_key = in_key AND account = in_debit;
        SELECT balance, version INTO STRICT credit_balance, credit_version
            FROM entries WHERE transfer_key = in_key AND account = in_credit;
        RETURN;
    END IF;

    UPDATE accounts SET balance = balance - in_cents, version = version + 1
        WHERE id = in_debit AND balance >= in_cents
        RETURNING balance, version INTO debit_balance, debit_version;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'insufficient funds' USING ERRCODE = 'BK002';
    END IF;
    UPDATE accounts SET balance = balance + in_cents, version = version + 1
        WHERE id = in_credit
        RETURNING balance, version INTO STRICT credit_balance, credit_version;
    INSERT INTO entries VALUES
        (in_key, in_debit, -in_cents, debit_balance, debit_version),
        (in_key, in_credit, in_cents, credit_balance, credit_version);
END $$;

-- Pins are four digits, so that no hash could hide them for long: a fast one does not pretend to.
INSERT INTO accounts (id, opening, balance, pin_hash)
SELECT id, 1000000, 1000000, salt || '$' || encode(sha256((salt || lpad(id::text, 4, '0'))::bytea), 'hex')
FROM (SELECT id, replace(gen_random_uuid()::text, '-', '') AS salt FROM generate_series(1, 1000) AS id) AS fresh;

-- A ledger that has moved money before: one that was never used looks the same when a table is lost.
SELECT bank_transfer('birth-' || id, id, id + 50, 100) FROM generate_series(901, 950) AS id;

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank') THEN
        CREATE ROLE bank LOGIN;
    END IF;
END $$;
GRANT SELECT ON accounts, transfers, entries TO bank;
GRANT INSERT ON transfers, entries TO bank;
GRANT UPDATE (balance, version) ON accounts TO bank;
GRANT EXECUTE ON FUNCTION bank_transfer TO bank;

COMMIT;
