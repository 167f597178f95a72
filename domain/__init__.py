"""Types that all other packages share: sizing, environment, names, prices, errors, time. No boto3, no aws_cdk."""
