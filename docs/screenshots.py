"""Take the pictures in docs/images from a running Frontdesk with the example shop.

FRONTDESK_ADMIN_PASSWORD=… make run
FRONTDESK_ADMIN_PASSWORD=… .venv/bin/python docs/screenshots.py
"""

import os
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ADDRESS = os.environ.get("FRONTDESK_TEST_ADDRESS", "http://127.0.0.1:8080")
IMAGES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-sync"]

DESKTOP = {"width": 1000, "height": 720}
PHONE = {"width": 390, "height": 780}
QUESTIONS = {
    "en": ("How long do I have to return a jacket?", "And what does it cost me?"),
    "zh": ("买的外套多久之内可以退？", "退货运费谁出？"),
}


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        for language in QUESTIONS:
            chat(browser, language, DESKTOP, "light", f"chat-{language}")
        chat(browser, "en", PHONE, "dark", "chat-phone")
        admin(browser)
        browser.close()


def chat(browser: Browser, language: str, size: dict[str, int], scheme: str, name: str) -> None:
    """Ask the questions on the page and take its picture."""
    page = open_page(browser, size, scheme)
    page.goto(f"{ADDRESS}/?lang={language}")
    for number, question in enumerate(QUESTIONS[language], start=1):
        page.get_by_role("textbox").fill(question)
        page.keyboard.press("Enter")
        page.locator("#log a").nth(number - 1).wait_for(timeout=60_000)
    page.screenshot(path=IMAGES / f"{name}.png")
    page.close()


def admin(browser: Browser) -> None:
    """Log in, and take pictures of the list and of one transcript."""
    page = open_page(browser, {"width": 1200, "height": 900}, "light")
    page.goto(f"{ADDRESS}/admin/?lang=en")
    page.locator("input[type=password]").fill(os.environ["FRONTDESK_ADMIN_PASSWORD"])
    page.keyboard.press("Enter")
    page.locator("a[href*='/admin/conversations/']").first.wait_for()
    page.screenshot(path=IMAGES / "admin-list.png")
    page.locator("a[href*='/admin/conversations/']").first.click()
    page.locator("details").first.wait_for()
    page.locator("details summary").first.click()
    page.screenshot(path=IMAGES / "admin-transcript.png", full_page=True)
    page.close()


def open_page(browser: Browser, size: dict[str, int], scheme: str) -> Page:
    """Return a page of its own, with its own storage."""
    return browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=1)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
