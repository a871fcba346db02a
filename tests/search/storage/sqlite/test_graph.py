"""The nearest entries are found after every write, change, deletion and damage."""

import logging
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.search import Knowledge, Store
from foretell.search.storage.hnsw import ef
from foretell.search.storage.sqlite import graph as index
from foretell.search.storage.sqlite.flat import Exact


def test_levels_are_drias():
    assert [ef(level) for level in range(5)] == [20, 50, 80, 110, 140]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True)),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 2**32 - 1),
)
def test_exact_holds_what_was_last_put_and_not_dropped(steps, seed):
    rng = np.random.default_rng(seed)
    exact, truth = Exact(8), {}
    for put, ids in steps:
        if put:
            vectors = rng.standard_normal((len(ids), 8)).astype(np.float32)
            exact.put(np.array(ids), vectors)
            truth |= dict(zip(ids, vectors, strict=True))
        else:
            exact.drop(np.array(ids))
            truth = {id: v for id, v in truth.items() if id not in ids}
    query = rng.standard_normal(8).astype(np.float32)
    assert len(exact) == len(truth)
    assert sorted(exact.search(query, 100).tolist()) == sorted(truth)
    odd = np.array([id for id in range(31) if id % 2])
    assert sorted(exact.search(query, 100, odd).tolist()) == sorted(id for id in truth if id % 2)


@pytest.mark.parametrize("alike", [0.0, 30.0])
def test_exact_proposes_the_nearest_even_where_all_are_alike(alike, nearest):
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((3000, 64)) + alike * rng.standard_normal(64)).astype(np.float32)
    exact = Exact(64)
    exact.put(np.arange(3000), x)
    for query in x[:20] + 0.3 * rng.standard_normal((20, 64)).astype(np.float32):
        assert set(nearest(x, range(3000), query, 10)) <= set(exact.search(query, 10).tolist())


def test_exact_gives_room_back():
    exact = Exact(4)
    for turn in range(30):
        exact.put(np.arange(500), np.random.default_rng(turn).standard_normal((500, 4)).astype(np.float32))
    exact.drop(np.arange(10, 500))
    assert len(exact._state.ids) <= 2000
    assert sorted(exact.search(np.ones(4, np.float32), 50).tolist()) == list(range(10))


@pytest.fixture
def small(monkeypatch):
    """Graphs from 300 entries on."""
    monkeypatch.setattr(index, "EXACT", 300)


def graphs(store):
    return sorted((store / "index").glob("*.usearch"))


def settle(knowledge):
    if knowledge.collection._builder:
        knowledge.collection._builder.join()


def grow(knowledge, x, step=100):
    """Insert some at a time, and let graphs be built between."""
    for start in range(0, len(x), step):
        knowledge.insert_vectors(x[start : start + step])
        settle(knowledge)


def recall(knowledge, x, ids, nearest, level=4, seed=1, n=20):
    queries = x[np.random.default_rng(seed).integers(0, len(x), n)] + 0.1
    found = [{hit.id for hit in knowledge.query(q, 10, level=level)} for q in queries]
    true = [set(nearest(x, ids, q, 10)) for q in queries]
    return float(np.mean([len(a & b) / 10 for a, b in zip(found, true, strict=True)]))


@pytest.mark.usefixtures("small")
def test_a_graph_is_built_behind_and_followed_by_its_successors(store, made, cloud, nearest):
    x = cloud(2000)
    assert made.insert_vectors(x[:250]) == list(range(250))
    settle(made)
    assert not graphs(store)
    for start in range(250, 2000, 250):
        made.insert_vectors(x[start : start + 250])
        settle(made)
        assert recall(made, x[: start + 250], range(start + 250), nearest) > 0.99
    assert len(graphs(store)) == 1
    (graph,), exact = made.collection.index._parts
    assert len(graph) + len(exact) == 2000
    assert len(graph) > 1500


