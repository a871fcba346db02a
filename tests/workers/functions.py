"""Functions that a worker calls in the tests."""

import os
import time

import numpy as np

from foretell.errors import ForetellError


def count(to):
    yield from range(to)


def double(array, note):
    yield array * 2, note
    yield os.getpid()


def refuse(why):
    raise ForetellError(why)
    yield


def spin(seconds):
    yield "begun"
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    yield "done"


def take(megabytes):
    yield len(np.ones(megabytes << 20, np.uint8))


def crash():
    yield 1
    os.abort()


def chatter():
    print("not a message")
    yield "said"
