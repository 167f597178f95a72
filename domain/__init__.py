"""What all others share: sizing, environment, names, prices, errors and time. No boto3, no aws_cdk."""
