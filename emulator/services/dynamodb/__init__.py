"""Amazon DynamoDB and DynamoDB Streams, emulated."""
