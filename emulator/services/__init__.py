"""One package per AWS service: its operations, its state and the resource types that CloudFormation makes."""
