"""The command line: verbs and the texts that they print."""
