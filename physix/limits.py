"""Every maximum that more than one room needs, in one place."""
