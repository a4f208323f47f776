"""What a person types where the harness would look again and again: waiting, and asking a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbooks import data_api

if TYPE_CHECKING:
    from collections.abc import Iterable


NOTHING_NEWER = """check "transfers newer than AT" 0 \\
  "SELECT count(*) FROM transfers WHERE committed_at > '$AT'\""""


def cluster_is_available(flag: str, name: str) -> str:
    """Return a line that ends when the cluster of this name, which may not be there yet, is available."""
    return _again(f"aws rds wait db-cluster-available{flag} --db-cluster-identifier {name}")


def instance_is_available(flag: str, name: str) -> str:
    """Return the same for an instance."""
    return _again(f"aws rds wait db-instance-available{flag} --db-instance-identifier {name}")


def restore_job_is_over(flag: str, job: str) -> str:
    """Return a line that says every 15 s how far the job is, until it is over."""
    described = f"aws backup describe-restore-job{flag} --restore-job-id {job} --output text"
    return (
        f"until {described} --query '[Status,PercentDone,StatusMessage]' | tee /dev/stderr \\\n"
        "  | grep -qE 'COMPLETED|FAILED|ABORTED'; do sleep 15; done"
    )


def questions(flag: str, secret: str, database: str, asked: Iterable[tuple[str, str, str]]) -> str:
    """Return a shell function, and a line for each question: what it asks, what is good, and the SQL."""
    got = data_api.told(flag, '"$NEW_ARN"', secret, database, '"$3"')
    return "\n".join((
        "check() {  # what is asked, the only good answer, the SQL",
        f"  GOT=$({got})",
        '  [ "$GOT" = "$2" ] && echo "good: $1" || echo "WRONG: $1: $GOT, must be $2"',
        "}",
        *(f'check "{what}" {good} "{data_api.quoted(sql)}"' for what, good, sql in asked),
    ))  # fmt: skip


def receipts(bucket: str) -> str:
    """Return how to hold the newest payments that have a receipt from before "$AT" against the ledger."""
    named = f'"{bucket or "receipts-$ACCOUNT"}"'
    lines = (
        "ACCOUNT=$(aws sts get-caller-identity --query Account --output text)",
        f'aws s3api list-objects-v2 --bucket {named} --prefix "receipts/${{AT%%T*}}/" --output text \\',
        """  --query "sort_by(Contents[?LastModified<'$AT'],&LastModified)[-2:].[Key]" """.rstrip(),
        "RECEIPT=receipts/...  # each of the two; nothing was listed: there is none to hold it against",
        f'aws s3api get-object --bucket {named} --key "$RECEIPT" /dev/stdout | grep \'"key"\'',
        "A=... B=...           # two of the keys in it",
        "SQL=\"SELECT count(*) FROM transfers WHERE key IN ('$A', '$B')\"",
        'check "its payments are there" 2 "$SQL"',
    )
    return "\n".join(lines)


def _again(wait: str) -> str:
    return f"until {wait} 2>/dev/null; do sleep 5; done"
