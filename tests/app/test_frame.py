"""What all pages have: rules for browsers, static files, errors in one sentence, and keys in cookies."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser
from tests.app.conftest import token

from foretell.search.serve import keys


def test_a_page_loads_everything_from_here(site, visit):
    """No address of another server, no inline script or style, and few bytes."""
    client = visit()
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert len(loaded) >= 3
    assert sum(len(client.get(path).content) for path in loaded) + len(answer.content) < 100_000
    for path in ("/", "/knowledge", f"/knowledge/{site.towns}", f"/knowledge/{site.towns}/entries/1", "/login"):
        tree = LexborHTMLParser(client.get(path).text)
        assert not tree.css("style, script:not([src])"), path
        attributes = [pair for node in tree.css("*") for pair in node.attributes.items()]
        assert not [name for name, _ in attributes if name == "style" or name.startswith("on")], path
        assert not [value for name, value in attributes if name in ("src", "href", "action") and "//" in value], path


def test_static_files_are_kept_only_under_their_version(visit):
    client = visit()
    path = re.search(r'href="(/static/app\.css\?v=\w+)"', client.get("/").text)[1]
    assert "immutable" in client.get(path).headers["cache-control"]
    assert client.get("/static/app.css?v=old").headers["cache-control"] == "no-cache"
    assert client.get("/static/../frame.py").status_code == 404
    assert client.get("/static/%2e%2e/frame.py").status_code == 404


def test_an_error_is_a_sentence_on_a_page_and_json_for_programs(visit):
    client = visit()
    page = client.get("/nothing/here")
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "there is nothing at this path." in page.text
    assert client.get("/nothing/here", headers={"Accept": "*/*"}).json()["status"] == 404
    assert client.get("/api/v1/knowledge/none").json()["status"] == 401
    assert client.get("/v1/knowledge/list").json()["success"] is False
    assert "q: string should have at most 10000 characters." in client.get("/knowledge?q=" + "a" * 10_001).text


def test_login_keeps_the_key_where_no_script_reads_it(site, visit):
    client = visit()
    answer = client.post("/login", data={"key": site.keys["reader"], "to": "/knowledge"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/knowledge")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = client.get("/knowledge").text
    assert "log out" in page
    assert "diary" in page
    out = client.post("/logout", data={"token": token(page)})
    assert "log in" in out.text
    assert not client.cookies.get("foretell_key")


@pytest.mark.parametrize("to", ["//evil.org", "https://evil.org", "/\\evil.org", "javascript:alert(1)", "evil"])
def test_login_leads_to_no_other_site(site, visit, to):
    answer = visit().post("/login", data={"key": site.keys["reader"], "to": to}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_wrong_key_is_refused_in_a_sentence(visit):
    answer = visit().post("/login", data={"key": "fk-wrong"})
    assert answer.status_code == 403
    assert "This key is not known here" in answer.text
    assert "set-cookie" not in answer.headers


def test_the_cookie_opens_pages_and_not_the_api(site, visit):
    client = visit("reader")
    assert client.get(f"/knowledge/{site.diary}").status_code == 200
    assert client.get(f"/api/v1/knowledge/{site.diary}").status_code == 401
    assert client.post("/hnsw/entry_count", json={"contract_id": site.diary}).json()["code"] == 401
    assert visit().get(f"/knowledge/{site.diary}").status_code == 401


def test_a_revoked_key_leaves_the_browser(site, visit):
    site.keys["gone"] = keys.create(site.store, "gone", "me", "read")
    client = visit("gone")
    keys.revoke(site.store, "gone")
    answer = client.get("/")
    assert answer.status_code == 401
    assert "was revoked." in answer.text
    assert 'foretell_key=""' in answer.headers["set-cookie"]


def test_forms_of_other_sites_are_refused(site, writer, visit):
    path, fields = f"/knowledge/{site.towns}/about", {"title": "Taken over"}
    mine = {**fields, "token": writer.token}
    assert writer.post(path, data=fields).status_code == 403
    assert writer.post(path, data={**fields, "token": "0" * 64}).status_code == 403
    assert writer.post(path, data=mine, headers={"Origin": "http://evil.org"}).status_code == 403
    assert writer.post(path, data=mine, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert visit().post("/login", data={"key": "x"}, headers={"Origin": "http://evil.org"}).status_code == 403
    assert visit("reader").post(path, data={**fields, "token": token(visit("reader").get("/").text)}).status_code == 403
    assert visit().post(path, data=fields).status_code == 401
    assert "Taken over" not in writer.get(f"/knowledge/{site.towns}").text
