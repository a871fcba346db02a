"""The parts of an HTTP service that do not depend on its contents: keys, limits, threads, answers and refusals."""
