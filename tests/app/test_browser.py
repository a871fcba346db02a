"""The pages in a real browser: no errors, keyboard, phone, dark, and what axe-core finds."""

import re
import shutil

import pytest
from tests.app.conftest import TOWNS

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
BAD = ("error", "warning")
"""Kinds of messages in a console that a page must not cause."""
PHONE, DESK = {"width": 390, "height": 800}, {"width": 1100, "height": 800}


@pytest.fixture(scope="module")
def chromium():
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module", autouse=True)
def warm(site, discovery):
    """Models are loaded by the first page that needs them, which takes longer than a browser waits here."""
    site.discovery = discovery
    with site.visitor() as client:
        assert client.get("/see").status_code == 200


@pytest.fixture
def tab(chromium, site):
    """Opens a tab of a visitor, and collects what its console says."""
    contexts = []

    def open_tab(key=None, **settings):
        context = chromium.new_context(base_url=site.url, viewport=DESK, **settings)
        context.set_default_timeout(20_000)
        if key:
            context.add_cookies([{"name": "foretell_key", "value": site.keys[key], "url": site.url}])
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(message.text) if message.type in BAD else None)
        page.on("pageerror", lambda error: page.said.append(str(error)))
        contexts.append(context)
        return page

    yield open_tab
    for context in contexts:
        context.close()


def paths(site):
    """The pages, with one of each kind."""
    towns = f"/knowledge/{site.towns}"
    search = ["/knowledge", "/knowledge/new", towns, f"{towns}?q=tower&hybrid=true", f"{towns}/entries/1"]
    seeing = ["/see", "/see/clip", "/see/pairs", "/see/pairs?guess=left", "/ask", "/ask?q=what%3F"]
    runs = ["/runs", "/runs/first", "/discover", f"/discover/{site.discovery}", "/claims", "/claims/ijepa-targets"]
    return ["/", "/login", *search, "/imagine?over=hue", *seeing, *runs]


def test_every_page_opens_without_errors_and_fits_a_phone(site, tab):
    page = tab("writer")
    for path in [*paths(site), f"/knowledge/{site.evil}"]:
        page.set_viewport_size(PHONE)
        assert page.goto(path).ok, path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than a phone"
    assert page.said == []


def test_axe_finds_nothing_in_light_and_dark(site, tab):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = tab("writer")
    for path in paths(site):
        page.goto(path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page).response["violations"]
            told = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
            assert not told, f"{path}, {scheme}"


def test_a_keyboard_is_enough_to_search(site, tab):
    page = tab()
    page.goto(f"/knowledge/{site.towns}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the contents"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.type("Which tower leans?")
    page.keyboard.press("Enter")
    assert TOWNS[0] in page.locator(".result").first.inner_text()


def test_searching_works_without_scripts(site, tab):
    page = tab(java_script_enabled=False)
    page.goto("/knowledge")
    page.fill("#q", "Which tower leans?")
    page.click("form[role=search] button")
    assert TOWNS[0] in page.locator(".result").first.inner_text()


def test_an_upload_shows_its_progress_and_its_refusal(site, tab, tmp_path):
    (tmp_path / "seas.md").write_text("The Baltic has little salt.")
    (tmp_path / "empty.md").write_text("")
    page = tab("writer")
    page.goto(f"/knowledge/{site.diary}")
    page.set_input_files("#upload", tmp_path / "empty.md")
    page.click("form[data-upload] button")
    page.locator("#said").filter(has_text=re.compile(r"\.$")).wait_for()
    assert page.locator("#said").inner_text() == "Empty file."
    assert not page.locator("#progress").is_visible()
    page.set_input_files("#upload", tmp_path / "seas.md")
    page.click("form[data-upload] button")
    page.wait_for_url("**done=added#files")
    assert "seas.md" in page.locator("#files + .list").inner_text()
    assert page.said == []


def test_a_slider_changes_the_pictures(site, tab):
    page = tab()
    page.goto("/imagine")
    before = page.get_attribute("#asked", "src")
    page.focus("#p-brightness")
    page.keyboard.press("Home")
    page.locator("html[data-milliseconds]").wait_for(state="attached")
    after = page.get_attribute("#asked", "src")
    assert after != before
    assert "/0.2_" in after
    assert "brightness=0.2" in page.url
    assert page.locator("output[for=p-brightness]").inner_text() == "0.200"
    assert page.said == []
    decoded = page.locator("#decoded")
    assert "brightness=0.2" in decoded.get_attribute("src")
    assert decoded.evaluate("image => image.naturalWidth") == 32


def test_the_curve_of_surprise_runs_along_with_the_clip(site, tab):
    page = tab()
    page.goto("/see/clip")
    film = page.locator(".film").first
    if not film.evaluate("film => film.canPlayType('video/mp4; codecs=avc1.640028')"):
        pytest.skip("this Chromium plays no H.264")
    peak = page.locator("[data-seek]").first
    peak.focus()
    page.keyboard.press("Enter")
    seconds = float(peak.get_attribute("data-seek"))
    page.wait_for_function("film => !film.seeking", arg=film.element_handle())
    assert film.evaluate("film => film.currentTime") == pytest.approx(seconds, abs=0.01)
    page.wait_for_function("() => !document.querySelector('.cursor').getAttribute('d').startsWith('M46.0 ')")
    left = float(page.locator(".cursor").get_attribute("d")[1:].split()[0])
    assert left == pytest.approx(46 + 640 * seconds / 2, abs=1)
    box = page.locator(".chart svg").bounding_box()
    page.mouse.click(box["x"] + box["width"] * (46 + 320) / 700, box["y"] + box["height"] / 2)
    assert film.evaluate("film => film.currentTime") == pytest.approx(1, abs=0.02)
    assert page.said == []


def test_a_keyboard_is_enough_to_guess_and_to_ask(site, tab):
    page = tab()
    page.goto("/see/pairs")
    page.locator("button[value=right]").focus()
    page.keyboard.press("Enter")
    page.locator(".say").wait_for()
    assert "guess=right" in page.url
    page.goto("/ask")
    page.locator("#q").focus()
    page.keyboard.type("where are the dogs?")
    page.keyboard.press("Enter")
    page.locator(".say").filter(has_text="two dogs").wait_for()
    assert page.said == []


def test_dropped_pictures_are_asked_about(site, tab, tmp_path):
    page = tab("writer")
    page.goto("/ask")
    files = "() => { const data = new DataTransfer(); data.items.add(new File(['x'], 'a.png')); return data; }"
    page.dispatch_event("body", "drop", {"dataTransfer": page.evaluate_handle(files)})
    assert page.evaluate("document.querySelector('#file').files.length") == 1
    assert page.evaluate("document.activeElement.id") == "own"
    assert page.said == []
