"""Storage that outlives a cluster: artifacts, and a copy of the journal, under one URL."""

from raytuner.storage.backup import JournalBackup, copy_tables
from raytuner.storage.check import check_storage
from raytuner.storage.exchange import StorageExchange
from raytuner.storage.place import StorageError
from raytuner.storage.session import backed_up, restore

__all__ = [
    "JournalBackup",
    "StorageError",
    "StorageExchange",
    "backed_up",
    "check_storage",
    "copy_tables",
    "restore",
]
