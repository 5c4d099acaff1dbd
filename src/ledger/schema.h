/*
 * schema -- the tables of a ledger file, version 2.
 *
 * An entry keeps its lines as JSON, [[account, minor], ...], so that posting adds one row; the
 * view `line` shows them one by one to whoever reads the file with SQL. account_entry lists the
 * entries of each account in order of posting, some hundreds a row: the differences between
 * their numbers, each in 7-bit groups, least first. A source stands once however many entries name
 * it. An act is what somebody decided (a period closed, an invoice approved); acts have a chain of
 * hashes of their own. account.debit/credit, total, head and account_entry follow from the entries
 * and are kept so that nobody has to add up; ledger_verify() does.
 */
#pragma once

enum { LEDGER_APPLICATION_ID = 0x42524C47 /* "BRLG" */, LEDGER_SCHEMA_VERSION = 2 };

#define LEDGER_SCHEMA                                                                              \
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"         \
    "CREATE TABLE account("                                                                        \
    "  id INTEGER PRIMARY KEY,"                                                                    \
    "  code TEXT NOT NULL UNIQUE,"                                                                 \
    "  type INTEGER NOT NULL,"                                                                     \
    "  name TEXT NOT NULL,"                                                                        \
    "  debit INTEGER NOT NULL CHECK(debit >= 0),"                                                  \
    "  credit INTEGER NOT NULL CHECK(credit >= 0)) STRICT;"                                        \
    "CREATE TABLE period("                                                                         \
    "  month INTEGER PRIMARY KEY,"                                                                 \
    "  state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 3)) STRICT;"                               \
    "CREATE TABLE source("                                                                         \
    "  id INTEGER PRIMARY KEY,"                                                                    \
    "  contract TEXT NOT NULL,"                                                                    \
    "  version TEXT NOT NULL,"                                                                     \
    "  clause TEXT NOT NULL,"                                                                      \
    "  run TEXT NOT NULL,"                                                                         \
    "  UNIQUE(contract, version, clause, run)) STRICT;"                                            \
    "CREATE TABLE entry("                                                                          \
    "  id INTEGER PRIMARY KEY,"                                                                    \
    "  key TEXT NOT NULL UNIQUE,"                                                                  \
    "  day INTEGER NOT NULL,"                                                                      \
    "  month INTEGER NOT NULL REFERENCES period(month),"                                           \
    "  memo TEXT NOT NULL,"                                                                        \
    "  source INTEGER NOT NULL REFERENCES source(id),"                                             \
    "  reverses INTEGER REFERENCES entry(id),"                                                     \
    "  corrects INTEGER REFERENCES entry(id),"                                                     \
    "  lines TEXT NOT NULL,"                                                                       \
    "  hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"                                       \
    "CREATE UNIQUE INDEX entry_by_reverses ON entry(reverses) WHERE reverses IS NOT NULL;"         \
    "CREATE INDEX entry_by_source ON entry(source);"                                               \
    "CREATE VIEW line(entry, position, account, minor) AS"                                         \
    "  SELECT e.id, j.key, j.value ->> 0, j.value ->> 1 FROM entry e, json_each(e.lines) j;"       \
    "CREATE TABLE account_entry("                                                                  \
    "  account INTEGER NOT NULL REFERENCES account(id),"                                           \
    "  first INTEGER NOT NULL REFERENCES entry(id),"                                               \
    "  entries BLOB NOT NULL,"                                                                     \
    "  PRIMARY KEY(account, first)) STRICT, WITHOUT ROWID;"                                        \
    "CREATE TABLE total("                                                                          \
    "  account INTEGER NOT NULL REFERENCES account(id),"                                           \
    "  month INTEGER NOT NULL REFERENCES period(month),"                                           \
    "  debit INTEGER NOT NULL CHECK(debit >= 0),"                                                  \
    "  credit INTEGER NOT NULL CHECK(credit >= 0),"                                                \
    "  PRIMARY KEY(account, month)) STRICT, WITHOUT ROWID;"                                        \
    "CREATE TABLE act("                                                                            \
    "  id INTEGER PRIMARY KEY,"                                                                    \
    "  kind TEXT NOT NULL,"                                                                        \
    "  subject TEXT NOT NULL,"                                                                     \
    "  account TEXT NOT NULL,"                                                                     \
    "  person TEXT NOT NULL,"                                                                      \
    "  role TEXT NOT NULL,"                                                                        \
    "  day INTEGER NOT NULL,"                                                                      \
    "  minor INTEGER NOT NULL,"                                                                    \
    "  entry INTEGER NOT NULL,"                                                                    \
    "  text TEXT NOT NULL,"                                                                        \
    "  hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"                                       \
    "CREATE TABLE head("                                                                           \
    "  one INTEGER PRIMARY KEY CHECK(one = 1),"                                                    \
    "  entries INTEGER NOT NULL,"                                                                  \
    "  lines INTEGER NOT NULL,"                                                                    \
    "  hash BLOB NOT NULL CHECK(length(hash) = 32),"                                               \
    "  acts INTEGER NOT NULL,"                                                                     \
    "  act_hash BLOB NOT NULL CHECK(length(act_hash) = 32)) STRICT;"                               \
    "INSERT INTO head VALUES(1, 0, 0, zeroblob(32), 0, zeroblob(32));"
