# Copyright (c) 2026, The netcert.ndes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people in a real browser: what devices sent is text, clicks decide, and other sites' forms do not."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from scep_device import Bench, Device, new_key
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from scep_server.people.text import visible
from scep_server.server import utc_now
from support.browser import chromium, console

USER, PASSWORD = "CORP\\alice", "Pass word1"
HOSTILE = (
    "<script>document.title = 'taken over'; alert(1)</script>",
    "<img src=x onerror=\"document.title = 'taken over'\">",
    "</bdi></td></tr></table></main><form action=http://evil.invalid><button>Approve</button>",
    "' onfocus=alert(1) autofocus \"",
    "\u202egnp.exe\u2066 עברית",
    "\x07\x1b[2J\r\n",
    "x" * 800,
)
KEY = new_key()


@pytest.fixture(scope="module")
def started(need_command: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    binary, driver = need_command("chromium", "chromium"), need_command("chromedriver", "chromium-driver")
    with chromium(binary, driver, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(started: Chrome) -> Chrome:
    """One that is logged in nowhere: each test has a server of its own, on another port."""
    started.get("about:blank")
    console(started)
    return started


class Site:
    """A server in the background, where enrolments wait; people log in with a password."""

    def __init__(self, state: Path, url: str, command: Callable[..., Any]) -> None:
        self.state, self.url, self._command = state, url, command
        self.log = state / "scep-server.log"

    def command(self, *words: str) -> dict[str, Any]:
        """What a command says."""
        status, result = self._command(self.state, *words)
        assert status == 0, result
        return dict(result)

    def ask(self, *texts: str, **settings: Any) -> None:
        """Have a device ask for certificates with these texts in their subjects; with approval=none they are issued."""
        with closing(Bench(self.state, utc_now, **settings)) as bench:  # type: ignore[arg-type]
            for text in texts:
                name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, text)])
                device = Device(KEY, name.rfc4514_string(), utc_now() - dt.timedelta(days=1))
                bench.answer(bench.request(device, bench.passwords()[0]))

    def open(self, browser: Chrome, path: str = "/") -> None:
        """As somebody does who gives name and password once; from then on the browser logs in by itself."""
        browser.get(self.url.replace("//", f"//{quote(USER)}:{quote(PASSWORD)}@") + "/")
        browser.get(self.url + path)
        assert browser.title == "SCEP server", browser.page_source


@pytest.fixture(params=["basic", "ntlm"])
def site(
    request: pytest.FixtureRequest, make_state: Callable[..., Path], command: Callable[..., Any]
) -> Iterator[Site]:
    state = make_state(
        admin_page=True,
        admin_auth=[request.param],
        users_file="users",
        approval="enrolment",
        bind="127.0.0.1:0",
        keep_alive_seconds=1,  # a server that stops waits for the connections that the browser keeps
    )
    (state / "users").write_text(f"CORP:alice:{PASSWORD}\n")
    status, result = command(state, "serve", "--daemon")
    assert status == 0, result
    try:
        yield Site(state, str(result["url"]).replace("/scep", ""), command)
    finally:
        command(state, "stop")
    assert "Traceback" not in (state / "scep-server.log").read_text(errors="replace")


def shown(browser: Chrome, selector: str) -> list[str]:
    """The texts of elements as the document has them, blanks as one."""
    script = "return Array.from(document.querySelectorAll(arguments[0]), one => one.textContent)"
    return [" ".join(text.split()) for text in browser.execute_script(script, selector)]


def click(browser: Chrome, selector: str) -> None:
    browser.find_element(By.CSS_SELECTOR, selector).click()


@contextmanager
def leaving(browser: Chrome) -> Iterator[None]:
    """Whatever is done in the block leads to another page, which is waited for."""
    before = browser.find_element(By.TAG_NAME, "html")
    yield
    wait = WebDriverWait(browser, 30)
    wait.until(staleness_of(before))
    wait.until(lambda _browser: browser.execute_script("return document.readyState") == "complete")


