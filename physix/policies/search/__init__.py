"""Structure search and the regressors it is compared with."""