@pytest.mark.usefixtures("small")
def test_a_graph_is_built_once_for_what_is_there(store, made, cloud):
    x = cloud(400)
    made.insert_vectors(x[:200])
    made.query(x[0])  # now it knows that there is no graph
    made.insert_vectors(x[200:])
    settle(made)
    (path,) = graphs(store)
    assert not made.build()
    made.insert_vectors(x[:10])
    settle(made)
    assert graphs(store) == [path]


@pytest.mark.usefixtures("small")
def test_changes_and_deletions_after_the_graph_hold(store, made, cloud, nearest):
    x = cloud(1000)
    made.insert_vectors(x)
    settle(made)
    made.query(x[0])
    gone = range(0, 1000, 3)
    assert made.delete(gone) == len(gone)
    assert made.delete([0, 5000]) == 0
    moved = cloud(50, seed=5)
    for id, vector in zip(range(1, 150, 3), moved, strict=True):
        made.update(id, vector=vector.tolist())
        x[id] = vector
    left = np.array([id for id in range(1000) if id % 3])
    assert recall(made, x[left], left, nearest) >= 0.97
    with Knowledge.open(store, "made") as other:  # reads graph and changes from the disk
        assert recall(other, x[left], left, nearest) >= 0.97
    made.insert_vectors(cloud(400, seed=6))
    settle(made)
    x = np.concatenate([x, cloud(400, seed=6)])
    left = np.concatenate([left, np.arange(1000, 1400)])
    assert recall(made, x[left], left, nearest) >= 0.97


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("tear", ["cut", "changed", "gone"])
def test_a_torn_graph_is_noticed_done_without_and_built_again(tear, store, made, cloud, nearest, caplog):
    x = cloud(800)
    made.insert_vectors(x)
    settle(made)
    (path,) = graphs(store)
    whole = path.read_bytes()
    made.close()
    if tear == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif tear == "changed":
        path.write_bytes(whole[:1000] + bytes(2000) + whole[3000:])
    else:
        path.unlink()
    with Knowledge.open(store, "made") as again, caplog.at_level(logging.WARNING):
        assert recall(again, x, range(800), nearest) == 1.0
        assert ("is not built yet" if tear == "gone" else "is damaged") in caplog.text
        assert again.build()
        assert recall(again, x, range(800), nearest) > 0.99
        assert [len(graph) for graph in again.collection.index._parts[0]] == [800]
    assert len(graphs(store)) == 1
    assert graphs(store)[0] != path


@pytest.mark.usefixtures("small")
def test_filters_find_all_there_is_whatever_they_leave(made, cloud, nearest, monkeypatch):
    x = cloud(1500)
    made.insert_vectors(x, [{"n": i} for i in range(1500)])
    settle(made)
    made.insert_vectors(cloud(100, seed=3), [{"n": i} for i in range(1500, 1600)])
    x = np.concatenate([x, cloud(100, seed=3)])
    for subset in (20_000, 0):  # compared one by one, or found in the graph
        monkeypatch.setattr(index, "SUBSET", subset)
        for low, high in ((0, 1600), (1400, 1600), (700, 712)):
            want = nearest(x[low:high], range(low, high), x[705], 10)
            found = [h.id for h in made.query(x[705], 10, level=4, filter={"n": {">=": low, "<": high}})]
            assert len(set(found) & set(want)) >= 9


def test_an_index_hears_of_what_other_processes_write(store, made, cloud):
    x = cloud(30)
    made.insert_vectors(x[:10])
    assert len(made.query(x[0], 50)) == 10
    with Knowledge.open(Store(store), "made") as other:  # its own connections: as another process
        other.insert_vectors(x[10:])
        other.delete([3])
        assert {h.id for h in made.query(x[0], 50)} == set(range(30)) - {3}
        other.store.close()


def test_an_index_that_missed_deletions_reads_anew(store, made, cloud, monkeypatch):
    from foretell.search.storage.sqlite import records

    monkeypatch.setattr(records, "REMEMBERED", 5)
    x = cloud(40)
    made.insert_vectors(x)
    made.query(x[0])
    with Knowledge.open(store, "made") as other:
        other.delete(range(20))
        with other.store.read() as c:
            assert c.execute(f"SELECT count(*) FROM deleted_{other.collection.number}").fetchone() == (0,)
    assert {h.id for h in made.query(x[0], 50)} == set(range(20, 40))
    assert len(made.collection.index._parts[1]) == 20


