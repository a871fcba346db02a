"""Several knowledges in one request."""

import base64
import io

from PIL import Image

V1 = "/api/v1"


def test_several_knowledges_are_searched_with_the_rights_of_the_key(served, tmp_path):
    for name, text in {"east": "The sun rises in the east.", "west": "The sun sets in the west."}.items():
        assert served.call("POST", f"{V1}/knowledge", {"name": name})[0] == 201
        assert served.call("POST", f"{V1}/knowledge/{name}/entries", {"entries": [{"text": text}]})[0] == 201
    asked = {"knowledges": ["east", "west"], "query": "Where does the sun set?", "top": 5}
    status, told = served.call("POST", f"{V1}/search", asked, "reader")
    assert (status, told["way"]) == (200, "cosine")
    assert told["scores"].startswith("cosines of one model")
    assert [hit["knowledge"] for hit in told["results"]] == ["west", "east"]
    assert [hit["scores"]["vector"] for hit in told["results"]] == [hit["score"] for hit in told["results"]]
    fused = served.call("POST", f"{V1}/search", asked | {"hybrid": True})[1]
    assert (fused["way"], fused["results"][0]["score"]) == ("rank", 1 / 61)
    assert served.call("POST", f"{V1}/search", asked | {"rerank": True})[1]["way"] == "rerank"
    assert served.call("POST", f"{V1}/search", asked, "stranger")[0] == 404
    assert served.call("POST", f"{V1}/search", asked, None)[0] == 401
    for wrong, sentence in (
        ({"knowledges": []}, "knowledges: list should have at least 1 item"),
        ({"limit": 3}, "limit: extra inputs are not permitted"),
        ({"image": "AAAA"}, "expected one of query"),
        ({"knowledges": ["east", "north"]}, "there is no knowledge 'north'"),
    ):
        status, told = served.call("POST", f"{V1}/search", asked | wrong)
        assert status in (400, 404)
        assert sentence in told["detail"]


def test_a_text_is_never_taken_for_a_path(served, tmp_path):
    Image.new("RGB", (40, 40), (200, 30, 30)).save(file := io.BytesIO(), "PNG")
    (tmp_path / "secret.png").write_bytes(file.getvalue())
    served.call("POST", f"{V1}/knowledge", {"name": "words"})
    served.call("POST", f"{V1}/knowledge", {"name": "pictures", "model": "iwm-mini"})
    served.call("PUT", f"{V1}/knowledge/pictures/files/a.png", file.getvalue())
    asked = {"knowledges": ["words", "pictures"], "query": str(tmp_path / "secret.png")}
    status, told = served.call("POST", f"{V1}/search", asked)
    assert (status, told["detail"][:43]) == (400, "pictures: this knowledge contains photograp")
    picture = {"knowledges": ["pictures"], "image": base64.b64encode(file.getvalue()).decode()}
    assert served.call("POST", f"{V1}/search", picture)[1]["results"][0]["metadata"] == {"source": "a.png"}
