-- What people do with tasks: `work.db`, written by the door and by commands. Instants are integers of UTC microseconds.

-- assignee NULL: nobody has it. done_at NULL: it is not done. The task itself is in `state.db`.
CREATE TABLE work (
  task       TEXT PRIMARY KEY,
  assignee   TEXT,
  claimed_at INTEGER,
  outcome    TEXT NOT NULL DEFAULT '',
  note       TEXT NOT NULL DEFAULT '',
  done_by    TEXT,
  done_at    INTEGER
) WITHOUT ROWID;
