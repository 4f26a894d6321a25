"""Feeds as feed readers see them: feedparser reads Atom, and what the specifications require is checked. SAYSO_BIN names the program."""

import json
import re
import sys
import xml.etree.ElementTree as xml

import feedparser

from server import TOKEN, ask, server

PUBLIC = "https://talk.example"
PAGE = "blog.example/a"
KEY = "0123456789abcdef"
ATOM = "{http://www.w3.org/2005/Atom}"
# RFC 3339.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# Every character that somebody can post, in blocks; the server refuses control characters. XML has no U+FFFE and U+FFFF.
BLOCKS = ["".join(map(chr, range(start, start + 0x200))) for start in (0x20, 0x200, 0x2000, 0xFE00, 0x1F600, 0xFFE00, 0x10FE00)]
TEXTS = [
    "plain & <b>simple</b> \"text\" ]]> &amp; <!-- --> <?xml?>",
    "*em* `code` [a link](https://x.example/?a=1&b=2)\n\n- one\n- two",
    "\ttabs\r\nand\rreturns\u2028\u2029\u0085".replace("\u0085", ""),
    "\ufffe\uffff\ufdd0\U0001fffe not characters",
]


def printable(block):
    return "".join(c for c in block if not (ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or 0xD800 <= ord(c) <= 0xDFFF))


def fill(base):
    ids = []
    for n, text in enumerate(TEXTS + [printable(block) for block in BLOCKS] + [f"number {n}" for n in range(60)]):
        name = printable(BLOCKS[n % len(BLOCKS)])[n : n + 20] + "x" if n % 3 else None
        body = {"page": [PAGE, "/talk & <more>", "talk"][n % 3], "content": text, "name": name, "key": KEY}
        status, _, line = ask("POST", f"{base}/api/comments", body)
        assert status == 201, line
        ids.append(json.loads(line)["id"])
        if n == 10:
            # The newest fifty are plain; of the page that only these are on, all are.
            check_both(base, "", len(ids))
    return ids


def check_atom(base, query, count):
    status, headers, text = ask("GET", f"{base}/feed.atom{query}")
    assert status == 200, text
    feed = feedparser.parse(text.encode(), response_headers={"content-type": headers["Content-Type"]})
    assert not feed.bozo, feed.bozo_exception
    assert feed.version == "atom10", feed.version
    assert len(feed.entries) == count, len(feed.entries)
    root = xml.fromstring(text.encode())
    # RFC 4287, sections 4.1.1 and 4.1.2: what must be there, and once.
    for element, names in [(root, ["id", "title", "updated"]), *((entry, ["id", "title", "updated", "author", "content"]) for entry in root.iter(f"{ATOM}entry"))]:
        for name in names:
            assert len(element.findall(ATOM + name)) == 1, name
    ids = [element.text for element in root.iter(f"{ATOM}id")]
    assert len(set(ids)) == len(ids), "each id once"
    assert all(re.fullmatch(r"urn:sayso:[!-~]+", each) for each in ids), ids
    times = [element.text for name in ("updated", "published") for element in root.iter(ATOM + name)]
    assert all(TIME.fullmatch(time) for time in times), times
    updated = [entry.find(f"{ATOM}updated").text for entry in root.iter(f"{ATOM}entry")]
    published = [entry.find(f"{ATOM}published").text for entry in root.iter(f"{ATOM}entry")]
    assert published == sorted(published, reverse=True), "newest first"
    assert all(a >= b for a, b in zip(updated, published)), "never updated before it was published"
    assert root.find(f"{ATOM}updated").text == max(updated, default=root.find(f"{ATOM}updated").text)
    links = [link.get("href") for link in root.iter(f"{ATOM}link")]
    assert all(re.fullmatch(r"https?://[a-z.]+/[!-~]*", link) and '"' not in link for link in links), links
    own = [link.get("href") for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert own == [f"{PUBLIC}/feed.atom{query}"], own
    assert all(entry.find(f"{ATOM}link").get("rel") == "alternate" for entry in root.iter(f"{ATOM}entry"))
    return root


def check_json(base, query, count):
    status, headers, text = ask("GET", f"{base}/feed.json{query}")
    assert status == 200 and headers["Content-Type"] == "application/feed+json", text
    feed = json.loads(text)
    assert feed["version"] == "https://jsonfeed.org/version/1.1" and isinstance(feed["title"], str)
    assert feed["feed_url"] == f"{PUBLIC}/feed.json{query}"
    assert len(feed["items"]) == count
    ids = [item["id"] for item in feed["items"]]
    assert len(set(ids)) == len(ids) and all(isinstance(each, str) for each in ids)
    for item in feed["items"]:
        assert isinstance(item["content_html"], str) and item["url"].startswith("https://"), item
        assert all(TIME.fullmatch(item[name]) for name in ("date_published", "date_modified")), item
        assert all(isinstance(author["name"], str) for author in item["authors"]), item
    return feed


def as_xml(text):
    """What is left of a text in XML."""
    return text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def check_both(base, query, count):
    atom, feed = check_atom(base, query, count), check_json(base, query, count)
    assert atom.find(f"{ATOM}title").text == feed["title"]
    for entry, item in zip(atom.iter(f"{ATOM}entry"), feed["items"]):
        text = lambda path: entry.find("/".join(ATOM + name for name in path.split("/"))).text
        read = [text("id"), text("title"), text("content"), text("author/name"), text("published"), text("updated")]
        said = [item["id"], item["title"], item["content_html"], item["authors"][0]["name"], item["date_published"], item["date_modified"]]
        assert read == [as_xml(part) for part in said], (read, said)
        assert entry.find(f"{ATOM}link").get("href") == item["url"]


def check(base):
    queries = ["", "?page=blog.example%2Fa", "?page=%2Ftalk%20%26%20%3Cmore%3E", "?page=nothing"]
    for query in queries:
        check_both(base, query, 0)
    ids = fill(base)
    for query, count in zip(queries, [50, len(ids[0::3]), len(ids[1::3]), 0]):
        check_both(base, query, count)
    newest = ids[-1]
    status, _, _ = ask("PATCH", f"{base}/api/comments/{newest}", {"content": "edited"}, {"Authorization": f"Bearer {KEY}"})
    assert status == 200
    ask("PATCH", f"{base}/api/comments/{ids[-2]}", {"status": "hidden"}, {"Authorization": f"Bearer {TOKEN}"})
    check_both(base, "", 50)
    text = ask("GET", f"{base}/feed.atom")[2]
    assert f":{newest}<" in text and f":{ids[-2]}<" not in text
    print(f"feeds of {len(ids)} comments: ok")


def main():
    with server("--public-url", PUBLIC, "--allow-origin", "https://blog.example") as base:
        check(base)


if __name__ == "__main__":
    sys.exit(main())
