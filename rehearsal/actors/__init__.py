"""Those who act beside the pipeline: the application, tenants, pipes."""