@pytest.mark.usefixtures("small")
def test_many_threads_search_while_one_writes(made, cloud):
    x = cloud(900)
    made.insert_vectors(x[:100])
    wrong, stop = [], threading.Event()

    def look(seed):
        rng = np.random.default_rng(seed)
        while not stop.is_set():
            id = int(rng.integers(0, 100))
            try:
                if made.query(x[id], 1)[0].id != id:
                    wrong.append(id)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for start in range(100, 900, 50):
        made.insert_vectors(x[start : start + 50])
    settle(made)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert made.about.count == 900


def sizes(knowledge):
    """Entries of its graphs, in the order in which they were written, and of those that are scanned."""
    knowledge.query(np.ones(16, np.float32))
    graphs, exact = knowledge.collection.index._parts
    return [len(graph) for graph in graphs], len(exact)


@pytest.mark.usefixtures("small")
def test_a_large_graph_is_left_alone_and_another_begun(store, made, cloud, nearest, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 800)
    x = cloud(2600)
    grow(made, x[:1600])
    large = graphs(store)
    assert sizes(made) == ([800, 800], 0)
    grow(made, x[1600:])
    assert sizes(made) == ([800, 800, 800], 200)
    assert set(large) < set(graphs(store))
    assert recall(made, x, range(2600), nearest) > 0.99
    assert recall(made, x, range(2600), nearest, level=0) > 0.95
    with Knowledge.open(store, "made") as other:
        assert sizes(other) == ([800, 800, 800], 200)
        found = [hit.id for hit in other.query(x[0], 2600)]
        assert sorted(found) == list(range(2600))


@pytest.mark.usefixtures("small")
def test_what_is_left_of_worn_graphs_is_joined(store, made, cloud, nearest, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 800)
    x = cloud(2800)
    grow(made, x[:2400])
    assert sizes(made) == ([800, 800, 800], 0)
    made.delete([*range(100, 800), *range(900, 1600)])  # a hundred are left of the first and of the second
    made.insert_vectors(x[2400:])
    settle(made)
    left = np.array([*range(100), *range(800, 900), *range(1600, 2800)])
    assert sizes(made) == ([200, 800, 400], 0)
    assert recall(made, x[left], left, nearest) > 0.99
    made.delete(left[200:].tolist())
    made.insert_vectors(x[:301])
    settle(made)
    assert sizes(made) == ([501], 0)
    assert len(graphs(store)) == 1


@pytest.mark.usefixtures("small")
def test_one_torn_graph_of_several_is_scanned_and_built_again(store, made, cloud, nearest, monkeypatch):
    monkeypatch.setattr(index, "LARGE", 400)
    x = cloud(1200)
    grow(made, x, 200)
    assert sizes(made) == ([400, 400, 400], 0)
    with made.store.read() as c:
        names = [file.name for file in made.collection.index._listed(c)]
    made.close()
    torn = store / "index" / names[1]
    torn.write_bytes(torn.read_bytes()[:-1] + b"?")
    with Knowledge.open(store, "made") as again:
        assert sizes(again) == ([400, 400], 400)
        assert recall(again, x, range(1200), nearest) > 0.99
        again.delete([450])  # it is then built behind
        again.build()
        assert sizes(again) == ([400, 399, 400], 0)
        assert not again.build()
        assert {path.name for path in graphs(store)} > {names[0], names[2]}


