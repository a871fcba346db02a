"""The parts of an HTTP service that know nothing of search: keys and limits of requests, threads, answers and refusals."""
