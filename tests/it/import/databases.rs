//! The commands of `src/exchange/README.md` that read databases, run on databases as Isso and Cusdis make them.

use std::fs;

use rusqlite::{Connection, types::ValueRef};
use sayso::exchange::import::Format;
use serde_json::{Map, Value, json};

use super::{described, options, plan};

/// What a command of the README prints: `sqlite3 -json`.
fn output(database: &Connection, file: &str) -> String {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/src/exchange/README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, command) = readme.split_once(&format!("sqlite3 -json {file} \"")).unwrap();
    let query = command.split('"').next().unwrap();
    let mut statement = database.prepare(query).unwrap();
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut out = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let mut object = Map::new();
        for (at, name) in names.iter().enumerate() {
            let value = match row.get_ref(at).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => json!(number),
                ValueRef::Real(number) => json!(number),
                ValueRef::Text(text) => json!(std::str::from_utf8(text).unwrap()),
                ValueRef::Blob(_) => panic!("{name} is a blob"),
            };
            object.insert(name.clone(), value);
        }
        out.push(Value::Object(object));
    }
    Value::Array(out).to_string()
}

#[test]
fn the_documented_query_of_issos_database_is_imported() {
    let database = Connection::open_in_memory().unwrap();
    database
        .execute_batch(
            "CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE, title VARCHAR(256));
             CREATE TABLE comments (tid REFERENCES threads(id), id INTEGER PRIMARY KEY, parent INTEGER, created FLOAT NOT NULL,
               modified FLOAT, mode INTEGER, remote_addr VARCHAR, text VARCHAR, author VARCHAR, email VARCHAR, website VARCHAR,
               likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0, voters BLOB NOT NULL, notification INTEGER DEFAULT 0);
             INSERT INTO threads VALUES (1, '/blog/x/', 'X');
             INSERT INTO comments VALUES (1, 1, NULL, 1400000000.123, NULL, 1, '203.0.113.0', 'Hello *you*', 'Ada', 'canary@private.example', NULL, 0, 0, x'00', 0);
             INSERT INTO comments VALUES (1, 2, 1, 1400000001.5, 1400000002.5, 2, '203.0.113.0', 'waits', NULL, NULL, NULL, 0, 0, x'00', 0);",
        )
        .unwrap();
    let text = output(&database, "comments.db");
    assert!(!text.contains("canary") && !text.contains("203.0.113"), "{text}");
    let plan = plan(&options(Format::Isso, Some("blog.example"), None), text).unwrap();
    assert_eq!(
        described(&plan),
        "0 blog.example/blog/x/ Ada 2014-05-13T16:53:20.123Z \"Hello *you*\"\n\
         1>0 blog.example/blog/x/ - 2014-05-13T16:53:21.500Z edited 2014-05-13T16:53:22.500Z pending \"waits\"\n"
    );
}

#[test]
fn the_documented_query_of_cusdis_database_is_imported() {
    let database = Connection::open_in_memory().unwrap();
    database
        .execute_batch(
            "CREATE TABLE pages (id TEXT PRIMARY KEY, created_at DATETIME, updated_at DATETIME, slug TEXT, url TEXT, title TEXT, projectId TEXT);
             CREATE TABLE comments (id TEXT PRIMARY KEY, pageId TEXT, created_at DATETIME, updated_at DATETIME, deletedAt DATETIME,
               moderatorId TEXT, by_email TEXT, by_nickname TEXT, content TEXT, approved BOOLEAN, parentId TEXT);
             INSERT INTO pages VALUES ('g', 1630000000000, 1630000000000, 'first', 'https://blog.example/first', 'First', 'p');
             INSERT INTO comments VALUES ('u1', 'g', 1630000000000, 1630000000000, NULL, NULL, 'canary@private.example', 'Ada', 'Hello', 1, NULL);
             INSERT INTO comments VALUES ('u2', 'g', 1630000001000, 1630000001000, NULL, 'm', NULL, 'Site', 'Welcome', 1, 'u1');",
        )
        .unwrap();
    let text = output(&database, "db.sqlite");
    assert!(!text.contains("canary"), "{text}");
    let plan = plan(&options(Format::Cusdis, None, None), text).unwrap();
    assert_eq!(
        described(&plan),
        "0 blog.example/first Ada 2021-08-26T17:46:40 \"Hello\"\n\
         1>0 blog.example/first Site 2021-08-26T17:46:41 site \"Welcome\"\n"
    );
}
