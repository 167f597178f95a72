"""The brief's phase 1, line by line, on the synthesized templates: requirement, assertion."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations

import pytest

from tests.stages.foundation import (
    NETWORKS,
    SECONDARIES,
    Foundation,
    alarms,
    aurora,
    balancer,
    group,
    instances,
    launch,
    listeners,
    log_groups,
    multi_region,
    network,
    parameters,
    paths,
    redis,
    rules,
    serves_its_own_account,
    subnet_kinds,
    tables,
    target_groups,
    uses_key,
)

pytestmark = pytest.mark.xdist_group("foundation")  # one synthesis for all of them

Requirement = tuple[str, Callable[[Foundation], bool]]

AURORA: list[Requirement] = [
    (
        "engine aurora-postgresql, a current version",
        lambda f: (aurora(f)["Engine"], aurora(f)["EngineVersion"]) == ("aurora-postgresql", "17.9"),
    ),
    (
        "three instances by identity, db.r6g.4xlarge",
        lambda f: (
            {id: p["DBInstanceClass"] for id, p in instances(f).items()}
            == {f"tap-database-{n}": "db.r6g.4xlarge" for n in (1, 2, 3)}
        ),
    ),
    ("promotion tiers as sized", lambda f: [p["PromotionTier"] for p in instances(f).values()] == [1, 1, 2]),
    ("30-day backups", lambda f: aurora(f)["BackupRetentionPeriod"] == 30),
    (
        "Performance Insights on every instance, with the customer key",
        lambda f: all(
            p["EnablePerformanceInsights"] and uses_key(p["PerformanceInsightsKMSKeyId"], "Database")
            for p in instances(f).values()
        ),
    ),
    (
        "enhanced monitoring every 30 s, in every Region",
        lambda f: all(
            p["MonitoringInterval"] == 30 and p["MonitoringRoleArn"] for s in NETWORKS for p in instances(f, s).values()
        ),
    ),
    (
        "a global cluster that the primary joins",
        lambda f: (
            f.props("AWS::RDS::GlobalCluster")["GlobalClusterIdentifier"] == "tap-global"
            and "Ref" in aurora(f)["GlobalClusterIdentifier"]
        ),
    ),
    (
        "secondaries in Regions 2 and 3, one instance each",
        lambda f: (
            [list(instances(f, s)) for s in SECONDARIES] == [["tap-database-region2-1"], ["tap-database-region3-1"]]
        ),
    ),
    (
        "secondaries join by name, without credentials",
        lambda f: all(
            aurora(f, s)["GlobalClusterIdentifier"] == "tap-global" and "MasterUsername" not in aurora(f, s)
            for s in SECONDARIES
        ),
    ),
    (
        "encrypted by a customer key everywhere",
        lambda f: (
            all(aurora(f, s)["StorageEncrypted"] for s in NETWORKS)
            and uses_key(aurora(f)["KmsKeyId"], "Database")
            and all("DatabaseKey" in json.dumps(aurora(f, s)["KmsKeyId"]) for s in SECONDARIES)
        ),
    ),
    (
        "deletion protection everywhere",
        lambda f: (
            all(aurora(f, s)["DeletionProtection"] for s in NETWORKS)
            and f.props("AWS::RDS::GlobalCluster")["DeletionProtection"]
        ),
    ),
    (
        "credentials generated, never in the template",
        lambda f: "resolve:secretsmanager" in json.dumps(aurora(f)["MasterUserPassword"]),
    ),
    (
        "credentials rotated",
        lambda f: (
            f.props("AWS::SecretsManager::RotationSchedule")["RotationRules"]["ScheduleExpression"] == "rate(30 days)"
        ),
    ),
    (
        "TLS forced",
        lambda f: all(
            f.props("AWS::RDS::DBClusterParameterGroup", s)["Parameters"]["rds.force_ssl"] == "1" for s in NETWORKS
        ),
    ),
    ("logs exported", lambda f: all(aurora(f, s)["EnableCloudwatchLogsExports"] == ["postgresql"] for s in NETWORKS)),
]

COMPUTE: list[Requirement] = [
    ("m5.4xlarge", lambda f: launch(f)["InstanceType"] == "m5.4xlarge"),
    (
        "desired 15, min 12, max 25",
        lambda f: [group(f)[k] for k in ("DesiredCapacity", "MinSize", "MaxSize")] == ["15", "12", "25"],
    ),
    ("over three zones", lambda f: len(group(f)["VPCZoneIdentifier"]) == 3),
    ("IMDSv2 only", lambda f: launch(f)["MetadataOptions"]["HttpTokens"] == "required"),
    (
        "encrypted gp3",
        lambda f: all(
            b["Ebs"]["Encrypted"] and b["Ebs"]["VolumeType"] == "gp3" for b in launch(f)["BlockDeviceMappings"]
        ),
    ),
    ("no key pair", lambda f: "KeyName" not in launch(f)),
    ("Session Manager", lambda f: "ssmmessages:OpenDataChannel" in json.dumps(f.all("AWS::IAM::Policy"))),
    ("a concrete image", lambda f: launch(f)["ImageId"].startswith("ami-")),
    (
        "target tracking, scale-in off as designed",
        lambda f: f.props("AWS::AutoScaling::ScalingPolicy")["TargetTrackingConfiguration"]["DisableScaleIn"] is True,
    ),
    (
        "ELB health checks with a grace period",
        lambda f: (group(f)["HealthCheckType"], group(f)["HealthCheckGracePeriod"]) == ("ELB", 300),
    ),
    (
        "unmodified sizes ignored, and no policy that would roll the fleet",
        lambda f: (
            f.only("AWS::AutoScaling::AutoScalingGroup")["UpdatePolicy"]
            == {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}}
        ),
    ),
]

BALANCER: list[Requirement] = [
    (
        "target groups api, auth, admin, default",
        lambda f: set(target_groups(f)) == {"tap-api", "tap-auth", "tap-admin", "tap-default"},
    ),
    ("all of them on the fleet", lambda f: len(group(f)["TargetGroupARNs"]) == 4),
    ("routed by path", lambda f: paths(f) >= {"/api/*", "/auth/*", "/admin/*"}),
    (
        "TLS with a modern policy",
        lambda f: listeners(f)[443]["Protocol"] == "HTTPS" and "TLS13" in listeners(f)[443]["SslPolicy"],
    ),
    (
        "HTTP redirected to HTTPS",
        lambda f: listeners(f)[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS",
    ),
    (
        "deregistration delay 300 s",
        lambda f: all(a["deregistration_delay.timeout_seconds"] == "300" for a in target_groups(f).values()),
    ),
    ("access logs", lambda f: balancer(f)["access_logs.s3.enabled"] == "true"),
    ("deletion protection", lambda f: balancer(f)["deletion_protection.enabled"] == "true"),
    ("invalid headers dropped", lambda f: balancer(f)["routing.http.drop_invalid_header_fields.enabled"] == "true"),
]

TABLES: list[Requirement] = [
    ("tenants, users, audit_logs", lambda f: set(tables(f)) == {"tenants", "users", "audit_logs"}),
    ("on demand", lambda f: all(t["BillingMode"] == "PAY_PER_REQUEST" for t in tables(f).values())),
    ("four indexes each", lambda f: all(len(t["GlobalSecondaryIndexes"]) == 4 for t in tables(f).values())),
    (
        "streams of new and old images",
        lambda f: all(t["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES" for t in tables(f).values()),
    ),
    (
        "point-in-time recovery",
        lambda f: all(
            r["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
            for t in tables(f).values()
            for r in t["Replicas"]
        ),
    ),
    (
        "customer key",
        lambda f: all(uses_key(r["SSESpecification"], "Tables") for t in tables(f).values() for r in t["Replicas"]),
    ),
    (
        "a multi-Region key",
        lambda f: (
            [r["Properties"]["Description"] for r in f.all("AWS::KMS::Key") if multi_region(r)]
            == ["Encrypts DynamoDB tables"]
        ),
    ),
    (
        "deletion protection",
        lambda f: all(r["DeletionProtectionEnabled"] for t in tables(f).values() for r in t["Replicas"]),
    ),
    (
        "no replicas unless asked for",
        lambda f: all([r["Region"] for r in t["Replicas"]] == ["us-east-1"] for t in tables(f).values()),
    ),
    (
        "keys that let tenants and users live in one table",
        lambda f: tables(f)["tenants"]["KeySchema"] == tables(f)["users"]["KeySchema"],
    ),
]

CACHE: list[Requirement] = [
    (
        "cache.r6g.4xlarge, 4 shards x 2 replicas",
        lambda f: (
            [redis(f)[k] for k in ("CacheNodeType", "NumNodeGroups", "ReplicasPerNodeGroup")]
            == ["cache.r6g.4xlarge", 4, 2]
        ),
    ),
    ("cluster mode", lambda f: redis(f)["CacheParameterGroupName"].endswith("cluster.on")),
    (
        "automatic failover, several zones",
        lambda f: redis(f)["AutomaticFailoverEnabled"] and redis(f)["MultiAZEnabled"],
    ),
    (
        "encrypted in transit and, by the customer key, at rest",
        lambda f: (
            redis(f)["TransitEncryptionEnabled"]
            and redis(f)["AtRestEncryptionEnabled"]
            and uses_key(redis(f)["KmsKeyId"], "Cache")
        ),
    ),
    (
        "users by IAM, the default one off",
        lambda f: (
            {
                (
                    u["Properties"]["UserName"],
                    u["Properties"]["AuthenticationMode"]["Type"],
                    u["Properties"]["AccessString"].split()[0],
                )
                for u in f.all("AWS::ElastiCache::User")
            }
            == {("tap-application", "iam", "on"), ("default", "no-password-required", "off")}
            and redis(f)["UserGroupIds"]
        ),
    ),
    ("snapshots", lambda f: redis(f)["SnapshotRetentionLimit"] == 7),
    (
        "slow and engine logs",
        lambda f: {d["LogType"] for d in redis(f)["LogDeliveryConfigurations"]} == {"slow-log", "engine-log"},
    ),
    (
        "online resharding from the first day",
        lambda f: f.only("AWS::ElastiCache::ReplicationGroup")["UpdatePolicy"] == {"UseOnlineResharding": True},
    ),
]

NETWORK: list[Requirement] = [
    (
        "public, private and isolated subnets in three zones, in each Region",
        lambda f: all(
            set(subnet_kinds(f, s)) == {"Public", "Private", "Isolated"}
            and all(len(z) == 3 for z in subnet_kinds(f, s).values())
            for s in NETWORKS
        ),
    ),
    (
        "a NAT per zone in the primary",
        lambda f: len({json.dumps(n["Properties"]["SubnetId"]) for n in f.all("AWS::EC2::NatGateway")}) == 3,
    ),
    (
        "the same, smaller, in Regions 2 and 3: one NAT, a quarter of the addresses, none shared",
        lambda f: (
            all(len(f.all("AWS::EC2::NatGateway", s)) == 1 for s in SECONDARIES)
            and all(network(f, s).num_addresses * 4 == network(f).num_addresses for s in SECONDARIES)
            and not any(network(f, a).overlaps(network(f, b)) for a, b in combinations(NETWORKS, 2))
        ),
    ),
    (
        "gateway endpoints for S3 and DynamoDB, in each Region",
        lambda f: all(
            {
                json.dumps(e["Properties"]["ServiceName"]).rsplit(".", 1)[-1].strip('"]} ')
                for e in f.all("AWS::EC2::VPCEndpoint", s)
            }
            == {"s3", "dynamodb"}
            for s in NETWORKS
        ),
    ),
    (
        "flow logs of all traffic, kept 90 days",
        lambda f: all(
            f.props("AWS::EC2::FlowLog", s)["TrafficType"] == "ALL"
            and any(
                g["Properties"]["LogGroupName"] == "/tap/network/flows" and g["Properties"]["RetentionInDays"] == 90
                for g in f.all("AWS::Logs::LogGroup", s)
            )
            for s in NETWORKS
        ),
    ),
    (
        "every rule names one port",
        lambda f: all(
            r["IpProtocol"] == "tcp" and r["FromPort"] == r["ToPort"] for r in rules(f, "Egress") + rules(f, "Ingress")
        ),
    ),
    (
        "anywhere may come in to the balancer alone, and out by HTTPS alone",
        lambda f: (
            (
                {r["FromPort"] for r in rules(f, "Ingress") if "CidrIp" in r},
                {r["FromPort"] for r in rules(f, "Egress") if "CidrIp" in r},
            )
            == ({80, 443}, {443})
        ),
    ),
]

GUARDS: list[Requirement] = [
    (
        "every role under the boundary",
        lambda f: all(
            "tap-boundary" in json.dumps(r["Properties"].get("PermissionsBoundary"))
            for _, _, r in f.every()
            if r["Type"] == "AWS::IAM::Role"
        ),
    ),
    (
        "no AWS managed policy on a role",
        lambda f: (
            not any(r["Properties"].get("ManagedPolicyArns") for _, _, r in f.every() if r["Type"] == "AWS::IAM::Role")
        ),
    ),
    (
        "roles that AWS assumes for whoever asks are held to this account",
        lambda f: all(
            "aws:SourceAccount" in json.dumps(r["Properties"]["AssumeRolePolicyDocument"])
            for _, _, r in f.every()
            if r["Type"] == "AWS::IAM::Role" and not serves_its_own_account(r)
        ),
    ),
    (
        "what may be done anywhere is named: no action by pattern on a role",
        lambda f: (
            not [
                action
                for _, _, r in f.every()
                if r["Type"] == "AWS::IAM::Policy"
                for s in r["Properties"]["PolicyDocument"]["Statement"]
                for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
                if "*" in action
            ]
        ),
    ),
    (
        "log groups with retention and key",
        lambda f: all(g.get("RetentionInDays") and g.get("KmsKeyId") for g in log_groups(f)),
    ),
    (
        "alarms on errors, latency, hosts, lag, Redis and throttles",
        lambda f: (
            alarms(f)
            >= {
                "tap-error-rate",
                "tap-p99",
                "tap-unhealthy-hosts",
                "tap-replica-lag",
                "tap-redis-memory-0001",
                "tap-redis-evictions-0004",
                "tap-throttles-audit_logs",
            }
        ),
    ),
    (
        "an alarm on the secondaries' lag, where they are",
        lambda f: all(
            f.props("AWS::CloudWatch::Alarm", s)["AlarmName"] == "tap-global-lag"
            and "AuroraGlobalDBReplicationLag" in json.dumps(f.props("AWS::CloudWatch::Alarm", s)["Metrics"])
            for s in SECONDARIES
        ),
    ),
    ("an encrypted topic", lambda f: uses_key(f.props("AWS::SNS::Topic")["KmsMasterKeyId"], "Telemetry")),
    (
        "every alarm tells the topic of its Region, when it starts and when it ends",
        lambda f: all(
            [list(a["Properties"][k][0]) for k in ("AlarmActions", "OKActions")] == [["Ref"], ["Ref"]]
            and f.only("AWS::SNS::Subscription", s)["Properties"]["Endpoint"] == "platform@example.com"
            for s in NETWORKS
            for a in f.all("AWS::CloudWatch::Alarm", s)
        ),
    ),
    ("an operations dashboard", lambda f: f.props("AWS::CloudWatch::Dashboard")["DashboardName"] == "tap-operations"),
    (
        "a canary, so that quiet nights have data",
        lambda f: f.props("AWS::Synthetics::Canary")["Schedule"]["Expression"] == "rate(1 minute)",
    ),
    (
        "its log group made here, with an end, and by nobody else",
        lambda f: (
            any("/aws/lambda/cwsyn-tap-visitor-" in json.dumps(g["LogGroupName"]) for g in log_groups(f))
            and "cwsyn" in json.dumps(f.all("AWS::IAM::Policy"))
            and not any(
                "logs:CreateLogGroup" in s["Action"] and "cwsyn" in json.dumps(s["Resource"])
                for p in f.all("AWS::IAM::Policy")
                for s in p["Properties"]["PolicyDocument"]["Statement"]
            )
        ),
    ),
    (
        "pointers to tables, cache and database",
        lambda f: (
            parameters(f)
            == {
                "/tap/tables/tenants",
                "/tap/tables/users",
                "/tap/tables/audit_logs",
                "/tap/cache/endpoint",
                "/tap/database/writer",
                "/tap/database/reader",
                "/tap/database/secret",
            }
        ),
    ),
    (
        "keys rotated and kept",
        lambda f: all(
            r["Properties"]["EnableKeyRotation"] and r["DeletionPolicy"] == "Retain"
            for _, _, r in f.every()
            if r["Type"] == "AWS::KMS::Key"
        ),
    ),
]


@pytest.mark.parametrize(
    "holds",
    [
        pytest.param(holds, id=requirement)
        for requirement, holds in (*AURORA, *COMPUTE, *BALANCER, *TABLES, *CACHE, *NETWORK, *GUARDS)
    ],
)
def test_the_foundation_is_what_the_brief_asks(foundation: Foundation, holds: Callable[[Foundation], bool]) -> None:
    assert holds(foundation)
