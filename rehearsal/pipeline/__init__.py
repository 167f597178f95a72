"""The synthesized pipeline, walked: definition, engine, builds, conditions, deployments."""