def follow(browser: Chrome, selector: str) -> None:
    """Click on what leads to another page."""
    with leaving(browser):
        click(browser, selector)


def test_what_devices_sent_is_text(site: Site, browser: Chrome) -> None:
    site.ask(*HOSTILE)
    site.ask(*HOSTILE, approval="none")
    with site.log.open("a", encoding="utf-8") as log:
        log.writelines(f"{text!s}\n" for text in HOSTILE if "\n" not in text)
    subjects = [row["subject"] for row in site.command("requests", "list")["requests"]]
    assert len(subjects) == len(HOSTILE)
    site.open(browser, "/?text=" + quote(HOSTILE[3]))
    assert browser.find_element(By.ID, "search-text").get_attribute("value") == HOSTILE[3]
    site.open(browser)
    assert shown(browser, "#requests .subject bdi") == [visible(text) for text in subjects]
    assert sorted(shown(browser, "#certificates .subject bdi")) == sorted(visible(text) for text in subjects)
    assert {visible(text) for text in HOSTILE if "\n" not in text and len(text) < 400} <= set(shown(browser, "#log li"))
    foreign = "script, img, iframe, svg, object, embed, link, base, [onerror], [onfocus], [autofocus]"
    assert not browser.find_elements(By.CSS_SELECTOR, foreign)
    actions = browser.execute_script("return Array.from(document.forms, form => form.action)")
    assert {urlsplit(action).netloc for action in actions} == {urlsplit(site.url).netloc}
    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert.dismiss()
    assert not browser.execute_script("return document.documentElement.scrollWidth > window.innerWidth")
    assert console(browser) == []


def test_the_policy_would_stop_what_were_no_text(site: Site, browser: Chrome) -> None:
    """Also if some text ever came through as markup."""
    site.open(browser)
    assert console(browser) == []
    browser.execute_script("""
        document.querySelector('main').innerHTML = `
            <style>h1 { display: none }</style><img src="/healthz" onerror="document.title = 'taken over'">
            <iframe src="/"></iframe><p style="position: fixed" onclick="document.title = 'taken over'">x</p>`;
        const script = document.createElement('script');
        script.textContent = "document.title = 'taken over'";
        document.body.append(script);
    """)
    click(browser, "main p")
    assert browser.title == "SCEP server" and browser.find_element(By.TAG_NAME, "h1").is_displayed()
    violated = "\n".join(console(browser))
    for directive in ("script-src", "style-src", "img-src", "frame-src"):
        assert directive in violated or "default-src" in violated, violated


def test_clicks_decide(site: Site, browser: Chrome) -> None:
    site.ask("one", "two")
    site.open(browser)
    with leaving(browser):
        browser.find_element(By.CSS_SELECTOR, "#requests button").send_keys(Keys.ENTER)
    (status,) = shown(browser, "[role=status]")
    (row,) = site.command("requests", "list", "--state", "issued")["requests"]
    assert (
        status == f"Request 1 (OU=one) was granted: certificate {row['serial']}. Its client gets it when it asks again."
    )

    browser.refresh()  # asks nothing, and does nothing again
    assert shown(browser, "[role=status]") == [status]

    click(browser, "#requests summary")
    browser.find_element(By.CSS_SELECTOR, "#requests details input[name=reason]").send_keys("<b>not ours")
    follow(browser, "#requests details button")
    assert shown(browser, "[role=status]") == ["Request 2 (OU=two) was denied: <b>not ours."]
    (denied,) = site.command("requests", "list", "--state", "denied")["requests"]
    assert denied["reason"] == "<b>not ours"

    with leaving(browser):
        browser.find_element(By.ID, "search-text").send_keys("ou=ONE" + Keys.ENTER)
    assert shown(browser, "#certificates .subject code") == [row["serial"]]
    click(browser, "#certificates summary")
    Select(browser.find_element(By.CSS_SELECTOR, "#certificates select[name=reason]")).select_by_visible_text(
        "cessationOfOperation"
    )
    follow(browser, "#certificates details button")
    assert shown(browser, "[role=status]") == [f"Certificate {row['serial']} (OU=one) is revoked."]
    (certificate,) = site.command("certificates", "list")["certificates"]
    assert (certificate["state"], certificate["reason"]) == ("revoked", "cessationOfOperation")
    done = [(line["outcome"], line["reason"]) for line in site.command("audit")["records"]]
    assert done[2:] == [
        ("approved", f"by {USER}"),
        ("denied", f"<b>not ours, by {USER}"),
        ("revoked", f"cessationOfOperation, by {USER}"),
    ]
    assert f"approve by {USER}: 1" in " ".join(shown(browser, "#log li"))
    assert console(browser) == []


