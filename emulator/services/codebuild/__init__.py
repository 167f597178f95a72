"""AWS CodeBuild, emulated."""
