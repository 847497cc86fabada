-- What a person in a browser comes in with: a password, then a session. Instants are integers of UTC microseconds.

-- hash: scrypt with its parameters and salt (`runtime/passwords.py`). set_at: when the person or the owner chose it; a
-- password that is hashed anew with higher parameters is the same password.
CREATE TABLE passwords (
  user   TEXT PRIMARY KEY REFERENCES users (name),
  hash   TEXT NOT NULL,
  set_at INTEGER NOT NULL
) WITHOUT ROWID;

-- hash: SHA-256 of what the cookie holds, which is random and long; the cookie's value is nowhere. id: its name in lists.
-- agent: what the browser calls itself, to tell sessions apart.
CREATE TABLE sessions (
  hash     BLOB PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE,
  user     TEXT NOT NULL REFERENCES users (name),
  began_at INTEGER NOT NULL,
  seen_at  INTEGER NOT NULL,
  agent    TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user);

-- Here and not in the code that changes them, so that no way of changing them can forget it.
CREATE TRIGGER sessions_end_with_role AFTER UPDATE OF role, ended_at ON users
BEGIN
  DELETE FROM sessions WHERE user = NEW.name;
END;
CREATE TRIGGER sessions_end_with_password AFTER UPDATE OF set_at ON passwords
BEGIN
  DELETE FROM sessions WHERE user = NEW.user;
END;

-- Tries to log in of the last minutes. who: SHA-256 of an account's name as it was given, or of an address.
CREATE TABLE tries (
  who BLOB NOT NULL,
  at  INTEGER NOT NULL
);
CREATE INDEX tries_who ON tries (who, at);
CREATE INDEX tries_at ON tries (at);
