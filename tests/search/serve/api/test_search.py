"""Searches over HTTP."""

import base64
import io

from PIL import Image

from foretell.http.work import Pool
from foretell.search import Knowledge

ROWS = [([1.0, 0.0], {"lang": "en"}), ([0.0, 1.0], {"lang": "de"}), ([-1.0, 0.0], {"lang": "en"})]
V1 = "/api/v1/knowledge"


def test_photographs_are_asked_with_photographs_and_never_with_paths(served, tmp_path):
    served.call("POST", V1, {"name": "photos", "model": "iwm-mini"})
    for i, colour in enumerate(((200, 30, 30), (30, 30, 200))):
        Image.new("RGB", (40, 40), colour).save(file := io.BytesIO(), "PNG")
        assert served.call("PUT", f"{V1}/photos/files/{i}.png", file.getvalue())[0] == 200
    image = base64.b64encode(file.getvalue()).decode()
    hits = served.call("POST", f"{V1}/photos/search", {"image": image})[1]["results"]
    assert hits[0]["metadata"] == {"source": "1.png"}
    assert served.call("POST", f"{V1}/photos/search", {"image": image, "imagine": {"brightness": 0.5}})[0] == 200
    (tmp_path / "secret.png").write_bytes(file.getvalue())
    for body in ({"query": str(tmp_path / "secret.png")}, {"image": "?"}, {"image": "AAAA"}, {}):
        status, refused = served.call("POST", f"{V1}/photos/search", body)
        assert status == 400
        assert str(tmp_path) not in refused["detail"]
    contract = served.call("GET", f"{V1}/photos")[1]["contract_id"]
    asked = {"query": str(tmp_path / "secret.png"), "contract_id": contract}
    assert served.call("POST", "/hnsw/search", asked)[0] == 400


def test_an_exact_search_is_asked_for_by_its_name(served):
    contract = served.make("exact", ROWS)
    asked = {"vector": [1.0, 0.1], "exact": True}
    assert [hit["id"] for hit in served.call("POST", f"{V1}/{contract}/query", asked)[1]["results"]] == [0, 1, 2]
    assert served.call("POST", f"{V1}/{contract}/query", asked | {"exact": 1})[0] == 400


def test_a_small_knowledge_that_is_known_is_searched_without_a_thread(serve, monkeypatch):
    threads = []
    run = Pool.run

    async def counted(pool, call, caller=""):
        threads.append(call)
        return await run(pool, call, caller)

    monkeypatch.setattr(Pool, "run", counted)
    served = serve()
    contract = served.make("small", ROWS, public=True)

    def ask(path=f"{V1}/{contract}/query", key=None, **more):
        threads.clear()
        status, answer = served.call("POST", path, {"vector": [1.0, 0.1], **more}, key)
        assert status == 200
        return [hit["id"] for hit in answer.get("results", answer.get("data"))], len(threads)

    assert ask() == ([0, 1, 2], 1)  # it has to be read
    assert ask() == ([0, 1, 2], 0)
    assert ask(filter={"lang": "en"}) == ([0, 2], 1)  # who knows how long this takes
    assert ask("/hnsw/query", contract_id=contract) == ([0, 1, 2], 0)
    with Knowledge.open(served.store, contract) as same:
        same.delete([0])
    assert ask() == ([1, 2], 1)
    assert ask() == ([1, 2], 0)
    served.store.remove(contract)
    threads.clear()
    assert served.call("POST", f"{V1}/{contract}/query", {"vector": [1.0, 0.1]}, None)[0] == 401
