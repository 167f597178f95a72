"""AWS CodePipeline, emulated."""
