"""Other frameworks' ways in: TRL and Gymnasium."""
