"""HTTP: the JSON API, server-sent events, OpenEnv's routes, and the page."""
