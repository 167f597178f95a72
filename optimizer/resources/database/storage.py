"""Contents of an Aurora cluster volume, and the billed part of its backups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from optimizer.model.resource import Governed
from optimizer.ports.aws import Aws


@dataclass(frozen=True)
class Storage:
    """Contents of the Aurora cluster volume, in GB, and how much of it changes in a day."""

    volume_gb: Decimal
    changed_gb_per_day: Decimal

    @classmethod
    def measured(cls, volume_bytes: float, backup_bytes: float, retention_days: int) -> Storage:
        """From the metrics VolumeBytesUsed and BackupRetentionPeriodStorageUsed of the cluster.

        Backups hold the volume once and the changes of every further day of the retention period.
        """
        gigabyte = Decimal(1024**3)
        volume, backups = Decimal(volume_bytes) / gigabyte, Decimal(backup_bytes) / gigabyte
        return cls(volume, max(backups - volume, Decimal(0)) / max(retention_days - 1, 1))

    def billed_backup_gb(self, retention_days: int) -> Decimal:
        """GB of automated backups beyond the free amount, which is the volume's size for one day.

        Aurora User Guide, "Understanding Amazon Aurora backup storage usage"; what is billed never
        exceeds the volume's size for each day of the retention period.
        """
        return min(self.changed_gb_per_day, self.volume_gb) * (retention_days - 1)


def storage_in(aws: Aws, cluster: Governed) -> Storage | None:
    """Contents of the cluster's volume and backups, by its metrics of the last day; None when there are none."""
    names = ("VolumeBytesUsed", "BackupRetentionPeriodStorageUsed")
    now, there = aws.clock.now(), aws.at(cluster.region)
    answer = there.cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": f"m{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/RDS",
                        "MetricName": name,
                        "Dimensions": [{"Name": "DBClusterIdentifier", "Value": cluster.name}],
                    },
                    "Period": 3600,
                    "Stat": "Average",
                },
            }
            for number, name in enumerate(names)
        ],
        StartTime=now - timedelta(days=1),
        EndTime=now,
        ScanBy="TimestampDescending",
    )
    values = {result["Id"]: result.get("Values", []) for result in answer["MetricDataResults"]}
    if not values.get("m0") or not values.get("m1"):
        return None
    (described,) = there.rds.describe_db_clusters(DBClusterIdentifier=cluster.name)["DBClusters"]
    return Storage.measured(values["m0"][0], values["m1"][0], described["BackupRetentionPeriod"])
