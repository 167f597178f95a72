"""Behavior of AWS that our rules rest on, tested by small scripts: the same against AWS and the emulated account.

Each makes its resources under its own name, tagged `tap:parity`, tests, and removes them in every case.
An answer is a short word or number, so that two accounts can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.parity.asking import Script
from benchmarks.parity.cache import ask_cache
from benchmarks.parity.changes import ask_changes
from benchmarks.parity.database import ask_database
from benchmarks.parity.gate import ask_gate
from benchmarks.parity.metrics import ask_dimensions
from benchmarks.parity.refresh import OTHER, ask_refresh
from benchmarks.parity.tables import ask_index, ask_policy, ask_stream

REFERENCE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
SCRIPTS: Mapping[str, Script] = {
    "policy": Script(
        "A table's resource policy: spread, order and revisions",
        f"{REFERENCE}/API_PutResourcePolicy.html",
        ("dynamodb:PutResourcePolicy", "dynamodb:DeleteResourcePolicy"),
        "less than a cent",
        {
            "a second change at once": "ResourceInUseException",
            "denies within a minute": True,
            "a revision that is not in force": "PolicyNotFoundException",
            "the same text keeps its revision": True,
            "is lifted within a minute": True,
        },
        ask_policy,
    ),
    "index": Script(
        "Deleting indexes",
        f"{REFERENCE}/API_UpdateTable.html",
        ("dynamodb:UpdateTable",),
        "less than a cent",
        {
            "two in one call": "LimitExceededException",
            "one": "accepted",
            "its status then": "DELETING",
            "another one meanwhile": "ResourceInUseException",
            "is gone in the end": True,
            "its attribute's definition goes along": True,
            "one that is not there": "ResourceNotFoundException",
            "a new one without its attribute's definition": "ValidationException",
        },
        ask_index,
    ),
    "stream": Script(
        "A stream switched off and on",
        f"{REFERENCE}/API_StreamSpecification.html",
        ("dynamodb:UpdateTable",),
        "less than a cent",
        {
            "off where it is off": "ValidationException",
            "on where it is on": "ValidationException",
            "the ARN of the one before is shown while it is off": True,
            "has a new ARN": True,
        },
        ask_stream,
    ),
    "dimensions": Script(
        "A metric is found under its exact set of dimensions alone",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html",
        ("cloudwatch:GetMetricData",),
        "less than a cent: one custom metric for an hour",
        {
            "under its whole set": True,
            "in another order": True,
            "under one of its dimensions": False,
            "under none": False,
        },
        ask_dimensions,
    ),
    "refresh": Script(
        "A refresh of two small instances, in the default VPC",
        "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_StartInstanceRefresh.html",
        ("autoscaling:StartInstanceRefresh", "autoscaling:DescribeInstanceRefreshes"),
        "about a cent: up to four t3 instances for some minutes",
        {
            "two small instances before": True,
            "a refresh to the template's latest version": "accepted",
            "another one meanwhile": "InstanceRefreshInProgress",
            "ends": "Successful",
            "the type of all afterwards": OTHER,
            "rolling back what has ended": "ActiveInstanceRefreshNotFound",
        },
        ask_refresh,
    ),
    "changes": Script(
        "Drift-aware change sets",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html",
        ("cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet"),
        "less than a cent: an empty table and a parameter",
        {
            "a stack is created": True,
            "an unchanged stack": "none: unchanged",
            "an unchanged stack with a value of another stack": "Modify",
            "a plain change set after a direct change": "none: unchanged",
            "a drift-aware one after a direct change": "Modify",
            "the value before comes from": "ACTUAL_STATE",
            "executing it brings the template's value back": True,
            "a template that follows the direct change": "SyncWithActual",
            "a second stack of the same name": "AlreadyExistsException",
        },
        ask_changes,
    ),
    "gate": Script(
        "A manual approval: its token, and who answered it",
        "https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionExecution.html",
        ("codepipeline:GetPipelineState", "codepipeline:PutApprovalResult", "codepipeline:ListActionExecutions"),
        "less than a cent: a pipeline of type V2 for some minutes",
        {
            "a waiting gate has a token": True,
            "a waiting gate names nobody": True,
            "an answer with another token": "InvalidApprovalTokenException",
            "an answer with its token": "accepted",
            "the same answer again is refused": True,
            "an answered gate has a token": False,
            "an answered gate names its caller's ARN": True,
            "the list of actions names the same": True,
            "a rejected gate is": "Failed",
            "a retry asks with a new token": True,
        },
        ask_gate,
    ),
    "redis": Script(
        "Changes of a small Redis in cluster mode",
        "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-cluster-vertical-scaling.html",
        ("elasticache:ModifyReplicationGroup", "elasticache:DecreaseReplicaCount", "elasticache:ListTagsForResource"),
        "about 20 cents and up to two hours: four nodes of a t4g type",
        {
            "shards, nodes and types before": "2, 4, cache.t4g.micro",
            "fewer replicas, but later": "InvalidParameterValue",
            "another node type": "accepted",
            "a change meanwhile": "InvalidReplicationGroupState",
            "its tags meanwhile": "InvalidReplicationGroupState",
            "one shard less": "accepted",
            "shards, nodes and types afterwards": "1, 2, cache.t4g.small",
        },
        ask_cache,
        on_request=True,
    ),
    "aurora": Script(
        "Changes of a small Aurora cluster",
        "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Modifying.html",
        ("rds:ModifyDBInstance", "rds:FailoverDBCluster", "rds:ModifyDBCluster", "rds:DeleteDBCluster"),
        "about 40 cents and up to two hours: two instances of a t4g class",
        {
            "deleting a cluster with instances": "InvalidDBClusterStateFault",
            "another class of the reader": "accepted",
            "a change meanwhile": "InvalidDBInstanceState",
            "the classes afterwards": "db.t4g.medium, db.t4g.large",
            "a failover to the reader within 5 minutes": True,
            "another retention": "accepted",
            "is in force": True,
        },
        ask_database,
        on_request=True,
    ),
}
