"""Jobs: embed a data set on many processes (Ray Data)."""
