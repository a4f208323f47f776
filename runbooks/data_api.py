"""SQL on a cluster through the RDS Data API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blackstart.staging import Staging


@dataclass(frozen=True, kw_only=True)
class Sql:
    """Asks the writer of one cluster, as the user whose credentials the secret holds."""

    staging: Staging
    region: str
    cluster_arn: str
    secret: str
    database: str

    def rows(self, statement: str) -> list[list[Any]]:
        """Run one statement; return its rows."""
        arn = self.staging.aws("secretsmanager", self.region).describe_secret(SecretId=self.secret)["ARN"]
        answer = self.staging.aws("rds-data", self.region).execute_statement(
            resourceArn=self.cluster_arn, secretArn=arn, database=self.database, sql=statement
        )
        return [[_value(field) for field in record] for record in answer.get("records", [])]

    def one(self, statement: str) -> Any:
        """Run one statement; return the first value of its first row."""
        return self.rows(statement)[0][0]


def command(flag: str, cluster: str, secret: str, database: str, statement: str) -> str:
    """Return the same as a line for the shell; `flag` says the region, `cluster` its ARN."""
    return told(flag, cluster, secret, database, f'"{quoted(statement)}"')


def told(flag: str, cluster: str, secret: str, database: str, sql: str) -> str:
    """Return a line that prints the first value of the first row; `sql` as the shell is to read it."""
    arguments = f"--resource-arn {cluster} --secret-arn {secret} --database {database} --output text"
    return f"aws rds-data execute-statement{flag} {arguments} --query 'records[0][0].*|[0]' --sql {sql}"


def quoted(statement: str) -> str:
    """Return a statement on one line, as it stands between double quotes in a shell."""
    return " ".join(statement.split()).replace('"', '\\"').replace("$", "\\$")


def _value(field: dict[str, Any]) -> Any:
    return None if field.get("isNull") else next(iter(field.values()))
