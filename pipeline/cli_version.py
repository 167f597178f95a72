"""The CDK command line that synthesis, bootstrapping and self-mutation use."""

# npm's tag `latest` is an older release whose schema does not know this library's assemblies.
CLI_VERSION = "2.1148.1"
