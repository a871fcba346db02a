"""Knowledges over HTTP."""

import pytest

V1 = "/api/v1/knowledge"


def test_a_knowledge_is_made_changed_and_removed(served):
    status, made = served.call("POST", V1, {"name": "one", "model": "vectors", "title": "One"})
    assert status == 201
    assert (made["owner"], made["public"], made["count"]) == ("me", False, 0)
    assert served.call("POST", V1, {"name": "one"})[0] == 409
    assert served.call("GET", f"{V1}/one")[1] == made
    assert served.call("GET", f"{V1}/{made['contract_id']}")[1] == made
    served.make("taken")
    assert served.call("PATCH", f"{V1}/one", {"name": "taken"})[0] == 409
    status, changed = served.call("PATCH", f"{V1}/one", {"description": "text", "public": True})
    assert (changed["description"], changed["public"], changed["title"]) == ("text", True, "One")
    assert made["contract_id"] in [each["contract_id"] for each in served.call("GET", V1, key=None)[1]["knowledge"]]
    assert served.call("DELETE", f"{V1}/one") == (204, None)
    assert served.call("GET", f"{V1}/one")[0] == 404


@pytest.mark.parametrize("name", [".", "..", "two\nlines", "nul\0"])
def test_a_name_that_would_be_lost_is_refused(served, name):
    assert served.call("POST", V1, {"name": name})[0] == 400
