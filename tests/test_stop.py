"""Work that nobody waits for stops."""

import threading

import pytest

from foretell.stop import Stop, WorkStopped, check, ending


def test_nothing_stops_where_nobody_can_leave():
    check()
    with ending(lambda: pytest.fail("it was ended")):
        check()


def test_what_is_registered_is_ended_and_nothing_after_it():
    stop, ended = Stop(), []
    with stop.during():
        check()
        with ending(lambda: ended.append("inside")):
            stop.set()
        with pytest.raises(WorkStopped):
            check()
        with pytest.raises(WorkStopped), ending(lambda: ended.append("late")):
            pytest.fail("it was entered")
    assert ended == ["inside"]
    check()


def test_a_stop_belongs_to_its_thread():
    stop, seen = Stop(), []
    with stop.during():
        stop.set()
        other = threading.Thread(target=lambda: seen.append(check()))
        other.start()
        other.join()
    assert seen == [None]
