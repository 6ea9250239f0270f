#!/usr/bin/env python3
"""drawn.py PAGE DOCUMENT: draws a page that a mount gave, and compares its figures with the document beside it."""
import json
import pathlib
import sys
import tempfile

import documents
from pages_test import BROWSER, Browser, Pages, Tree, visible

if not BROWSER:
    print("no chromium here")
    sys.exit(77)
text, document = pathlib.Path(sys.argv[1]).read_text(), json.loads(pathlib.Path(sys.argv[2]).read_text())
with tempfile.TemporaryDirectory(prefix="tusk-drawn-") as folder:
    out, said, asked = Browser(folder).run("drawn", text, "", "--dump-dom", "--window-size=1280,900")
check, tree = Pages(), Tree(out).root
check.assertEqual((said, asked), ([], []))
check.assertIn(f"{document['health']['score']} of 100", tree.find("svg", class_="dial")[0].attributes["aria-label"])
sections = {name: part for name, part in document.items() if isinstance(part, dict) and "columns" in part}
for name, section in sections.items():
    check.check_section(tree.find("section", id=name)[0], section)
if "growth" in document:
    rows = [list(one.values()) for one in document["growth"]]
    check.check_section(tree.find("section", id="growth")[0],
                        documents.section(["name", "kind", "bytes", "delta_bytes"], rows))
    code = [each.text() for each in tree.find("section", id="actions")[0].find("code")]
    check.assertEqual(code, [visible(text) for action in document["actions"] for text in (action["sql"], action["undo"]) if text])
if document["trend"]:
    check.assertEqual(len(tree.find("section", id="trend")[0].find("tbody")[0].find("tr")), len(document["trend"]))
print(f"{len(sections)} sections")
