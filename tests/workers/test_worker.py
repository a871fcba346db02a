"""Functions in child processes: their values, their limits, and their end."""

import os
import threading
import time

import numpy as np
import pytest

from foretell.errors import ForetellError
from foretell.stop import Stop, WorkStopped
from foretell.workers.worker import Ended, Job, Worker, Workers

HERE = "tests.workers.functions"


@pytest.fixture(scope="module")
def worker():
    with Worker(Job("the work", memory=256 << 20)) as made:
        yield made


def test_values_come_as_they_are_given(worker):
    assert list(worker.call(f"{HERE}:count", 5, to=3)) == [0, 1, 2]
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    (doubled, note), pid = worker.call(f"{HERE}:double", 5, array=array, note=b"\x00\xff")
    assert np.array_equal(doubled, array * 2)
    assert doubled.dtype == np.float32
    assert note == b"\x00\xff"
    assert pid != os.getpid()
    assert list(worker.call(f"{HERE}:chatter", 5)) == ["said"]
    assert next(iter(worker.call(f"{HERE}:double", 5, array=array, note=b"")))[0][1, 2] == 10


def test_an_error_comes_as_its_sentence_and_the_process_stays(worker):
    pid = list(worker.call(f"{HERE}:double", 5, array=np.ones(1), note=b""))[1]
    with pytest.raises(ForetellError, match=r"^the file is odd$"):
        list(worker.call(f"{HERE}:refuse", 5, why="the file is odd"))
    with pytest.raises(ForetellError, match="TypeError"):
        list(worker.call(f"{HERE}:count", 5, to="x"))
    assert list(worker.call(f"{HERE}:double", 5, array=np.ones(1), note=b""))[1] == pid


def test_a_call_that_costs_too_much_ends_its_process_alone(worker):
    with pytest.raises(Ended, match=r"^the work takes more than 0\.5 s"):
        list(worker.call(f"{HERE}:spin", 0.5, seconds=30))
    with pytest.raises(ForetellError, match=r"^the work takes more than 0\.25 GiB of memory$"):
        list(worker.call(f"{HERE}:take", 5, megabytes=1024))
    with pytest.raises(Ended, match=r"^the work crashed \(SIGABRT\)"):
        list(worker.call(f"{HERE}:crash", 5))
    assert list(worker.call(f"{HERE}:count", 5, to=2)) == [0, 1]


def test_a_call_that_nobody_waits_for_is_ended():
    stop, began, ended = Stop(), threading.Event(), []

    def work():
        with stop.during(), Worker(Job("the work")) as own:
            try:
                for value in own.call(f"{HERE}:spin", 60, seconds=60):
                    assert value == "begun"
            except WorkStopped:
                ended.append(time.monotonic())

    thread = threading.Thread(target=work)
    thread.start()
    threading.Timer(0.5, began.set).start()
    began.wait()
    start = time.monotonic()
    stop.set()
    thread.join(20)
    assert ended
    assert ended[0] - start < 10


def test_processes_are_kept_warm_and_shared():
    workers = Workers(Job("the work"))

    def pid(worker):
        return list(worker.call(f"{HERE}:double", 5, array=np.ones(1), note=b""))[1]

    with workers.one() as first:
        one = pid(first)
    with workers.one() as first, workers.one() as second:
        assert pid(first) == one != pid(second)
    workers.close()
