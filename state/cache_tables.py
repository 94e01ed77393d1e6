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
_STAND_INS = ("size_insert", "size_update", "size_delete", "count_insert", "count_delete")
LIGHTER = (
    (
        "INDEX",
        "Cache_expire_time",  # diskcache's has a line for every row, and a page in every commit, if none expires
        "CREATE INDEX Cache_expire_time ON Cache (expire_time) WHERE expire_time IS NOT NULL",
    ),
    *(
        (
            "TRIGGER",
            f"Settings_{name}",
            f"CREATE TRIGGER Settings_{name} AFTER INSERT ON Settings WHEN 0 BEGIN SELECT 0; END",
        )
        for name in _STAND_INS
    ),
)
"""Made anew in a file that diskcache has made. Its triggers sum the sizes of the rows' files, of which there are none,
and count all rows, which costs every commit a page; where a table has any, SQLite also lays several new rows aside
before it stores them. Those that stand here for them do nothing, and diskcache, which makes what is missing, takes them
for its own. Its own `len` is then 0: ask `Table.counted`."""
