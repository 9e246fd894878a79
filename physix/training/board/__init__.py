"""The board: policies × suites × seeds × noise, every episode in the log, every share with its interval."""