@pytest.mark.usefixtures("small")
def test_copies_of_one_vector_are_one_node_and_all_are_found(store, made, cloud, nearest):
    x = cloud(1200)
    x[:500] = x[0]  # five hundred copies, which would surround every search near them
    x = x[np.random.default_rng(0).permutation(1200)]
    copies = np.flatnonzero((x == x[[np.argmax((x[:, None] == x[None, :50]).all(2).sum(0))]]).all(1))
    made.insert_vectors(x, [{"even": i % 2 == 0} for i in range(1200)])
    settle(made)
    ((graph,), _) = sizes(made)
    assert graph == 1200
    (file,) = made.collection.index._parts[0]
    assert len(file._hnsw) == 1200 - len(copies) + 1
    others = np.delete(x, copies, 0)
    assert recall(made, others, np.delete(np.arange(1200), copies), nearest) > 0.98
    near = x[copies[0]] + 0.01
    assert {hit.id for hit in made.query(near, len(copies), level=4)} == set(copies.tolist())
    half = {hit.id for hit in made.query(near, 100, level=4, filter={"even": True})}
    assert half <= {id for id in copies.tolist() if id % 2 == 0}
    made.delete(copies[:300].tolist())  # also the one that is the node
    assert {hit.id for hit in made.query(near, 50, level=4)} <= set(copies[300:].tolist())
    made.update(int(copies[400]), vector=others[0].tolist())
    made.insert_vectors(cloud(350, seed=8))
    settle(made)
    with Knowledge.open(store, "made") as other:
        left = set(copies[300:].tolist()) - {int(copies[400])}
        assert {hit.id for hit in other.query(near, len(left), level=4)} == left


@pytest.mark.usefixtures("small")
def test_a_worn_graph_is_scanned_at_once_and_built_again(store, made, cloud, nearest, monkeypatch):
    monkeypatch.setattr(type(made.collection), "build_behind", lambda self: None)
    x = cloud(1500)
    made.insert_vectors(x)
    assert made.build()
    assert sizes(made) == ([1500], 0)
    left = np.arange(0, 1500, 3)
    made.delete([id for id in range(1500) if id % 3])
    assert recall(made, x[left], left, nearest, level=0) == 1.0
    assert "too many entries of the graph were deleted" in made.collection.state()
    assert made.build()
    assert sizes(made) == ([500], 0)
    made.delete(left[200:].tolist())  # few are left: they need no graph
    assert recall(made, x[left[:200]], left[:200], nearest, level=0) == 1.0
    assert made.build()
    assert not graphs(store)
    assert not made.build()
    assert made.collection.state() == "no graph: every entry is scanned"


@pytest.mark.usefixtures("small")
def test_an_exact_search_compares_all_also_after_changes(store, made, nearest):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 128)).astype(np.float32)  # a graph finds few of the nearest of such vectors
    made.insert_vectors(x)
    settle(made)
    ids = np.arange(2000)
    asked = rng.standard_normal((20, 128)).astype(np.float32)

    def exact(knowledge, x, ids):
        return all([h.id for h in knowledge.query(q, 10, level="exact")] == nearest(x, ids, q, 10) for q in asked)

    assert exact(made, x, ids)
    made.delete(range(0, 2000, 7))
    made.update(1, vector=asked[0].tolist())
    x[1] = asked[0]
    left = ids[ids % 7 > 0]
    assert exact(made, x[left], left)
    with Knowledge.open(store, "made") as other:
        assert exact(other, x[left], left)
        made.delete([1])
        assert exact(other, x[left[1:]], left[1:])


@pytest.mark.usefixtures("small")
def test_a_graph_that_finds_too_few_is_not_used(made, cloud, monkeypatch):
    x = cloud(600)
    made.insert_vectors(x)
    settle(made)
    made.query(x[0])
    (graph,), _ = made.collection.index._parts
    assert len(graph.measured.recall) == 5
    assert min(graph.measured.recall) > 0.8
    assert "recall@10" in made.collection.state()
    monkeypatch.setattr(graph, "measured", graph.measured._replace(recall=[0.1] * 5))
    monkeypatch.setattr(type(graph), "search", lambda *_: pytest.fail("it was used"))
    assert made.query(x[5], 1)[0].id == 5
    assert "a scan serves levels 0 1 2 3 4" in made.collection.state()


def test_a_filter_of_many_entries_is_no_loop(cloud):
    exact = Exact(16)
    exact.put(np.arange(1000), cloud(1000))
    exact.drop(np.arange(500, 1000))
    assert exact.holds(np.array([0, 499, 500, 2000])).tolist() == [True, True, False, False]
