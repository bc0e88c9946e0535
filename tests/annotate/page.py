"""An annotator at Label Studio's labelling page: a real browser, its mouse and its keyboard."""

import io
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, Response, expect

from tests.browser import TIMEOUT

SETTLED = 300
"""Milliseconds after which a page that looks the same has drawn everything."""

BRUSH = 15
"""Width of a stroke in pixels of the page, however large it shows the photo."""

_IS_SHOWN = """() => {
    const store = window.Htx?.annotationStore;
    const photo = store?.selected?.objects[0];
    const regions = store?.selected?.regions ?? [];
    const has_begun = regions.length > 0 || store?.predictions.length === 0;
    return photo?.imageIsLoaded && has_begun && regions.every(one => !one.rle || one.imageData);
}"""

_CHANGES = "() => window.Htx.annotationStore.selected.history.undoIdx"


@dataclass(frozen=True)
class AnnotatorPage:
    """The page as one annotator sees it, and what it asked for since the log-in.

    Attributes:
        tab: the browser's own handle.
        server: the server's address.
        requests: every address that was asked, by the page or its workers.
        answers: what the page got.
        dialogs: what dialogs said; only scripts that were slipped in open any.
    """

    tab: Page
    server: str
    requests: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @property
    def strangers(self):
        """Requests that left the machine."""
        return [url for url in self.requests if not _is_local(url)]

    @property
    def task(self):
        """The task that the server chose, as it told the page."""
        return [one for one in self.answers if "id=next_task" in one.url][-1].json()

    @property
    def photo(self) -> Locator:
        return self.tab.get_by_alt_text("image", exact=True)

    @property
    def regions(self) -> Locator:
        """The regions that the page lists, from the lowest to the topmost."""
        return self.tab.locator(".lsf-outliner-item__title")

    @property
    def chosen(self) -> Locator:
        """The label that is highlighted: the next stroke's."""
        return self.tab.locator(".lsf-label_selected .lsf-label__text")

    @property
    def tool(self) -> Locator:
        """The tool in hand."""
        return self.tab.locator(".lsf-tool_active")

    def label(self, name) -> Locator:
        """A class in the column of labels."""
        labels = self.tab.locator(".lsf-label")
        return labels.filter(has=self.tab.get_by_text(name, exact=True))

    def open_stream(self, project):
        """Let the server choose the next photo for this annotator."""
        self._open(f"/projects/{project}/data?labeling=1")

    def open_task(self, project, task):
        self._open(f"/projects/{project}/data?task={task}")

    def choose_by_filter(self, name):
        """Type a class's name into the box above the labels, and take the first one it leaves."""
        # A busy page shows the photo before it listens to keys.
        for _ in range(100):
            self.press("Shift+F")
            self.tab.wait_for_timeout(SETTLED)
            if self.tab.evaluate("document.activeElement.tagName") == "INPUT":
                break
        self.tab.keyboard.type(name)
        self.tab.keyboard.press("Enter")
        expect(self.chosen).to_have_text(name)

    def press(self, key):
        self.tab.keyboard.press(key)

    def take_eraser(self):
        self.tab.get_by_role("button", name="eraser", exact=True).click()

    def draw(self, *points):
        """Lead the tool in hand along points, each a share (x, y) of the photo's sides."""
        before = self.tab.evaluate(_CHANGES)
        box = self.photo.bounding_box()
        (first, *others) = [
            (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points
        ]
        mouse = self.tab.mouse
        mouse.move(*first)
        mouse.down()
        for point in others:
            mouse.move(*point, steps=10)
        mouse.up()
        self._wait_for_changes(before + 1)
        # Beside the photo, where the tool's outline hides nothing.
        mouse.move(box["x"], box["y"] - 5)

    def undo(self):
        before = self.tab.evaluate(_CHANGES)
        self.press("Control+z")
        self._wait_for_changes(before - 1)

    def submit(self):
        """Hand in what is drawn, and wait until the server has stored it."""
        self._hand_in("submit")

    def skip(self):
        """Skip the photo, and wait until the server has stored it."""
        self._hand_in("skip")

    def pixels(self):
        """The photo under its regions once nothing moves any more, uint8 (h, w, 3)."""
        last, shown = None, self._photo_screenshot()
        while shown != last:
            self.tab.wait_for_timeout(SETTLED)
            last, shown = shown, self._photo_screenshot()
        return np.asarray(Image.open(io.BytesIO(shown)).convert("RGB"))

    def save_screenshot(self, path):
        self.tab.screenshot(path=path)

    def _open(self, address):
        self.tab.goto(self.server + address)
        self.wait_until_shown()

    def wait_until_shown(self):
        """Wait for the photo and the regions that it begins with."""
        self.tab.wait_for_function(_IS_SHOWN)

    def _photo_screenshot(self):
        return self.tab.screenshot(clip=self.photo.bounding_box())

    def _wait_for_changes(self, count):
        self.tab.wait_for_function(f"count => ({_CHANGES})() === count", arg=count)

    def _hand_in(self, button):
        def is_stored(response):
            asked = response.request
            return asked.method == "POST" and urlsplit(asked.url).path.endswith("/annotations")

        with self.tab.expect_response(is_stored) as stored:
            self.tab.get_by_test_id(f"bottombar-{button}-button").click()
        assert stored.value.status == 201


def log_in(browser, server, account, size=(1280, 800)):
    """Log in through the server's page of that purpose, in a window of its own.

    Args:
        browser: a running browser.
        server: the server's address.
        account: the annotator's.
        size: of the window, in pixels.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(TIMEOUT)
    opened = AnnotatorPage(context.new_page(), server)

    def keep(response):
        opened.answers.append(response)

    def dismiss(dialog):
        opened.dialogs.append(dialog.message)
        dialog.dismiss()

    context.on("request", lambda request: opened.requests.append(request.url))
    context.on("response", keep)
    opened.tab.on("websocket", lambda socket: opened.requests.append(socket.url))
    opened.tab.on("dialog", dismiss)
    # Whoever logged in is led on; the version is the lightest page.
    opened.tab.goto(f"{server}/user/login/?next={quote('/version')}")
    opened.tab.locator("input[name=email]").fill(account.email)
    opened.tab.locator("input[name=password]").fill(account.password)
    opened.tab.locator("button[type=submit]").click()
    opened.tab.wait_for_url(f"{server}/version")
    return opened


def _is_local(url):
    address = urlsplit(url.removeprefix("blob:"))
    return address.scheme == "data" or address.hostname == "127.0.0.1"
