"""diskcache's tables: what there is in a cache, what of it is made lighter, and where commits are counted."""

NUMBERS = frozenset({"count", "size", "hits", "misses"})
SETTINGS = NUMBERS | {
    "statistics",
    "tag_index",
    "eviction_policy",
    "size_limit",
    "cull_limit",
    "sqlite_auto_vacuum",
    "sqlite_cache_size",
    "sqlite_journal_mode",
    "sqlite_mmap_size",
    "sqlite_synchronous",
    "disk_min_file_size",
    "disk_pickle_protocol",
}
"""What diskcache keeps as settings. It makes an attribute of each, or a pragma, so there may be no other."""
AHEAD = "hits"
"""The setting that says how far the count of commits is ahead of the greatest rowid. A row that is inserted gets a
greater rowid than any that is there, so that only a commit which deletes or replaces rows is counted here. Until lately
the count itself was kept in it, which is less. (diskcache would count in it when it keeps statistics.)"""
NEWEST = "SELECT coalesce(max(rowid), 0) FROM Cache"
COUNT = f"SELECT value + ({NEWEST}) FROM Settings WHERE key = '{AHEAD}'"  # noqa: S608 - of nothing but what stands here
"""Asks how many commits a file has seen, or more: a number that each of them raises."""
COLUMNS = (
    "rowid",
    "key",
    "raw",
    "store_time",
    "expire_time",
    "access_time",
    "access_count",
    "tag",
    "size",
    "mode",
    "filename",
    "value",
)
OBJECTS = frozenset(
    {
        ("table", "Settings"),
        ("table", "Cache"),
        ("index", "Cache_key_raw"),
        ("index", "Cache_expire_time"),
        ("trigger", "Settings_count_insert"),
        ("trigger", "Settings_count_delete"),
        ("trigger", "Settings_size_insert"),
        ("trigger", "Settings_size_update"),
        ("trigger", "Settings_size_delete"),
    }
)
LIGHTER = (
    (
        "INDEX",
        "Cache_expire_time",  # diskcache's has a line for every row, and a page in every commit, if none expires
        "CREATE INDEX Cache_expire_time ON Cache (expire_time) WHERE expire_time IS NOT NULL",
    ),
    (
        "TRIGGER",
        "Settings_size_insert",  # diskcache's adds the size of the row's file, which is 0, to the sum of them
        "CREATE TRIGGER Settings_size_insert AFTER INSERT ON Cache FOR EACH ROW WHEN NEW.size <> 0 BEGIN"
        " UPDATE Settings SET value = value + NEW.size WHERE key = 'size'; END",
    ),
    (
        "TRIGGER",
        "Settings_count_insert",  # diskcache's counts all rows, which costs every commit a page
        "CREATE TRIGGER Settings_count_insert AFTER INSERT ON Cache FOR EACH ROW WHEN NEW.raw <> 1 BEGIN"
        " UPDATE Settings SET value = value + 1 WHERE key = 'count'; END",
    ),
    (
        "TRIGGER",
        "Settings_count_delete",
        "CREATE TRIGGER Settings_count_delete AFTER DELETE ON Cache FOR EACH ROW WHEN OLD.raw <> 1 BEGIN"
        " UPDATE Settings SET value = value - 1 WHERE key = 'count'; END",
    ),
)
"""Made anew in a file that diskcache has made. Its own `len` is then of the rows that are not ours, of which there are
none: ask `Table.counted`."""