def test_what_was_decided_meanwhile(site: Site, browser: Chrome) -> None:
    site.ask("one")
    site.open(browser)
    site.command("requests", "deny", "1")
    follow(browser, "#requests button")
    assert browser.title == "Conflict"
    assert shown(browser, "[role=alert]") == ["Request 1 does not wait any more: it was denied."]
    follow(browser, "a")
    assert browser.title == "SCEP server" and not shown(browser, "#requests button")


@contextmanager
def other_site(page: str) -> Iterator[int]:
    """A page on another port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<!DOCTYPE html><title>elsewhere</title><body>{page}</body>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield http.server_address[1]
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def form(site: Site, token: str, kind: str = "application/x-www-form-urlencoded") -> str:
    return (
        f'<form method="post" enctype="{kind}" action="{site.url}/people/approve">'
        f'<input name="target" value="1"><input name="token" value="{token}"><button>Win a prize</button></form>'
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "another port of the same host"])
@pytest.mark.parametrize("stolen", [False, True], ids=["without a token", "with a token"])
def test_a_form_on_another_site_is_refused(site: Site, browser: Chrome, host: str, stolen: bool) -> None:
    """The browser logs in by itself: without the guards, the click would approve."""
    site.ask("one")
    site.open(browser)
    found = browser.find_element(By.CSS_SELECTOR, "#requests input[name=token]").get_attribute("value")
    with other_site(form(site, str(found) if stolen else "")) as port:
        browser.get(f"http://{host}:{port}/")
        follow(browser, "button")
    assert browser.current_url == f"{site.url}/people/approve" and browser.title == "Forbidden"
    assert "Nothing was changed." in shown(browser, "[role=alert]")[0]
    assert f"a form of {USER} was not taken: approve" in site.log.read_text(), "the browser did not log in"
    assert [row["id"] for row in site.command("requests", "list")["requests"]] == [1]
    follow(browser, "a")
    follow(browser, "#requests button")
    assert "was granted" in shown(browser, "[role=status]")[0], "on the page itself it does"


def test_other_ways_from_another_site(site: Site, browser: Chrome) -> None:
    """As a text, by a script, and by a frame that a click is led into."""
    site.ask("one")
    site.open(browser)
    token = str(browser.find_element(By.CSS_SELECTOR, "#requests input[name=token]").get_attribute("value"))
    script = f"""<script>
        fetch("{site.url}/people/approve", {{method: "POST", mode: "no-cors", credentials: "include",
            headers: {{"Content-Type": "application/x-www-form-urlencoded"}}, body: "target=1&token={token}"}})
            .catch(error => error).then(() => document.title = "sent");
        </script>"""
    with other_site(form(site, token, "text/plain") + f'<iframe src="{site.url}/"></iframe>' + script) as port:
        browser.get(f"http://127.0.0.1:{port}/")  # for another host the browser would not log in by a script
        deadline = time.monotonic() + 20
        while browser.title != "sent" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert browser.title == "sent"
        browser.switch_to.frame(0)
        assert "Requests" not in browser.page_source
        browser.switch_to.default_content()
        assert "frame-ancestors" in "\n".join(console(browser))
        follow(browser, "button")
    assert "The ASN.1 structure is truncated." in browser.page_source, "it is taken for a device that posts"
    assert [row["id"] for row in site.command("requests", "list")["requests"]] == [1]
