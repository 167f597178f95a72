"""A walk through the synthesized pipeline: definition, engine, builds, conditions, deployments."""
