"""The words of the optimizer as frozen values. No boto3."""
