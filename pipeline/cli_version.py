"""The CDK command line that synthesis, bootstrapping and self-mutation use."""

# npm's tag `latest` is an older release, which cannot read this library's assemblies.
CLI_VERSION = "2.1148.1"
