-- Behind the global part of prosody.cfg.lua: everything in SQLite, which syncs each transaction.
storage = "sql"
sql = { driver = "SQLite3", database = "prosody.sqlite" }
sqlite_tune = "safe"
