"""Keys, and the rights of their holders."""

import json
import subprocess
import sys
import time

import pytest

from foretell import ForetellError
from foretell.cli import main
from foretell.search import Store
from foretell.search.serve import keys
from foretell.search.storage.sqlite.database import FILE

ROWS = [([1.0, 0.0], {"lang": "en"}), ([0.0, 1.0], {"lang": "de"}), ([-1.0, 0.0], {"lang": "en"})]
V1 = "/api/v1/knowledge"


@pytest.mark.parametrize(
    ("key", "private", "public", "write"),
    [
        (None, 401, 200, 401),
        ("fk-unknown", 401, 401, 401),
        ("stranger", 404, 200, 404),
        ("reader", 200, 200, 403),
        ("writer", 200, 200, 200),
        ("admin", 200, 200, 200),
    ],
)
def test_who_may_do_what(served, key, private, public, write):
    hidden, shown = served.make(f"hidden to {key}", ROWS), served.make(f"shown to {key}", ROWS, public=True)
    for contract, status in ((hidden, private), (shown, public)):
        vector = {"vector": [1.0, 0.0]}
        assert served.call("POST", f"{V1}/{contract}/query", vector, key)[0] == status
        assert served.call("GET", f"{V1}/{contract}", key=key)[0] == status
        assert served.call("GET", f"{V1}/{contract}/entries", key=key)[0] == status
        assert served.call("POST", "/hnsw/query", vector | {"contract_id": contract}, key)[0] == status
        assert served.call("POST", "/hnsw/fetch", {"id": [0], "contract_id": contract}, key)[0] == status
        assert served.call("GET", f"/v1/knowledge/index/get_model?contract_id={contract}", key=key)[0] == status
    if key != "fk-unknown":
        listed = [each["contract_id"] for each in served.call("GET", V1, key=key)[1]["knowledge"]]
        assert (hidden in listed, shown in listed) == (private == 200, True)
    assert served.call("PATCH", f"{V1}/{hidden}", {"title": "T"}, key)[0] == write
    # what can be read but not written says so
    assert served.call("PATCH", f"{V1}/{shown}", {"title": "T"}, key)[0] == {404: 403}.get(write, write)
    if write != 200:
        assert served.call("DELETE", f"{V1}/{hidden}", key=key)[0] == write
        assert served.call("POST", "/v1/knowledge/remove", {"contract_id": hidden}, key)[0] == write
        assert served.call("GET", f"{V1}/{hidden}")[1]["count"] == 3


def test_a_stranger_has_names_of_his_own(served):
    mine = served.make("same")
    status, his = served.call("POST", V1, {"name": "same", "model": "vectors"}, "stranger")
    assert (status, his["owner"]) == (201, "other")
    assert served.call("GET", f"{V1}/same", key="stranger")[1]["contract_id"] == his["contract_id"] != mine


def test_keys_are_made_listed_and_revoked_by_command(tmp_path, capsys, serve):
    served = serve()
    folder = str(served.store.folder)
    main(["keys", "create", "laptop", "--store", folder, "--scope", "write", "--owner", "me"])
    secret = capsys.readouterr().out.strip()
    contract = served.make("k", ROWS)
    assert served.call("GET", f"{V1}/{contract}", key=secret)[0] == 200
    bearer = {"Authorization": f"Bearer {secret}"}
    assert served.raw("GET", f"{V1}/{contract}", headers=bearer)[0] == 200
    main(["keys", "list", "--store", folder, "--json"])
    listed = {key["name"]: key for key in json.loads(capsys.readouterr().out)}
    assert (listed["laptop"]["scope"], listed["laptop"]["revoked"]) == ("write", None)
    main(["keys", "revoke", "laptop", "--store", folder])
    time.sleep(1.05)
    assert served.call("GET", f"{V1}/{contract}", key=secret)[0] == 401
    with pytest.raises(SystemExit):
        main(["keys", "create", "laptop", "--store", folder])
    with pytest.raises(SystemExit):
        main(["keys", "revoke", "none", "--store", folder])
    with served.store.read() as c:
        c.execute("PRAGMA wal_checkpoint")
    stored = b"".join(path.read_bytes() for path in served.store.folder.glob(f"{FILE}*"))
    assert secret.encode() not in stored
    assert b"laptop" in stored


def test_a_key_has_one_of_the_scopes(tmp_path):
    store = Store(tmp_path / "s")
    with pytest.raises(ForetellError, match="scope is 'all'"):
        keys.create(store, "x", scope="all")
    assert keys.find(store, "fk-\ud800") is None
    store.close()


def test_a_knowledge_of_texts_is_made_without_torch(tmp_path):
    made = """
import sys
from foretell.search.storage.protocol import Key
from foretell.search.serve.library import Library
from foretell.search.storage.sqlite.store import Store

library = Library(Store(sys.argv[1]))
library.create(Key("k", "o", "write", "", None), "texts", model="bge-small-en-v1.5")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", made, str(tmp_path)], check=True, timeout=60)
