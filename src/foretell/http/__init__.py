"""The parts of an HTTP service that do not depend on what it serves: keys, limits, threads, answers and refusals."""
