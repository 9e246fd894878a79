"""PhysiX-Live for frameworks whose pins conflict with OpenEnv's: they talk to a running `physix serve`."""
