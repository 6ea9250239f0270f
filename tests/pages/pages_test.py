#!/usr/bin/env python3
"""Draws the pages with real documents in a real browser (Chromium, headless) and looks at what came out.

pages_test.py [--shots FOLDER]   FOLDER keeps a picture of every page, wide and narrow.
TUSKFS_CHROMIUM names the browser where it is not on the path.
"""
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import documents
from hand import Hand

PAGES = pathlib.Path(__file__).resolve().parents[2] / "src/virtual/stats/pages"
BROWSER = os.environ.get("TUSKFS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SHOTS = None
PHONE = 390


def assembled(page, document):
    """As the driver does it: style and script first, the data last, so that nothing in it is ever replaced."""
    text = (PAGES / page).read_text()
    for marker, source in (("/*TUSK_CSS*/", "page.css"), ("/*TUSK_JS*/", "page.js")):
        before, after = text.split(marker)
        text = before + (PAGES / source).read_text() + after
    before, after = text.split("/*TUSK_DATA*/null")
    return before + json.dumps(document, ensure_ascii=False).replace("<", "\\u003c") + after


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children = tag, attributes, parent, []

    def all(self):
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child.all()

    def find(self, tag=None, **attributes):
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [each for each in self.all() if tag in (None, each.tag)
                and all(each.attributes.get(name) == value for name, value in wanted.items())]

    def text(self):
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


class Tree(html.parser.HTMLParser):
    EMPTY = {"meta", "link", "img", "br", "hr", "input"}

    def __init__(self, text):
        super().__init__()
        self.root = self.here = Element("", {}, None)
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        made = Element(tag, dict(attributes), self.here)
        self.here.children.append(made)
        if tag not in self.EMPTY:
            self.here = made

    def handle_endtag(self, tag):
        above = self.here
        while above.parent and above.tag != tag:
            above = above.parent
        self.here = above.parent or self.root

    def handle_data(self, data):
        self.here.children.append(data)


class Browser:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
               "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
               "--disable-features=OptimizationHints,MediaRouter,NetworkTimeServiceQuerying",
               "--host-resolver-rules=MAP * ~NOTFOUND")

    def hand(self, text):
        page = self.folder / "hand.html"
        page.write_text(text)
        return Hand(BROWSER, [*self.OPTIONS, f"--user-data-dir={self.folder}/hand"], page.as_uri())

    def run(self, name, text, fragment="", *options):
        """What Chromium printed, what it said, what it asked of the network."""
        page, net = self.folder / f"{name}.html", self.folder / f"{name}.net.json"
        page.write_text(text)
        done = subprocess.run(
            [BROWSER, *self.OPTIONS, f"--user-data-dir={self.folder}/profile",
             "--virtual-time-budget=4000", "--enable-logging=stderr", "--log-level=0", "--v=0", f"--log-net-log={net}",
             *options, page.as_uri() + fragment],
            capture_output=True, text=True, timeout=240, check=True)
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line], self.asked(net)

    # The browser asks its maker for the time and for updates, whatever it shows.
    OWN = re.compile(r"https?://[a-z0-9.-]+\.(google|googleapis|gvt1)\.com/")

    @classmethod
    def asked(cls, net):
        urls = set(re.findall(r'"url":"((?:https?|wss?|ftp)://[^"]*)', net.read_text()))
        return sorted(url for url in urls if not cls.OWN.match(url))

    def shoot(self, name, text, width, height, dark=False):
        picture = SHOTS / f"{name}-{width}{'-dark' if dark else ''}.png"
        options = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
        self.run(name, text, "", f"--screenshot={picture}", f"--window-size={width},{height}", *options)


