"""Actors beside the pipeline: the application, tenants, pipes."""
