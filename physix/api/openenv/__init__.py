"""OpenEnv: environment, client, wire messages and graders."""