def visible(text):
    """As the page shows it: characters that hide or turn round others by their number."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]",
                  lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)


def same_number(text, number):
    return bool(text) and abs(float(text) - number) <= 1e-9 * max(1, abs(number))


def columns_left_out(section):
    columns = section["columns"]
    return {name for name in columns if re.search("(^|_)size$", name) and re.sub("size$", "bytes", name) in columns}


@unittest.skipUnless(BROWSER, "no chromium here")
class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tusk-pages-")
        cls.browser = Browser(cls.folder.name)
        cls.documents = {
            ("dashboard.html", "ordinary"): documents.ordinary(),
            ("dashboard.html", "empty"): documents.empty(),
            ("dashboard.html", "hostile"): documents.hostile(),
            ("weekly_report.html", "ordinary"): documents.weekly(documents.ordinary()),
            ("weekly_report.html", "empty"): documents.weekly(documents.empty()),
            ("weekly_report.html", "hostile"): documents.weekly(documents.hostile(), attacked=True),
        }
        cls.drawn = {}
        for (page, kind), document in cls.documents.items():
            name = f"{page.removesuffix('.html')}-{kind}"
            out = cls.browser.run(name, assembled(page, document), "", "--dump-dom", "--window-size=1280,900")
            cls.drawn[page, kind] = (Tree(out[0]).root, out[1], out[2])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def each(self, *kinds):
        for (page, kind), (tree, said, asked) in self.drawn.items():
            if not kinds or kind in kinds:
                yield page, self.documents[page, kind], tree, said, asked

    def dom(self, page, document, fragment="", *options):
        return Tree(self.browser.run("again", assembled(page, document), fragment, "--dump-dom", *options)[0]).root

    def test_the_browser_reports_errors_and_requests_at_all(self):
        page = '<!doctype html><script>nowhere()</script><img src="http://tusk.invalid/x.png">'
        _, said, asked = self.browser.run("broken", page, "", "--dump-dom")
        self.assertTrue(any("nowhere" in line for line in said), said)
        self.assertIn("http://tusk.invalid/x.png", asked)

    def test_nothing_is_said_on_the_console(self):
        for _, _, _, said, _ in self.each():
            self.assertEqual(said, [])

    def test_no_request_leaves_the_page(self):
        for page, _, tree, _, asked in self.each():
            self.assertEqual(asked, [])
            for element in tree.all():
                self.assertNotIn("src", element.attributes)
                self.assertTrue(element.attributes.get("href", "#").startswith("#"), element.attributes)

    def test_score_status_and_reason(self):
        for _, document, tree, _, _ in self.each():
            health = document["health"]
            dial = tree.find("svg", class_="dial")[0]
            self.assertIn(str(health["score"]), dial.text())
            self.assertIn(f"{health['score']} of 100", dial.attributes["aria-label"])
            look = health["status"] if health["status"] in ("ok", "warning", "critical") else "unknown"
            self.assertTrue(tree.find("section", id="overview", class_=f"card overview {look}"))
            if health["reason"]:
                self.assertIn(visible(health["reason"]), tree.find("p", class_="reason")[0].text())

    def test_every_component_with_its_figures(self):
        for _, document, tree, _, _ in self.each():
            shown = {item.attributes["data-component"]: item for item in tree.find("li") if "data-component" in item.attributes}
            for component in document["health"]["components"]:
                item = shown[component["component"].replace("\x00", "\ufffd")]
                texts = item.text()
                figures = [each.attributes["value"] for each in item.find("data")]
                for field in ("value", "score"):
                    if component[field] is None:
                        self.assertIn("n/a", texts)
                    else:
                        self.assertTrue(any(same_number(figure, component[field]) for figure in figures), component)
                for field in ("good", "warn", "crit", "weight"):
                    if component[field] is not None:
                        self.assertIn(f"{component[field]:,}", texts)
                self.assertEqual(component["advisory"], "advisory" in texts)

    def test_every_cell_of_every_section(self):
        for _, document, tree, _, _ in self.each():
            for name, section in document.items():
                if not isinstance(section, dict) or "columns" not in section:
                    continue
                # What is said of all of them is said once.
                shown = tree.find("section", id=name) or tree.find("section", id="away")
                self.check_section(shown[0], section)

    def test_what_keeps_all_figures_away_is_said_once(self):
        for _, document, tree, _, _ in self.each("empty"):
            self.assertEqual(len(tree.find("p", class_="notice")), 2, "one of them in noscript")
        document = {**documents.empty(), "cache_hit": documents.section(["kind"], [["tables"]])}
        tree = self.dom("dashboard.html", document)
        self.assertEqual(tree.find("section", id="away"), [])
        self.assertTrue(tree.find("section", id="cache_hit"))

    def check_section(self, shown, section):
        left_out = columns_left_out(section)
        rows = [row.find("td") for row in shown.find("tbody")[0].find("tr")] if section["rows"] else []
        self.assertEqual(len(rows), len(section["rows"]))
        for cells, row in zip(rows, section["rows"]):
            wanted = [(name, value) for name, value in zip(section["columns"], row) if name not in left_out]
            self.assertEqual(len(cells), len(wanted))
            for cell, (name, value) in zip(cells, wanted):
                self.check_cell(cell, name, value)
        for advice in section["advice"]:
            self.assertIn(visible(advice), [item.text() for item in shown.find("li")])
        if section["error"]:
            self.assertEqual(visible(section["error"]), shown.find("p", class_="notice")[0].text())

    def check_cell(self, cell, name, value):
        if value is None:
            self.assertIn("n/a", cell.text())
        elif isinstance(value, bool):
            self.assertEqual(cell.text(), "yes" if value else "no")
        elif isinstance(value, (int, float)):
            self.assertTrue(same_number(cell.find("data")[0].attributes["value"], value), (name, value))
        elif cell.find("time"):
            self.assertEqual(cell.find("time")[0].attributes["datetime"], value)
        elif isinstance(value, str) and name != "unused":
            self.assertEqual(cell.text(), visible(value))

    def test_alerts(self):
        for _, document, tree, _, _ in self.each():
            shown = tree.find("section", id="alerts")[0]
            texts = [item.text() for item in shown.find("li")]
            self.assertEqual(len(texts), len(document["alerts"]))
            for alert in document["alerts"]:
                self.assertTrue(any(visible(alert["message"]) in text for text in texts), alert)
            if not texts:
                self.assertIn("No alerts", shown.text())
        items = self.drawn["dashboard.html", "ordinary"][0].find("section", id="alerts")[0].find("li")
        self.assertEqual([item.attributes["class"] for item in items],
                         ["alert critical", "alert warning", "alert warning resting"])

    def test_trend_as_lines_and_as_figures(self):
        for _, document, tree, _, _ in self.each("ordinary"):
            self.assertEqual(len(tree.find("figure", class_="trend")[0].find("svg", class_="spark")), 1)
            # What was never measured has no line.
            lines = [len(item.find("svg", class_="spark")) for item in tree.find("li") if "data-component" in item.attributes]
            self.assertEqual(lines, [1, 1, 1, 0, 1, 1, 1, 1, 1])
            rows = tree.find("section", id="trend")[0].find("tbody")[0].find("tr")
            self.assertEqual(len(rows), len(document["trend"]))
            for row, point in zip(rows, reversed(document["trend"])):
                for cell, value in zip(row.find("td")[1:], [point["score"], *point["components"].values()]):
                    self.check_cell(cell, "", value)

    def test_weekly_report(self):
        tree = self.drawn["weekly_report.html", "ordinary"][0]
        self.assertIn("2026-W47", tree.find("header")[0].text())
        self.assertIn("+5 since the week before (88)", tree.find("section", id="overview")[0].text())
        for kind in ("ordinary", "hostile"):
            document, tree = self.documents["weekly_report.html", kind], self.drawn["weekly_report.html", kind][0]
            actions = tree.find("section", id="actions")[0]
            self.assertEqual([code.text() for code in actions.find("code")],
                             [text for action in document["actions"] for text in (action["sql"], action["undo"]) if text])
            self.assertEqual(len(actions.find("button", class_="copy")), 4)
            self.check_section(tree.find("section", id="growth")[0], documents.section(
                ["name", "kind", "bytes", "delta_bytes"], [list(one.values()) for one in document["growth"]]))
        tree = self.drawn["weekly_report.html", "ordinary"][0]
        self.assertIn(documents.ATTACKS[0], [each.text() for each in self.drawn["weekly_report.html", "hostile"][0].find("p", class_="notice")])
        deltas = tree.find("section", id="connections")[0].find("span", class_="delta")
        self.assertEqual([each.text() for each in deltas], ["−1", "+0.5", "+1", "+1", "+2", "+1.5"])
        self.assertIn("96.11", tree.find("section", id="cache_hit")[0].text())

    def column(self, tree, section, name):
        part = tree.find("section", id=section)[0]
        heads = [head.attributes["data-column"] for head in part.find("th")]
        at = heads.index(name)
        cells = [row.find("td")[at] for row in part.find("tbody")[0].find("tr")]
        sorted_by = {head.attributes["data-column"]: head.attributes["aria-sort"] for head in part.find("th")
                     if "aria-sort" in head.attributes}
        return [cell.find("data")[0].attributes["value"] if cell.find("data") else cell.text() for cell in cells], sorted_by

    def test_sorting(self):
        hostile = self.documents["dashboard.html", "hostile"]
        cells, by = self.column(self.dom("dashboard.html", hostile, "#sort=tables:dead_rows"), "tables", "dead_rows")
        self.assertEqual(by, {"dead_rows": "descending"})
        self.assertEqual([int(cell) for cell in cells], sorted((row[5] for row in hostile["tables"]["rows"]), reverse=True))
        # By size, though it is written as text; numbers as numbers, then texts, then what was not measured.
        tree = self.dom("dashboard.html", hostile, "#sort=tables:total_size:asc")
        cells, by = self.column(tree, "tables", "total_bytes")
        self.assertEqual([int(cell) for cell in cells], sorted(row[2] for row in hostile["tables"]["rows"]))
        cells, _ = self.column(self.dom("dashboard.html", hostile, "#sort=tables:dead_pct:asc"), "tables", "dead_pct")
        self.assertEqual(cells, ["-0.5"] * 100 + ["31.5"] * 100 + ["NaN"] * 100 + ["n/a"] * 100)
        cells, _ = self.column(self.dom("dashboard.html", hostile, "#sort=tables:dead_pct:desc"), "tables", "dead_pct")
        self.assertEqual(cells, ["31.5"] * 100 + ["-0.5"] * 100 + ["NaN"] * 100 + ["n/a"] * 100)

    def test_sorting_by_name_and_by_nonsense(self):
        report = self.documents["weekly_report.html", "ordinary"]
        cells, by = self.column(self.dom("weekly_report.html", report, "#sort=tables:table_name"), "tables", "table_name")
        self.assertEqual((cells, by), (sorted(cells), {"table_name": "ascending"}))
        cells, _ = self.column(self.dom("weekly_report.html", report, "#sort=growth:delta_bytes"), "growth", "delta_bytes")
        self.assertEqual(cells, ["73400320", "-1048576", "n/a"])
        for nonsense in ("#sort=", "#sort=%", "#sort=a:b:c", "#sort=tables:__proto__", "#sort=tables:bytes:constructor"):
            page = assembled("weekly_report.html", report)
            _, said, _ = self.browser.run("nonsense", page, nonsense, "--dump-dom")
            self.assertEqual(said, [], nonsense)

    def test_a_click_sorts_and_another_turns_it_round(self):
        clicks = ("<script>const head = () => document.querySelector('#tables th[data-column=dead_rows] button');"
                  "for (let i = 0; i < TIMES; i++) { head().focus(); document.activeElement.click(); }</script></body>")
        for times, order in ((1, "descending"), (2, "ascending")):
            page = assembled("dashboard.html", self.documents["dashboard.html", "ordinary"])
            page = page.replace("</body>", clicks.replace("TIMES", str(times)))
            out, said, _ = self.browser.run("click", page, "", "--dump-dom")
            cells, by = self.column(Tree(out).root, "tables", "dead_rows")
            self.assertEqual((by, said), ({"dead_rows": order}, []))
            self.assertEqual(cells, sorted(cells, key=int, reverse=order == "descending"))

    def test_a_hand_sorts_by_mouse_and_by_keyboard(self):
        order = "[...document.querySelectorAll('#tables tbody td:nth-child(5) data')].map((each) => Number(each.value))"
        by = "document.querySelector('#tables th[aria-sort]').getAttribute('aria-sort')"
        with self.browser.hand(assembled("dashboard.html", self.documents["dashboard.html", "ordinary"])) as hand:
            dead = sorted(row[5] for row in self.documents["dashboard.html", "ordinary"]["tables"]["rows"])
            hand.click("#tables th[data-column=dead_rows] button")
            self.assertEqual((hand.see(order), hand.see(by)), (dead[::-1], "descending"))
            hand.press("Enter", 13, "\r")
            self.assertEqual((hand.see(order), hand.see(by)), (dead, "ascending"))
            self.assertEqual(hand.see("location.hash"), "#sort=tables:dead_rows:ascending")
            self.assertEqual(hand.see("document.getElementById('said').textContent"),
                             "Biggest tables sorted by Dead rows, ascending")
            hand.press("Tab", 9)
            self.assertEqual(hand.see("document.activeElement.closest('th').dataset.column"), "dead_pct")

    def test_all_rows_on_demand(self):
        shown = "[...document.querySelectorAll('#tables tbody tr')].filter((row) => row.offsetParent).length"
        with self.browser.hand(assembled("dashboard.html", self.documents["dashboard.html", "hostile"])) as hand:
            self.assertEqual(hand.see(shown), 12)
            hand.click("#tables .more")
            self.assertEqual(hand.see(shown), 400)
            hand.narrow(PHONE)
            self.assertEqual(hand.see("[innerWidth, document.documentElement.scrollWidth]"), [PHONE, PHONE])

    def test_sql_can_be_copied(self):
        with self.browser.hand(assembled("weekly_report.html", self.documents["weekly_report.html", "ordinary"])) as hand:
            hand.click("#actions .copy")
            hand.see("new Promise((done) => { const look = () => document.getElementById('said').textContent"
                     " ? done() : setTimeout(look, 10); look(); })")
            self.assertEqual(hand.see("document.getElementById('said').textContent"), "Copied")
            hand.see("(() => { const box = document.createElement('textarea'); document.body.append(box); box.focus(); })()")
            hand.ask("Input.dispatchKeyEvent", type="keyDown", key="v", code="KeyV", windowsVirtualKeyCode=86, modifiers=2,
                     commands=["paste"])
            self.assertEqual(hand.see("document.querySelector('textarea').value"), "VACUUM (ANALYZE) public.orders;")

    def test_hostile_text_is_text(self):
        for page, _, tree, _, _ in self.each("hostile"):
            main = tree.find("main")[0]
            made = {element.tag for element in main.all()}
            self.assertEqual(made & {"img", "script", "link", "style", "iframe", "object"}, set())
            self.assertEqual(len(tree.find("script")), 3)
            self.assertFalse([name for element in tree.all() for name in element.attributes if name.startswith("on")])
            self.assertNotEqual(tree.find("title")[0].text(), "taken")
            self.assertIn(documents.ATTACKS[0], tree.find("h1")[0].text())
            self.assertNotIn("\u202e", main.text())

    def test_colours_can_be_told_from_their_ground(self):
        css = (PAGES / "page.css").read_text()
        light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", part)) for part in css.split("}")[:2])

        def luminance(colour):
            parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
            parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

        for palette in (light, dark):
            for text in ("ink", "quiet", "link", "ok", "warning", "critical", "unknown"):
                for ground in ("ground", "card", "soft"):
                    bright, dim = sorted((luminance(palette[text]), luminance(palette[ground])), reverse=True)
                    self.assertGreaterEqual((bright + 0.05) / (dim + 0.05), 4.5, (text, ground, palette))

    def test_no_marker_is_left(self):
        for page, _, tree, _, _ in self.each("ordinary", "empty"):
            everything = tree.text()
            for marker in ("/*TUSK_CSS*/", "/*TUSK_JS*/", "/*TUSK_DATA*/"):
                self.assertNotIn(marker, everything)

    def test_a_phone_need_not_scroll_sideways(self):
        # A window of the browser has a least width; a frame has none.
        for (page, kind), document in self.documents.items():
            with self.subTest(page=page, document=kind):
                inner = assembled(page, document)
                outer = ("<!doctype html><iframe id=f width=%d height=800 style='border:0'></iframe><script>"
                         "f.onload = () => { const root = f.contentDocument.documentElement;"
                         "document.documentElement.dataset.widths = root.dataset.scrollWidth + ' ' + root.dataset.clientWidth"
                         " + ' ' + (root.dataset.scrollWidth > root.dataset.clientWidth ? [...root.querySelectorAll('*')]"
                         ".filter((e) => e.getBoundingClientRect().right > 390).map((e) => e.className || e.tagName).join() : '') };"
                         "f.srcdoc = %s;</script>" % (PHONE, json.dumps(inner).replace("<", "\\u003c")))
                out, _, _ = self.browser.run("phone", outer, "", "--dump-dom")
                root = Tree(out).root.find("html")[0]
                self.assertEqual(root.attributes["data-widths"].split()[:2], [str(PHONE), str(PHONE)], root.attributes)

    def test_pictures(self):
        if not SHOTS:
            self.skipTest("no folder for pictures")
        SHOTS.mkdir(parents=True, exist_ok=True)
        for (page, kind), document in self.documents.items():
            name, text = f"{page.removesuffix('.html')}-{kind}", assembled(page, document)
            self.browser.shoot(name, text, 1280, 3400)
            self.browser.shoot(name, text, PHONE, 6000)
            if kind == "ordinary":
                self.browser.shoot(name, text, 1280, 3400, dark=True)


if __name__ == "__main__":
    if "--shots" in sys.argv:
        at = sys.argv.index("--shots")
        SHOTS = pathlib.Path(sys.argv[at + 1]).resolve()
        del sys.argv[at:at + 2]
    unittest.main()
