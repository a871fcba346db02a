"""Find the environments that a classifier fails in, and train one that does not (XRM and its company)."""
