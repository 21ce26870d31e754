"""The page in a real headless Chromium."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.web.conftest import observation

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed; pip install 'edgecnn[dev]'")

from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

SECONDS = 60


@pytest.fixture
def browser(program, tmp_path: Path) -> Iterator:
    options = webdriver.ChromeOptions()
    options.binary_location = str(program("chromium"))
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1100,900",
    ):  # fmt: skip
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(program("chromedriver"))))
    yield driver
    driver.quit()


def wait(browser, condition) -> None:
    WebDriverWait(browser, SECONDS, 0.1).until(lambda _: condition())


def text_of(browser, name: str) -> str:
    return browser.find_element(By.ID, name).text


def shoot(browser, name: str) -> None:
    """Keep a screenshot where somebody asked for them."""
    folder = os.environ.get("EDGECNN_SCREENSHOTS")
    if folder:
        browser.save_screenshot(str(Path(folder) / name))


def test_frames_number_and_buttons(serve, browser) -> None:
    from tests.web.conftest import Loop

    page, stop, loop = serve(), threading.Event(), Loop()
    page.attach(loop)

    def camera() -> None:
        index = 0
        while not stop.is_set():
            if not loop.paused:
                page.take(observation(index, "347", side=480))
                index += 1
            time.sleep(0.03)

    thread = threading.Thread(target=camera)
    thread.start()
    try:
        browser.get(page.url)
        wait(browser, lambda: text_of(browser, "number") == "347")
        loaded = "return document.getElementById('picture').naturalWidth"
        wait(browser, lambda: browser.execute_script(loaded) == 480)
        assert "ms" in text_of(browser, "age")
        shoot(browser, "page-live.png")
        browser.find_element(By.ID, "toggle").click()
        wait(browser, lambda: loop.paused and text_of(browser, "toggle") == "Start")
        browser.find_element(By.ID, "toggle").click()
        wait(browser, lambda: not loop.paused and text_of(browser, "toggle") == "Stop")
        serious = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert serious == []
    finally:
        stop.set()
        thread.join()


def test_page_is_there_before_the_camera_and_sees_it_come(serve, browser) -> None:
    page = serve()
    browser.get(page.url)
    wait(browser, lambda: text_of(browser, "state") == "no frame yet")
    page.tell("camera 0: /dev/video0 is absent; cameras here: none; trying again every 15 s")
    wait(browser, lambda: text_of(browser, "state").endswith("trying again every 15 s"))
    shoot(browser, "page-waiting.png")
    page.take(observation(1, "347", side=480))
    wait(browser, lambda: text_of(browser, "number") == "347")
    loaded = "return document.getElementById('picture').naturalWidth"
    wait(browser, lambda: browser.execute_script(loaded) == 480)
    wait(browser, lambda: text_of(browser, "state") == "")


def test_last_picture_stays_after_the_source_has_ended(serve, browser) -> None:
    page = serve()
    page.take(observation(1, "347", side=480))
    page.hub.close()
    loaded = "return document.getElementById('picture').naturalWidth"
    for _ in range(2):  # again after everybody has left
        browser.get(page.url)
        wait(browser, lambda: text_of(browser, "state") == "the source has ended")
        assert text_of(browser, "number") == "347"
        wait(browser, lambda: browser.execute_script(loaded) == 480)
        assert not browser.find_element(By.ID, "toggle").is_enabled()
        browser.get("about:blank")


def test_a_film_shows_its_position_and_nothing_lies_over_its_picture(serve, browser) -> None:
    page = serve()
    page.take(observation(1689, "347", side=480, video=True))
    browser.get(page.url)
    wait(browser, lambda: text_of(browser, "age") == "0:01:07.56")
    assert (text_of(browser, "when"), text_of(browser, "live-title")) == ("position", "Video")
    assert not browser.find_element(By.ID, "rate").is_displayed()
    loaded = "return document.getElementById('picture').naturalWidth"
    wait(browser, lambda: browser.execute_script(loaded) == 480)
    page.hub.close()
    wait(browser, lambda: text_of(browser, "state") == "the source has ended")
    shoot(browser, "page-ended.png")
    picture, state = (browser.find_element(By.ID, name).rect for name in ("picture", "state"))
    assert state["y"] >= picture["y"] + picture["height"]
    assert text_of(browser, "age") == "0:01:07.56"


def test_drawn_seven_is_read_as_seven(serve, browser) -> None:
    page = serve()
    browser.get(page.url)
    canvas = browser.find_element(By.ID, "canvas")
    pen = ActionChains(browser, duration=20).move_to_element_with_offset(canvas, -80, -100).click_and_hold()
    for dx, dy in [(40, 0)] * 4 + [(-13, 33)] * 6:
        pen = pen.move_by_offset(dx, dy)
    pen.release().perform()
    wait(browser, lambda: text_of(browser, "answer") == "7")
    assert text_of(browser, "details").startswith("7")
    shoot(browser, "page-drawn.png")
    browser.find_element(By.ID, "clear").click()
    assert text_of(browser, "details") == ""


def test_uploaded_pictures_are_read_or_refused(serve, browser, tmp_path: Path) -> None:
    page = serve()
    browser.get(page.url)
    picture = np.full((300, 300, 3), 235, np.uint8)
    cv2.line(picture, (150, 60), (150, 240), (30, 30, 30), 14, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "one.png"), picture)
    (tmp_path / "letter.png").write_text("no picture")
    upload = browser.find_element(By.ID, "file")
    upload.send_keys(str(tmp_path / "one.png"))
    wait(browser, lambda: text_of(browser, "answer") == "1")
    upload.send_keys(str(tmp_path / "letter.png"))
    wait(browser, lambda: browser.find_element(By.ID, "answer").get_attribute("class") == "bad")


def test_photograph_is_read(serve, browser, photos: Path) -> None:
    page = serve()
    browser.get(page.url)
    browser.find_element(By.ID, "file").send_keys(str(photos / "webcam-20210104-215724.png"))
    wait(browser, lambda: text_of(browser, "answer") == "345678")
    shoot(browser, "page-photo.png")
