#!/usr/bin/env python3
"""Opens pages in headless Chromium, and checks them: no request, no script error, no overflow, and they can be used.

    .ci/browser.py [--pictures DIR] PAGE...

It speaks the DevTools protocol over a pipe, for which the standard library is enough. `check-pages` runs it.
"""

import base64
import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

WIDTHS = {"wide": (1280, 720), "phone": (390, 844)}
SECONDS = 60

# Uses a page of `spanline trace`: filters, folds, and opens the details of a span by the keyboard. Uses one of
# `spanline stats`: filters, and folds errors.
USE = """(() => {
  if (document.querySelector(".services")) {
    const wrong = [], rows = () => [...document.querySelectorAll(".services tbody tr")].filter((row) => !row.hidden);
    const check = (is, what) => { if (!is) wrong.push(what); };
    const all = rows().length, search = document.getElementById("search");
    const input = (value) => { search.value = value; search.dispatchEvent(new Event("input")); };
    check(all > 0, "there is no service");
    input("nothing has this text");
    check(rows().length === 0, "the filter hides nothing");
    input("");
    check(rows().length === all, "rows stay hidden");
    const open = () => document.querySelectorAll("details.error[open]").length;
    document.getElementById("unfold").click();
    check(open() === document.querySelectorAll("details.error").length, "errors do not unfold");
    if (document.documentElement.scrollWidth > innerWidth) wrong.push("an error is wider than the screen");
    document.getElementById("fold").click();
    check(open() === 0, "errors do not fold");
    const drawing = document.querySelector("svg.tall").getBoundingClientRect();
    check(drawing.width > 100 && drawing.height > 50, "there is no drawing");
    return wrong;
  }
  const rows = () => [...document.querySelectorAll("#spans tbody tr")].filter((row) => !row.hidden);
  if (!document.getElementById("spans")) return [];
  const wrong = [], all = rows().length;
  const check = (is, what) => { if (!is) wrong.push(what); };
  const input = (id, value) => {
    const control = document.getElementById(id);
    control.value = value;
    control.dispatchEvent(new Event("input"));
  };
  input("search", "nothing has this text");
  check(rows().length === 0, "the filter hides nothing");
  input("search", "");
  check(rows().length === all, "rows stay hidden");
  document.getElementById("fold").click();
  check(rows().length < all, "rows do not fold");
  document.getElementById("unfold").click();
  check(rows().length === all, "rows do not unfold");
  input("lines", "all");
  check(rows().length >= all, "lines are not shown");
  input("lines", "severe");
  const key = (name) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
  rows()[0].focus();
  key("ArrowDown");
  check(document.activeElement === rows()[1], "the keyboard does not move");
  key("ArrowUp");
  key("Enter");
  check(!document.getElementById("details").hidden, "there are no details");
  key("Escape");
  check(document.getElementById("details").hidden, "the details stay");
  return wrong;
})()"""


class Browser:
    """Chromium, and the messages that it sent."""

    def __init__(self, folder):
        to_read, self.output = os.pipe()
        self.input, to_write = os.pipe()
        # The browser reads descriptor 3 and writes descriptor 4. They are moved out of the way first.
        high_read, high_write = os.dup2(to_read, 103), os.dup2(to_write, 104)

        def place():
            os.dup2(high_read, 3)
            os.dup2(high_write, 4)

        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}"]
        command += ["--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(command, preexec_fn=place, close_fds=False, stderr=subprocess.DEVNULL)
        for descriptor in (to_read, to_write, high_read, high_write):
            os.close(descriptor)
        self.number, self.buffer, self.events = 0, b"", []

    def ask(self, method, session=None, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.read())

    def read(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, end - time.monotonic()))[0]:
                raise SystemExit("the browser does not answer")
            read = os.read(self.input, 1 << 20)
            if not read:
                raise SystemExit("the browser has ended")
            self.buffer += read
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def end(self):
        self.process.terminate()
        self.process.wait()


def evaluate(browser, session, script):
    answer = browser.ask("Runtime.evaluate", session, expression=script, returnByValue=True)
    if "exceptionDetails" in answer:
        raise SystemExit(f"{script}: {answer['exceptionDetails']}")
    return answer["result"].get("value")


def check(browser, session, page, size, scheme, picture):
    browser.events.clear()
    browser.ask("Emulation.setDeviceMetricsOverride", session, width=size[0], height=size[1], deviceScaleFactor=1, mobile=size[0] < 500)
    browser.ask("Emulation.setEmulatedMedia", session, features=[{"name": "prefers-color-scheme", "value": scheme}])
    uri = page.resolve().as_uri()
    browser.ask("Page.navigate", session, url=uri)
    browser.wait_for("Page.loadEventFired")
    wrong = list(evaluate(browser, session, USE))
    if evaluate(browser, session, "document.documentElement.scrollWidth > innerWidth"):
        wrong.append("it is wider than the screen")
    if evaluate(browser, session, "document.title === 'NEVER-RUN'"):
        wrong.append("a text from a log was run")
    for event in browser.events:
        params = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent" if params["request"]["url"].split("#")[0] != uri:
                wrong.append(f"it requests {params['request']['url'][:200]}")
            case "Runtime.exceptionThrown":
                wrong.append(f"script error: {params['exceptionDetails']['text']}")
            case "Log.entryAdded" | "Runtime.consoleAPICalled":
                wrong.append(f"message: {json.dumps(params)[:300]}")
    if picture:
        evaluate(browser, session, "document.activeElement.blur(); document.querySelectorAll('.at').forEach((row) => row.classList.remove('at')); scrollTo(0, 0)")
        data = browser.ask("Page.captureScreenshot", session, format="png")["data"]
        picture.write_bytes(base64.b64decode(data))
    return wrong


def main(arguments):
    pictures = None
    if arguments[:1] == ["--pictures"]:
        pictures, arguments = pathlib.Path(arguments[1]), arguments[2:]
    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
            session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime", "Log"):
                browser.ask(f"{domain}.enable", session)
            for page in map(pathlib.Path, arguments):
                for name, size in WIDTHS.items():
                    for scheme in ("light", "dark"):
                        picture = pictures and pictures / f"{page.stem}-{name}-{scheme}.png"
                        wrong = check(browser, session, page, size, scheme, picture)
                        print(f"{page} {name} {scheme}: {'; '.join(wrong) or 'ok'}")
                        failed |= bool(wrong)
        finally:
            browser.end()
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
