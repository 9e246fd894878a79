"""Server-sent events, and the policies that play here."""
