"""Linking by signing in at the ATS: a browser is sent to a real authorization server, oidc-provider,
and comes back to the callback. Here a small client stands for the browser."""
import http.client
import os
import re
import threading
import unittest
import urllib.parse

from harness import Client
from test_oauth import OAuthCase

PUBLIC = "http://tenon.test"
PAGE = ('<!doctype html><html><head><meta name="tenon-callback" content="">'
        "</head><body></body></html>")


class Browser:
    """Follows redirects and keeps cookies, by host."""

    def __init__(self, places):
        self.places, self.cookies = places, {}

    def get(self, url, stop_at=None):
        while True:
            parts = urllib.parse.urlsplit(url)
            jar = self.cookies.setdefault(parts.netloc, {})
            connection = http.client.HTTPConnection(self.places.get(parts.netloc, parts.netloc),
                                                    timeout=30)
            target = parts.path + ("?" + parts.query if parts.query else "")
            headers = {"Host": parts.netloc}
            if jar:
                headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in jar.items())
            connection.request("GET", target, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            self.keep(jar, answer.headers.get_all("Set-Cookie") or [])
            connection.close()
            if answer.status not in (302, 303):
                return url, answer.status, text
            url = urllib.parse.urljoin(url, answer.headers["Location"])
            if stop_at is not None and url.startswith(stop_at):
                return url, answer.status, text

    def keep(self, jar, lines):
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            jar[name] = value


INSTALL = '''error_message: error
post_install: {call: user.get, context: {user_id: $string(id)}}
'''
USER = '''  user:
    get: {request: GET /user, item: user, describe: Show who signed in. Requires nothing. Returns id.}
'''


class SigningIn(OAuthCase):
    def setUp(self):
        os.environ["REDIRECT_URI"] = PUBLIC + "/link/callback"
        os.environ["TENON_PUBLIC_URL"] = PUBLIC
        self.addCleanup(os.environ.pop, "REDIRECT_URI")
        self.addCleanup(os.environ.pop, "TENON_PUBLIC_URL")
        super().setUp()
        self.page = Client(self.serve.host)
        self.addCleanup(self.page.close)
        self.browser = Browser({"tenon.test": self.serve.host})

    def start(self, workers="2"):
        (self.share / "web" / "link").mkdir(parents=True, exist_ok=True)
        (self.share / "web" / "link" / "callback.html").write_text(PAGE)
        path = self.share / "connectors" / "grantly" / "connector.yaml"
        text = path.read_text()
        if INSTALL not in text:
            path.write_text(text.replace("resources:\n", INSTALL + "resources:\n" + USER))
        super().start(workers)

    def session(self, **asked):
        asked = {"tenant_id": "customer 7", **asked}
        status, _, made = self.client.request("POST", "/link-token", asked)
        self.assertEqual(status, 201, made)
        status, _, opened = self.page.request(
            "POST", "/link/session", {"mode": "same_window"},
            {"Authorization": f"Bearer {made['link_token']}"})
        self.assertEqual(status, 201, opened)
        return opened["session"]

    def ask(self, session, method, path, body=None):
        return self.page.request(method, path, body, {"Authorization": f"Bearer {session}"})

    def begin(self, session, browser=None):
        """The address to go to; the cookie is the browser's then."""
        status, headers, body = self.ask(session, "POST", "/link/oauth/start",
                                         {"connector": "grantly", "format": "oauth2"})
        self.assertEqual(status, 200, body)
        cookie = headers["set-cookie"]
        for word in ("HttpOnly", "SameSite=Lax", "Path=/link", "Max-Age=600"):
            self.assertIn(word, cookie)
        (browser or self.browser).keep((browser or self.browser).cookies.setdefault("tenon.test", {}),
                                       [cookie])
        return body["authorize_url"].replace("https://grantly.example", self.provider.url)

    def outcome(self, page):
        return re.search('name="tenon-callback" content="([a-z_]*)"', page)[1]

    def stand(self, session):
        return self.ask(session, "GET", "/link/session")[2]

    def test_signs_in_and_reads(self):
        session = self.session()
        url = self.begin(session)
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        self.assertEqual(asked["code_challenge_method"], "S256")
        _, status, page = self.browser.get(url)
        self.assertEqual((status, self.outcome(page)), (200, "connected"), page)
        stand = self.stand(session)
        self.assertEqual(stand["status"], "connected")
        account = stand["integrated_account_id"]
        _, _, shown = self.client.get("/integrated-account/" + account)
        self.assertEqual((shown["authentication_method"], shown["tenant_id"], shown["status"]),
                         ("oauth2", "customer 7", "active"))
        self.assertIn("candidates.read", shown["scopes"])
        status, _, page = self.client.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual(status, 200, page)
        # Linked anew it keeps its id.
        again = self.session(tenant_id=None, integrated_account_id=account)
        _, status, page = self.browser.get(self.begin(again))
        self.assertEqual(self.outcome(page), "connected")
        self.assertEqual(self.stand(again)["integrated_account_id"], account)
        status, _, page = self.client.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual(status, 200, page)

    def events(self, account):
        _, _, page = self.client.get("/events", integrated_account_id=account)
        return [one["event"].removeprefix("integrated_account:") for one in page["result"]]

    def sign_in(self, session):
        return self.outcome(self.browser.get(self.begin(session))[2])

    def show(self, account):
        return self.client.get("/integrated-account/" + account)[2]

    def refuse(self, **faults):
        self.provider.ask("faults", **{"/ats/" + path: status for path, status in faults.items()})

    def test_tokens_are_kept_though_the_check_fails(self):
        session = self.session()
        self.refuse(candidates=403)
        self.assertEqual(self.sign_in(session), "right_missing")
        stand = self.stand(session)
        account = stand["integrated_account_id"]
        self.assertEqual((stand["status"], stand["account_status"], stand["error"],
                          stand["post_connect"]),
                         ("open", "validation_error", "right_missing", None))
        shown = self.show(account)
        self.assertEqual((shown["status"], shown["tenant_id"]), ("validation_error", "customer 7"))
        self.assertIn("not now", shown["last_error"]["message"])
        self.assertEqual(self.events(account), ["created", "validation_error"])
        # A form belongs to an account that is linked.
        status, _, refusal = self.ask(session, "POST", "/link/form", {"values": {}})
        self.assertEqual(status, 409, refusal)
        # Another try in the same page is for the same account.
        self.assertEqual(self.sign_in(session), "right_missing")
        self.refuse()
        self.assertEqual(self.sign_in(session), "connected")
        stand = self.stand(session)
        self.assertEqual((stand["status"], stand["account_status"], stand["error"],
                          stand["integrated_account_id"]), ("connected", "active", None, account))
        shown = self.show(account)
        self.assertEqual((shown["status"], shown["last_error"]), ("active", None))
        self.assertEqual(shown["context"]["user_id"], "7")
        self.assertEqual(self.events(account),
                         ["created", "validation_error", "updated", "validation_error", "updated",
                          "reactivated", "updated"])

    def broken(self, status=403):
        """An account which the ATS did not take."""
        session = self.session()
        self.refuse(candidates=status)
        self.sign_in(session)
        account = self.stand(session)["integrated_account_id"]
        self.assertEqual(self.show(account)["status"], "validation_error")
        return account

    def test_a_call_that_succeeds_makes_it_active(self):
        account = self.broken()
        status, _, _ = self.client.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual((status, self.show(account)["status"]), (403, "validation_error"))
        self.refuse()
        status, _, _ = self.client.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual((status, self.show(account)["status"]), (200, "active"))

    def test_a_refresh_checks_again(self):
        account = self.broken()
        path = f"/integrated-account/{account}/refresh-credentials"
        status, _, shown = self.client.request("POST", path)
        self.assertEqual((status, shown["status"]), (200, "validation_error"), shown)
        self.refuse()
        status, _, shown = self.client.request("POST", path)
        self.assertEqual((status, shown["status"], shown["context"].get("user_id")),
                         (200, "active", "7"), shown)

    def test_other_credentials_are_another_try(self):
        account = self.broken()
        body = {"authentication_method": "oauth2", "credentials": self.provider.ask("grant")}
        path = f"/integrated-account/{account}/credentials"
        self.assertEqual(self.client.request("PATCH", path, body)[0], 400)
        self.refuse()
        status, _, shown = self.client.request("PATCH", path, body)
        self.assertEqual((status, shown["status"]), (200, "active"), shown)

    def test_what_is_asked_afterwards_fails(self):
        session = self.session()
        self.refuse(user=403)
        self.assertEqual(self.sign_in(session), "connected")
        stand = self.stand(session)
        account = stand["integrated_account_id"]
        self.assertEqual((stand["status"], stand["account_status"]),
                         ("connected", "post_install_error"))
        shown = self.show(account)
        self.assertEqual(shown["status"], "post_install_error")
        self.assertIn("not now", shown["last_error"]["message"])
        self.assertEqual(self.events(account), ["created", "active", "post_install_error"])
        # It can be used all the same, which does not mend it.
        status, _, _ = self.client.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual((status, self.show(account)["status"]), (200, "post_install_error"))
        # Linking it anew asks again.
        self.refuse()
        again = self.session(tenant_id=None, integrated_account_id=account)
        self.assertEqual(self.sign_in(again), "connected")
        shown = self.show(account)
        self.assertEqual((shown["status"], shown["context"]), ("active", {"user_id": "7"}))
        self.assertEqual(self.events(account)[3:], ["updated", "reactivated", "updated"])
        # And once more: what is found again takes the place of what was found before.
        again = self.session(tenant_id=None, integrated_account_id=account)
        self.assertEqual(self.sign_in(again), "connected")
        [[kept]] = self.query("SELECT context FROM account WHERE id = ?", account)
        self.assertEqual(kept.count("user_id"), 1, kept)

    def test_a_server_that_dies_during_the_check_has_the_tokens(self):
        session = self.session()
        back, _, _ = self.browser.get(self.begin(session), stop_at=PUBLIC)
        self.provider.ask("faults", **{"/ats/candidates": -1})  # no answer
        asking = threading.Thread(target=self.go, args=(back,))
        asking.start()
        self.provider.ask("wait")
        account = self.stand(session)["integrated_account_id"]
        self.assertEqual(self.show(account)["status"], "connecting")
        self.serve.process.kill()
        asking.join()
        self.refuse()
        self.restart()
        self.assertEqual(self.show(account)["status"], "connecting")
        status, _, _ = self.client.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual((status, self.show(account)["status"]), (200, "active"))

    def go(self, url):
        try:
            self.browser.get(url)
        except (OSError, http.client.HTTPException):
            pass

    def test_a_callback_is_good_once_and_for_its_own_browser(self):
        session = self.session()
        back, _, _ = self.browser.get(self.begin(session), stop_at=PUBLIC)
        stranger = Browser({"tenon.test": self.serve.host})
        _, _, page = stranger.get(back)
        self.assertNotEqual(self.outcome(page), "connected")
        self.assertEqual(self.stand(session)["status"], "open")
        # The state is used up by it, whoever came.
        _, _, page = self.browser.get(back)
        self.assertNotEqual(self.outcome(page), "connected")
        back, _, _ = self.browser.get(self.begin(session), stop_at=PUBLIC)
        _, _, page = self.browser.get(back)
        self.assertEqual(self.outcome(page), "connected")
        _, _, page = self.browser.get(back)
        self.assertNotEqual(self.outcome(page), "connected")

    def test_what_somebody_made_up(self):
        session = self.session()
        self.begin(session)
        for query in ("", "state=x&code=y", "error=access_denied", "state=" + 64 * "a"):
            _, status, page = self.browser.get(f"{PUBLIC}/link/callback?{query}")
            self.assertEqual((status, self.outcome(page)), (200, "sign_in_failed"), query)
        self.assertEqual(self.stand(session)["status"], "open")

    def test_declined(self):
        session = self.session()
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.begin(session)).query))
        _, _, page = self.browser.get(
            f"{PUBLIC}/link/callback?error=access_denied&state={asked['state']}")
        self.assertEqual(self.outcome(page), "sign_in_declined")
        self.assertEqual(self.stand(session)["status"], "open")


if __name__ == "__main__":
    unittest.main()
