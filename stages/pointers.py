"""Pointers that the application follows: the name or address of each part, as SSM parameters under /tap.

The application reads these instead of names in its own configuration, so that changing a pointer
replaces a table.
"""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from domain.indexes import SOURCES
from stages.cache import Cache
from stages.database import Database
from stages.governed import mark_part
from stages.tables import Tables

POINTED = (*SOURCES, "audit_logs")  # names that the application uses, whatever table they point to


class Pointers(Construct):
    """One parameter for each table, the cache and the database's endpoints and credentials."""

    def __init__(self, scope: Construct, id: str, *, tables: Tables, cache: Cache, database: Database) -> None:
        super().__init__(scope, id)
        self._parameters: list[ssm.StringParameter] = []
        for name in POINTED:
            self._point(f"tables/{name}", tables.home_of(name))
        self._point("cache/endpoint", cache.endpoint)
        self._point("database/writer", database.writer_endpoint)
        self._point("database/reader", database.reader_endpoint)
        self._point("database/secret", database.secret.secret_arn)
        mark_part(self, "pointers")

    def grant_read(self, rights: iam.Policy) -> None:
        """Let the owner of `rights` read every pointer."""
        rights.add_statements(
            iam.PolicyStatement(
                sid="FollowPointers",
                actions=["ssm:GetParameter", "ssm:GetParameters"],
                resources=[parameter.parameter_arn for parameter in self._parameters],
            )
        )

    def _point(self, name: str, value: str) -> None:
        id = name.title().replace("/", "").replace("_", "")
        parameter = ssm.StringParameter(self, id, parameter_name=f"/tap/{name}", string_value=value)
        self._parameters.append(parameter)
