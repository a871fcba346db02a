"""Entries over HTTP."""

ROWS = [([1.0, 0.0], {"lang": "en"}), ([0.0, 1.0], {"lang": "de"}), ([-1.0, 0.0], {"lang": "en"})]
V1 = "/api/v1/knowledge"


def test_entries_are_added_found_changed_and_deleted(served):
    served.make("entries")
    new = [{"text": f"entry {i}", "vector": v, "metadata": m} for i, (v, m) in enumerate(ROWS)]
    assert served.call("POST", f"{V1}/entries/entries", {"entries": new}) == (201, {"ids": [0, 1, 2]})
    status, found = served.call("POST", f"{V1}/entries/query", {"vector": [1, 0.1], "filter": {"lang": "en"}})
    assert status == 200
    assert [hit["id"] for hit in found["results"]] == [0, 2]
    fields = ["id", "key", "score", "text", "page", "time", "metadata", "scores", "thumbnail"]
    assert list(found["results"][0]) == fields
    page = served.call("GET", f"{V1}/entries/entries?limit=2")[1]
    assert ([each["id"] for each in page["entries"]], page["next"]) == ([0, 1], 2)
    last = served.call("GET", f"{V1}/entries/entries?start=2&vectors=true")[1]
    assert (last["next"], last["entries"][0]["vector"]) == (None, [-1.0, 0.0])
    status, changed = served.call("PATCH", f"{V1}/entries/entries/1", {"vector": [1.0, 1.0], "metadata": {}})
    assert (changed["vector"], changed["metadata"], changed["text"]) == ([1.0, 1.0], {}, "entry 1")
    assert served.call("DELETE", f"{V1}/entries/entries/1")[0] == 204
    assert served.call("DELETE", f"{V1}/entries/entries/1")[0] == 404
    assert served.call("GET", f"{V1}/entries/entries/1")[0] == 404
    assert served.call("GET", f"{V1}/entries")[1]["count"] == 2
