"""Files are saved where folders cannot be opened, as on Windows."""

import os
from pathlib import Path

import pytest
import torch

from foretell import disk
from foretell.hub.files import read_weights, write_weights


@pytest.fixture
def windows(monkeypatch):
    """Folders that cannot be opened, and files that are synced only where they may be written."""
    opened, sync = os.open, os.fsync

    def refuse(path, *rest, **more):
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *rest, **more)

    def strict(handle):
        os.write(handle, b"")  # a handle that is open to be read alone raises here
        sync(handle)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(os, "fsync", strict)
    monkeypatch.setattr(disk, "OPENS_FOLDERS", False)


def test_weights_are_saved(windows, tmp_path):
    write_weights(tmp_path / "model.safetensors", {"a": torch.ones(3)})
    assert read_weights(tmp_path / "model.safetensors")["a"].tolist() == [1, 1, 1]


def test_a_folder_is_not_opened(windows, tmp_path):
    disk.sync_folder(tmp_path)


def test_a_folder_is_synced_where_it_can_be(monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.path.samestat(os.fstat(handle), tmp_path.stat())))
    disk.sync_folder(tmp_path)
    assert synced == [disk.OPENS_FOLDERS]
