"""A browser that reaches nothing but this machine, and notices what a page does besides."""

from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Page, expect

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

TIMEOUT = 120_000
"""Milliseconds that a page may take for anything: other programs may keep processors busy."""

expect.set_options(timeout=TIMEOUT)


@dataclass
class Opened:
    """A tab that shows a page, and what happened in it besides.

    Attributes:
        tab: the browser's own handle.
        address: of the file.
        requests: what the page asked for.
        errors: what the console and uncaught errors said.
        dialogs: what dialogs said; only scripts that were slipped in open any.
    """

    tab: Page
    address: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def go(self, view):
        self.tab.goto(self.address + view)
        return self.tab

    @property
    def strangers(self):
        return {url for url in self.requests if not url.startswith(("data:", self.address))}


@contextmanager
def watched(browser, path, view="", *, width=1600, theme="light", **options):
    """A page in a window of its own; whatever it shows, it must do so quietly."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, **options
    )
    context.set_default_timeout(TIMEOUT)
    one = Opened(context.new_page(), path.as_uri())
    one.tab.on("request", lambda request: one.requests.append(request.url))
    one.tab.on("pageerror", lambda error: one.errors.append(str(error)))
    one.tab.on("console", lambda said: said.type == "error" and one.errors.append(said.text))
    one.tab.on("dialog", lambda dialog: (one.dialogs.append(dialog.message), dialog.dismiss()))
    one.go(view)
    yield one
    assert one.strangers == set()
    assert one.errors == []
    assert one.dialogs == []
    context.close()
