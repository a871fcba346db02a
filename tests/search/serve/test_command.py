"""`foretell serve`."""

import http.client
import os
import signal
import subprocess
import sys

import pytest

from foretell.cli import main
from foretell.search import Knowledge
from foretell.search.models.load import load_reranker

V1 = "/api/v1/knowledge"


def test_the_service_chooses_what_reranks(serve, colbert, tmp_path, capsys):
    folder = str(colbert(dim=4)[0])
    served = serve(reranker=folder)
    with Knowledge.create(served.store, "peaks", owner="me") as made:
        made.insert(["The soup is boiled in water.", "Its peak is ice."])
        contract = made.about.contract_id
    asked = {"query": "how high is mount everest", "rerank": True}
    hits = served.call("POST", f"{V1}/peaks/search", asked)[1]["results"]
    scores = load_reranker(folder).score(asked["query"], [hit["text"] for hit in hits]).tolist()
    assert [hit["scores"]["rerank"] for hit in hits] == scores
    assert hits[0]["text"] == "Its peak is ice."
    assert (
        "rerank" not in served.call("POST", f"{V1}/peaks/search", asked | {"rerank": False})[1]["results"][0]["scores"]
    )
    found = served.call("POST", "/hnsw/search", {"query": asked["query"], "contract_id": contract})[1]["data"]
    assert [hit["score"] for hit in found] == scores
    with pytest.raises(SystemExit):
        main(["serve", "--data", str(tmp_path / "d"), "--reranker", "none"])
    assert "no reranker 'none'" in capsys.readouterr().err


def test_the_command_serves_and_stops_when_told(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "foretell", "serve", "--data", str(tmp_path / "d"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/health")
        assert connection.getresponse().read().startswith(b'{"status":"ok"')
        connection.close()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "there is no key yet" in said
    assert "Traceback" not in said


def test_an_address_that_is_taken_is_said(served, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--data", str(tmp_path / "d"), "--port", str(served.port)])
    assert f"cannot serve at 127.0.0.1:{served.port} (Address already in use); choose" in capsys.readouterr().err
