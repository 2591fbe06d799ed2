"""Linking by the customer: what the link page calls, and the files it is made of."""
import json
import os
import threading
import unittest

from harness import COMPANY, ROOT, TOKEN, Case, Client, Process, create_key, link_account, run_tenon

ORIGIN = "https://customer.example"


class LinkCase(Case):
    """A server, an administrator's client, and one without a key."""

    def setUp(self):
        super().setUp()
        self.box = self.sandbox("--candidates", "20")
        self.serve = self.server(self.box, *self.server_options())
        self.admin = self.client_of(create_key(self.data, "production", "--scope", "admin",
                                               "--scope", "call")["key"])
        self.page = self.client_of(None)

    def server_options(self):
        return ()

    def client_of(self, key):
        client = Client(self.serve.host, key)
        self.addCleanup(client.close)
        return client

    def token(self, **asked):
        asked.setdefault("tenant_id", "customer 7")
        status, _, body = self.admin.request("POST", "/link-token", asked)
        self.assertEqual(status, 201, body)
        return body

    def open(self, token, client=None, **asked):
        asked = {"origin": ORIGIN, "mode": "iframe", **asked}
        return (client or self.page).request("POST", "/link/session", asked,
                                             {"Authorization": f"Bearer {token}"})

    def opened(self, **asked):
        status, _, body = self.open(self.token(**asked)["link_token"])
        self.assertEqual(status, 201, body)
        return body

    def ask(self, session, method, path, body=None):
        status, _, answer = self.page.request(method, path, body,
                                              {"Authorization": f"Bearer {session}"})
        return status, answer

    def connect(self, session, company=COMPANY, token=TOKEN, **more):
        return self.ask(session, "POST", "/link/connect",
                        {"connector": "recruitee", "format": "api_key",
                         "context": {"company_id": company}, "credentials": {"api_token": token},
                         **more})


class LinkTokens(LinkCase):
    def test_made_listed_revoked(self):
        made = self.token(connectors=["recruitee"], allowed_origins=[ORIGIN], language="nl",
                          theme={"accent": "#123456"}, redirect_uri="https://customer.example/done")
        self.assertRegex(made["link_token"], "^tlink_[0-9A-Za-z]{38}$")
        self.assertTrue(made["link_url"].endswith("/link#token=" + made["link_token"]))
        status, _, page = self.admin.get("/link-token")
        self.assertEqual(status, 200)
        self.assertEqual([row["id"] for row in page["result"]], [made["id"]])
        self.assertEqual(page["result"][0]["status"], "valid")
        self.assertNotIn(made["link_token"], json.dumps(page))
        status, _, gone = self.admin.request("DELETE", "/link-token/" + made["id"])
        self.assertEqual((status, gone), (200, {"id": made["id"]}))
        self.assertEqual(self.admin.get("/link-token")[2]["result"][0]["status"], "revoked")
        status, _, body = self.open(made["link_token"])
        self.assertEqual((status, body["reason"]), (401, "link_token_unknown"))
        status, _, body = self.admin.request("DELETE", "/link-token/lnk_00000000000000000000000000")
        self.assertEqual((status, body["error"]), (404, "not_found"))

    def test_pages_of_the_list(self):
        ids = [self.token()["id"] for _ in range(5)]
        seen, cursor = [], None
        while True:
            query = {"limit": 2, **({"next_cursor": cursor} if cursor else {})}
            _, _, page = self.admin.get("/link-token", **query)
            seen += [row["id"] for row in page["result"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self.assertEqual(sorted(seen), sorted(ids))
        self.assertEqual(seen, sorted(seen, reverse=True))

    def test_what_a_token_may_not_be(self):
        for asked, field in (
                ({}, "tenant_id"),
                ({"tenant_id": "a", "integrated_account_id": "acc_1"}, "tenant_id"),
                ({"tenant_id": "a", "expires_in": 59}, "expires_in"),
                ({"tenant_id": "a", "expires_in": 86401}, "expires_in"),
                ({"tenant_id": "a", "expires_in": "soon"}, "expires_in"),
                ({"tenant_id": "a", "connectors": ["no-such"]}, "connectors"),
                ({"tenant_id": "a", "connectors": "recruitee"}, "connectors"),
                ({"tenant_id": "a", "allowed_origins": ["https://a.example/"]}, "allowed_origins"),
                ({"tenant_id": "a", "allowed_origins": ["*"]}, "allowed_origins"),
                ({"tenant_id": "a", "redirect_uri": "http://a.example/"}, "redirect_uri"),
                ({"tenant_id": "a", "redirect_uri": "javascript:alert(1)"}, "redirect_uri"),
                ({"tenant_id": "a", "redirect_uri": "https://a.example/#x"}, "redirect_uri"),
                ({"tenant_id": "a", "language": "e n"}, "language"),
                ({"tenant_id": "a", "context": []}, "context"),
                ({"integrated_account_id": "acc_00000000000000000000000000"},
                 "integrated_account_id"),
                ({"tenant_id": "a", "colour": "red"}, "body")):
            status, _, body = self.admin.request("POST", "/link-token", asked)
            self.assertIn(status, (400, 404), (asked, body))
            self.assertEqual(body["field"], field, (asked, body))
        caller = self.client_of(create_key(self.data)["key"])
        self.assertEqual(caller.request("POST", "/link-token", {"tenant_id": "a"})[0], 403)

    def test_another_environment_sees_none(self):
        made = self.token()
        other = self.client_of(create_key(self.data, "staging", "--scope", "admin")["key"])
        self.assertEqual(other.get("/link-token")[2]["result"], [])
        self.assertEqual(other.request("DELETE", "/link-token/" + made["id"])[0], 404)


class Sessions(LinkCase):
    def test_one_token_one_session(self):
        made = self.token(redirect_uri="https://customer.example/done", language="de")
        status, headers, body = self.open(made["link_token"])
        self.assertEqual(status, 201, body)
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual((body["tenant_id"], body["origin"], body["language"], body["reconnect"]),
                         ("customer 7", ORIGIN, "de", None))
        self.assertEqual(body["redirect_uri"], "https://customer.example/done")
        recruitee = next(c for c in body["connectors"] if c["name"] == "recruitee")
        [way] = recruitee["formats"]
        self.assertEqual([(f["name"], f["group"], f["secret"]) for f in way["fields"]],
                         [("company_id", "context", False), ("api_token", "credentials", True)])
        for path in (recruitee["logo"], way["help"]["picture"]):
            status, headers, _ = self.page.get(path)
            self.assertEqual((status, headers["content-type"]), (200, "image/svg+xml"))
        status, answer = self.ask(body["session"], "GET", "/link/session")
        self.assertEqual((status, answer["status"], answer["integrated_account_id"]),
                         (200, "open", None))
        status, _, body = self.open(made["link_token"])
        self.assertEqual((status, body["error"], body["reason"]), (410, "gone", "link_token_used"))

    def test_of_many_at_once_one_wins(self):
        token = self.token()["link_token"]
        statuses = []

        def claim():
            client = Client(self.serve.host)
            statuses.append(self.open(token, client)[0])
            client.close()

        threads = [threading.Thread(target=claim) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [201] + 23 * [410])

    def test_refused_origins_do_not_use_the_token_up(self):
        token = self.token(allowed_origins=[ORIGIN])["link_token"]
        status, _, body = self.open(token, origin="https://evil.example")
        self.assertEqual((status, body["reason"]), (403, "origin_refused"))
        status, _, body = self.open(token, origin=ORIGIN + "/")
        self.assertEqual((status, body["field"]), (400, "origin"))
        status, _, body = self.open(token, mode="window")
        self.assertEqual((status, body["field"]), (400, "mode"))
        status, _, body = self.open(token, connectors=["no-such"])
        self.assertEqual((status, body["field"]), (400, "connectors"))
        self.assertEqual(self.open(token)[0], 201)

    def test_unknown_tokens(self):
        for token in ("", "x", "tlink_" + 38 * "0", TOKEN):
            status, _, body = self.open(token)
            self.assertEqual((status, body["reason"]), (401, "link_token_unknown"))
        for session in ("", "x", "tsess_" + 38 * "0"):
            for method, path in (("GET", "/link/session"), ("POST", "/link/exit")):
                status, body = self.ask(session, method, path)
                self.assertEqual((status, body["reason"]), (401, "session_unknown"))

    def test_revoking_the_token_ends_the_session(self):
        made = self.token()
        session = self.open(made["link_token"])[2]["session"]
        self.assertEqual(self.ask(session, "GET", "/link/session")[0], 200)
        self.admin.request("DELETE", "/link-token/" + made["id"])
        status, body = self.connect(session)
        self.assertEqual((status, body["reason"]), (401, "session_unknown"))

    def test_ended(self):
        session = self.opened()["session"]
        self.assertEqual(self.ask(session, "POST", "/link/exit"), (200, {"ended": True}))
        self.assertEqual(self.ask(session, "GET", "/link/session")[1]["status"], "ended")
        self.assertEqual(self.connect(session)[0], 409)


class Connecting(LinkCase):
    def server_options(self):
        return ("--call-timeout", "3")

    def test_links_an_account(self):
        session = self.opened()["session"]
        status, body = self.connect(session)
        self.assertEqual((status, body["status"]), (200, "active"), body)
        account = body["integrated_account_id"]
        self.assertEqual([f["type"] for f in body["post_connect"]["fields"]],
                         ["single_select", "multi_select"])
        status, _, page = self.admin.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual((status, page["result_count"]), (200, 20))
        _, _, shown = self.admin.get("/integrated-account/" + account)
        self.assertEqual((shown["tenant_id"], shown["context"]),
                         ("customer 7", {"company_id": COMPANY}))
        status, answer = self.ask(session, "GET", "/link/session")
        self.assertEqual((answer["status"], answer["integrated_account_id"]),
                         ("connected", account))
        self.assertEqual(self.connect(session)[0], 409)

    def test_refusals_in_words_for_people(self):
        session = self.opened()["session"]
        for change, status, reason, field in (
                ({"token": "wrong"}, 400, "credential_refused", "api_token"),
                ({"company": "999"}, 400, "company_unknown", "company_id"),
                ({"company": "not a company!"}, 400, "invalid_field", "company_id"),
                ({"token": ""}, 400, "invalid_field", "api_token"),
                ({"token": "a\nb"}, 400, "invalid_field", "api_token"),
                ({"connector": "no-such"}, 404, "failed", "connector"),
                ({"format": "oauth2"}, 400, "invalid_field", "format")):
            got, body = self.connect(session, **change)
            self.assertEqual((got, body["reason"], body["field"]), (status, reason, field), change)
            self.assertNotIn("wrong", body["message"])
        self.assertEqual(self.connect(session)[0], 200)

    def test_the_ats_is_away(self):
        session = self.opened()["session"]
        self.set_faults(server_error=1)
        status, body = self.connect(session)
        self.assertIn(status, (502, 504))
        self.assertEqual(body["reason"], "ats_unreachable")
        self.set_faults(server_error=0, rate_limit=1)
        status, body = self.connect(session)
        self.assertEqual((status, body["reason"]), (429, "rate_limited"))
        self.set_faults(rate_limit=0)
        # The limits of one session are not those of another.
        self.assertEqual(self.connect(self.opened()["session"])[0], 200)

    def test_of_two_at_once_one_is_kept(self):
        session = self.opened()["session"]
        statuses = []

        def connect():
            client = Client(self.serve.host)
            statuses.append(client.request(
                "POST", "/link/connect",
                {"connector": "recruitee", "context": {"company_id": COMPANY},
                 "credentials": {"api_token": TOKEN}}, {"Authorization": f"Bearer {session}"})[0])
            client.close()

        threads = [threading.Thread(target=connect) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(statuses), [200] + 5 * [409])
        self.assertEqual(self.admin.get("/integrated-account")[2]["result_count"], 1)

    def test_context_of_the_token_goes_first(self):
        opened = self.opened(context={"company_id": COMPANY, "plan": "gold"})
        [connector] = [c for c in opened["connectors"] if c["name"] == "recruitee"]
        self.assertEqual([f["name"] for f in connector["formats"][0]["fields"]], ["api_token"])
        status, body = self.connect(opened["session"], company="999")
        self.assertEqual(status, 200, body)
        _, _, shown = self.admin.get("/integrated-account/" + body["integrated_account_id"])
        self.assertEqual(shown["context"], {"company_id": COMPANY, "plan": "gold"})

    def test_linking_anew_keeps_id_and_context(self):
        account = json.loads(link_account(self.data, self.box).stdout)["id"]
        made = self.token(tenant_id=None, integrated_account_id=account)
        status, _, opened = self.open(made["link_token"])
        self.assertEqual(opened["reconnect"], {"integrated_account_id": account,
                                               "connector": "recruitee"})
        [connector] = opened["connectors"]
        self.assertEqual([f["name"] for f in connector["formats"][0]["fields"]], ["api_token"])
        status, body = self.ask(opened["session"], "POST", "/link/connect",
                                {"credentials": {"api_token": "wrong"}})
        self.assertEqual((status, body["reason"]), (400, "credential_refused"))
        status, body = self.ask(opened["session"], "POST", "/link/connect",
                                {"credentials": {"api_token": TOKEN}})
        self.assertEqual((status, body["integrated_account_id"]), (200, account), body)
        _, _, page = self.admin.get("/unified/ats/candidates", integrated_account_id=account)
        self.assertEqual(page["result_count"], 20)

    def test_credentials_that_were_tried_are_in_no_log(self):
        session = self.opened()["session"]
        self.connect(session, token="canary-8-link-page")
        self.connect(session)
        self.assertEqual(self.serve.stop(), 0)
        log = "".join(self.serve.log)
        for secret in ("canary-8-link-page", TOKEN, session):
            self.assertNotIn(secret, log)


class Environments(LinkCase):
    def test_what_an_environment_has_for_its_links(self):
        account = self.connect(self.opened()["session"])[1]["integrated_account_id"]
        own = self.admin.get("/integrated-account/" + account)[2]["environment_id"]
        path = "/environment/" + own
        logo = "data:image/png;base64,iVBORw0KGgo="
        status, _, body = self.admin.request("PATCH", path, {"link": {
            "allowed_origins": [ORIGIN], "theme": {"accent": "#123456"}, "logo": logo}})
        self.assertEqual((status, body["link"]["logo"]), (200, logo), body)
        token = self.token()["link_token"]
        status, _, body = self.open(token, origin="https://evil.example")
        self.assertEqual((status, body["reason"]), (403, "origin_refused"))
        status, _, body = self.open(token)
        self.assertEqual((status, body["logo"], body["theme"]), (201, logo, {"accent": "#123456"}))
        status, _, body = self.admin.request("PATCH", path, {"name": "live", "link": {"logo": None}})
        self.assertEqual((body["name"], set(body["link"])), ("live", {"allowed_origins", "theme"}))
        self.assertEqual(self.admin.get(path)[2], body)
        for change, field in (({"link": {"logo": "https://a.example/x.png"}}, "logo"),
                              ({"link": {"allowed_origins": ["*"]}}, "allowed_origins"),
                              ({"link": {"theme": "dark"}}, "theme"), ({"link": []}, "link"),
                              ({"name": "No Way"}, "name"), ({"id": "x"}, "body")):
            status, _, body = self.admin.request("PATCH", path, change)
            self.assertEqual((status, body["field"]), (400, field), change)
        create_key(self.data, "staging")
        self.assertEqual(self.admin.request("PATCH", path, {"name": "staging"})[0], 409)
        self.assertEqual(self.admin.request("POST", "/environment", {"name": "x"})[0], 403)

    def test_changes_at_once_lose_nothing(self):
        account = self.connect(self.opened()["session"])[1]["integrated_account_id"]
        here = self.admin.get("/integrated-account/" + account)[2]["environment_id"]

        def change(name, values):
            client = Client(self.serve.host, self.admin.key)
            for value in values:
                status, _, body = client.request("PATCH", f"/environment/{here}",
                                                 {"link": {name: value}})
                if status != 200:
                    told.append((status, body))
                    continue
                # Nobody else changes this one.
                now = client.get(f"/environment/{here}")[2]["link"].get(name)
                if now != value:
                    told.append((now, value))
            client.close()

        told = []
        callers = [threading.Thread(target=change, args=pair) for pair in (
            ("theme", [{"accent": f"#0000{n}"} for n in range(10, 50)]),
            ("allowed_origins", [[f"https://a{n}.example"] for n in range(40)]))]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        self.assertEqual([one for one in told if one[0] != 409], [])
        self.assertLess(len(told), 20)

    def test_revocation_takes_the_tokens_too(self):
        session = self.opened()["session"]
        account = self.connect(self.opened()["session"])[1]["integrated_account_id"]
        made = self.admin.request("POST", "/integrated-account/token",
                                  {"integrated_account_id": account})[2]
        unused = self.token()["link_token"]
        run_tenon("vault", "revoke", "--environment", "production", "--data", str(self.data))
        self.assertEqual(self.ask(session, "GET", "/link/session")[0], 401)
        self.assertEqual(self.open(unused)[0], 401)
        browser = self.client_of(made["integrated_account_token"])
        self.assertEqual(browser.get("/integrated-account/me")[0], 401)

    def test_commands(self):
        def run(*words, check=True):
            return run_tenon(*words, "--data", str(self.data), check=check)

        self.assertRegex(run("environment", "create", "staging").stdout, "^env_")
        self.assertNotEqual(run("environment", "create", "staging", check=False).returncode, 0)
        self.assertIn("staging", run("environment", "list").stdout)
        made = json.loads(run("link-token", "create", "--environment", "production", "--tenant",
                              "customer 7", "--connector", "recruitee", "--set",
                              f"company_id={COMPANY}", "--origin", ORIGIN, "--json").stdout)
        self.assertIn(made["id"] + "  valid", run("link-token", "list", "--environment",
                                                  "production").stdout)
        session = self.open(made["link_token"])[2]["session"]
        self.assertEqual(self.connect(session)[0], 200)
        self.assertIn("used", run("link-token", "list", "--environment", "production").stdout)
        run("link-token", "revoke", made["id"], "--environment", "production")
        self.assertEqual(self.ask(session, "GET", "/link/session")[0], 401)


class Accounts(LinkCase):
    """What an administrator does with accounts."""

    def setUp(self):
        super().setUp()
        self.account = self.connect(self.opened()["session"])[1]["integrated_account_id"]
        self.path = "/integrated-account/" + self.account

    def test_changed(self):
        status, _, body = self.admin.request("PATCH", self.path, {
            "tenant_id": "customer 8", "context": {"plan": "gold", "seats": 3},
            "limits": {"requests": 5, "per_seconds": 1}})
        self.assertEqual((status, body["tenant_id"], body["limits"]["requests"]),
                         (200, "customer 8", 5), body)
        self.assertEqual(body["context"], {"company_id": COMPANY, "plan": "gold", "seats": 3})
        status, _, body = self.admin.request("PATCH", self.path, {"context": {"plan": None}})
        self.assertEqual(body["context"], {"company_id": COMPANY, "seats": 3})
        self.assertEqual(body["tenant_id"], "customer 8")
        for change, field in (({"context": {"company_id": None}}, "company_id"),
                              ({"context": {"company_id": "no way!"}}, "company_id"),
                              ({"context": 1}, "context"), ({"limits": {"requests": 0}}, "limits"),
                              ({"status": "active"}, "body")):
            status, _, body = self.admin.request("PATCH", self.path, change)
            self.assertEqual((status, body["field"]), (400, field), change)
        _, _, page = self.admin.get("/events", type="integrated_account:updated")
        self.assertEqual(page["result_count"], 2)
        self.assertEqual(self.admin.get("/unified/ats/tags",
                                        integrated_account_id=self.account)[0], 200)

    def test_changes_at_once_lose_nothing(self):
        def change(part):
            client = Client(self.serve.host, self.admin.key)
            for number in range(25):
                status, _, body = client.request("PATCH", self.path,
                                                 {"context": {f"{part}{number}": number}})
                told.append((status, body))
            client.close()

        told = []
        callers = [threading.Thread(target=change, args=(part,)) for part in "abcd"]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        done = [body for status, body in told if status == 200]
        self.assertEqual({status for status, _ in told} - {409}, {200})
        context = self.admin.get(self.path)[2]["context"]
        self.assertEqual(len(context), 1 + len(done))
        self.assertGreater(len(done), 90)

    def test_another_credential(self):
        self.admin.request("PATCH", self.path, {"context": {"plan": "gold"}})
        status, _, body = self.admin.request("PATCH", self.path + "/credentials",
                                             {"credentials": {"api_token": "wrong"}})
        self.assertEqual((status, body["field"]), (400, "api_token"))
        status, _, body = self.admin.request("PATCH", self.path + "/credentials",
                                             {"credentials": {"api_token": TOKEN}})
        self.assertEqual((status, body["id"], body["context"]["plan"]), (200, self.account, "gold"))
        self.assertEqual(self.admin.get("/unified/ats/tags",
                                        integrated_account_id=self.account)[0], 200)

    def test_found_and_removed(self):
        other = self.connect(self.opened(tenant_id="another")["session"])[1]
        other = other["integrated_account_id"]

        def found(**query):
            status, _, page = self.admin.get("/integrated-account", **query)
            self.assertEqual(status, 200, page)
            return [account["id"] for account in page["result"]]

        self.assertEqual(found(tenant_id="another"), [other])
        self.assertEqual(found(tenant_id="nobody"), [])
        self.assertEqual(found(status="active", connector="recruitee"), [self.account, other])
        self.assertEqual(found(status="needs_reauth"), [])
        made = self.admin.get("/integrated-account/" + other)[2]["created_at"]
        self.assertEqual(found(**{"created_at[lt]": made}), [self.account])
        self.assertEqual(found(**{"created_at[gt]": made}), [])
        for query in ({"status": "broken"}, {"created_at[gt]": "yesterday"}):
            self.assertEqual(self.admin.get("/integrated-account", **query)[0], 400)
        nobody = "acc_00000000000000000000000000"
        status, _, body = self.admin.request("POST", "/integrated-account/bulk-delete",
                                             {"ids": [other, nobody, self.account]})
        self.assertEqual((status, body), (200, {"deleted": [other, self.account],
                                                "not_found": [nobody]}))
        self.assertEqual(found(), [])
        for ids in ([], "all", [1]):
            status, _, body = self.admin.request("POST", "/integrated-account/bulk-delete",
                                                 {"ids": ids})
            self.assertEqual((status, body["field"]), (400, "ids"))

    def test_the_token_of_one_account(self):
        other = self.connect(self.opened()["session"])[1]["integrated_account_id"]
        status, _, made = self.admin.request("POST", "/integrated-account/token",
                                             {"integrated_account_id": self.account})
        self.assertEqual(status, 201, made)
        browser = self.client_of(made["integrated_account_token"])
        for path in ("/unified/ats/tags", "/proxy/tags", "/custom/tags"):
            self.assertEqual(browser.get(path)[0], 200, path)
            self.assertEqual(browser.get(path, integrated_account_id=self.account)[0], 200)
            status, _, body = browser.get(path, integrated_account_id=other)
            self.assertEqual((status, body["error"]), (403, "forbidden"))
        status, _, body = browser.get("/integrated-account/me")
        self.assertEqual((status, body["id"]), (200, self.account))
        status, _, body = browser.request("PATCH", "/integrated-account/me", {"context": {"a": "b"}})
        self.assertEqual(body["context"], {"company_id": COMPANY, "a": "b"})
        for method, path, sent in (("GET", "/integrated-account", None), ("GET", self.path, None),
                                   ("DELETE", self.path, None), ("GET", "/log", None),
                                   ("GET", "/events", None), ("GET", "/api-token", None),
                                   ("POST", "/link-token", {"tenant_id": "x"}),
                                   ("GET", "/integration", None),
                                   ("POST", "/batch-request",
                                    {"integrated_account_id": self.account,
                                     "resources": [{"resource": "ats/tags", "method": "list"}]})):
            self.assertEqual(browser.request(method, path, sent)[0], 403, path)
        self.assertEqual(self.admin.get("/integrated-account/me")[0], 403)
        self.assertEqual(self.client_of("tacct_" + 38 * "0").get("/unified/ats/tags")[0], 401)
        self.admin.request("DELETE", self.path)
        self.assertEqual(browser.get("/unified/ats/tags")[0], 401)


class Form(LinkCase):
    def test_choices_come_from_the_account_and_go_into_its_context(self):
        session = self.opened()["session"]
        status, body = self.ask(session, "GET", "/link/options?field=included_jobs")
        self.assertEqual(status, 409, body)
        account = self.connect(session)[1]["integrated_account_id"]
        for field, resource in (("default_department", "departments"), ("included_jobs", "jobs")):
            status, body = self.ask(session, "GET", "/link/options?field=" + field)
            self.assertEqual(status, 200, body)
            _, _, page = self.admin.get("/unified/ats/" + resource, limit=1000,
                                        integrated_account_id=account)
            self.assertEqual([(o["value"], o["label"]) for o in body["options"]],
                             [(r["id"], r["name"]) for r in page["result"]])
            self.assertTrue(body["options"], field)
        department, jobs = "12", ["1", "2"]
        status, body = self.ask(session, "POST", "/link/form",
                                {"values": {"default_department": department,
                                            "included_jobs": jobs}})
        self.assertEqual((status, body), (200, {"integrated_account_id": account}))
        _, _, shown = self.admin.get("/integrated-account/" + account)
        self.assertEqual(shown["context"], {"company_id": COMPANY, "included_jobs": jobs,
                                            "default_department": department})
        self.assertEqual(self.ask(session, "POST", "/link/form",
                                  {"values": {"included_jobs": []}})[0], 200)
        _, _, shown = self.admin.get("/integrated-account/" + account)
        self.assertEqual(shown["context"], {"company_id": COMPANY,
                                            "default_department": department})
        _, _, page = self.admin.get("/events", type="integrated_account:post_connect_form_submitted")
        self.assertEqual(page["result_count"], 2)
        self.assertEqual(self.admin.get("/unified/ats/tags", integrated_account_id=account)[0], 200)

    def test_what_a_form_may_not_hold(self):
        session = self.opened()["session"]
        self.connect(session)
        for values, field in (({"company_id": "1"}, "field"), ({"included_jobs": "1"}, "included_jobs"),
                              ({"included_jobs": [1]}, "included_jobs"), ([], "values"),
                              ({"default_department": True}, "default_department")):
            status, body = self.ask(session, "POST", "/link/form", {"values": values})
            self.assertEqual((status, body["reason"], body["field"]),
                             (400, "invalid_field", field), values)
        for query in ("", "?field=none"):
            status, body = self.ask(session, "GET", "/link/options" + query)
            self.assertEqual((status, body["field"]), (400, "field"))


class Events(LinkCase):
    def names(self, **query):
        status, _, page = self.admin.get("/events", **query)
        self.assertEqual(status, 200, page)
        return [event["event"].removeprefix("integrated_account:") for event in page["result"]]

    def test_the_life_of_an_account(self):
        session = self.opened()["session"]
        account = self.connect(session)[1]["integrated_account_id"]
        self.assertEqual(self.names(), ["created", "active"])
        self.box.stop()
        box = Process(["sandbox", "recruitee", "--listen", self.box.host, "--token", "another",
                       "--company", COMPANY])
        self.addCleanup(box.kill)
        self.assertEqual(self.admin.get("/unified/ats/tags", integrated_account_id=account)[0], 401)
        self.assertEqual(self.names(after=2), ["authentication_error"])
        _, _, page = self.admin.get("/events", after=2)
        self.assertIn("Token", page["result"][0]["payload"]["last_error"]["message"])
        made = self.token(tenant_id=None, integrated_account_id=account)
        again = self.open(made["link_token"])[2]["session"]
        self.assertEqual(self.ask(again, "POST", "/link/connect",
                                  {"credentials": {"api_token": "another"}})[0], 200)
        self.assertEqual(self.names(after=3), ["updated", "reactivated"])
        self.admin.request("DELETE", "/integrated-account/" + account)
        self.assertEqual(self.names(after=5), ["deleted"])
        _, _, page = self.admin.get("/events")
        self.assertEqual([event["number"] for event in page["result"]], [1, 2, 3, 4, 5, 6])
        self.assertEqual({event["integrated_account_id"] for event in page["result"]}, {account})
        self.assertNotIn(TOKEN, json.dumps(page))

    def test_pages_and_filters(self):
        first, second = [self.connect(self.opened()["session"])[1]["integrated_account_id"]
                         for _ in range(2)]
        seen, cursor = [], None
        while True:
            query = {"limit": 3, **({"next_cursor": cursor} if cursor else {})}
            _, _, page = self.admin.get("/events", **query)
            seen += [event["number"] for event in page["result"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self.assertEqual(seen, [1, 2, 3, 4])
        self.assertEqual(self.names(type="integrated_account:active"), ["active", "active"])
        _, _, page = self.admin.get("/events", integrated_account_id=second, after=3)
        self.assertEqual([event["number"] for event in page["result"]], [4])
        for query in ({"after": -1}, {"after": "x"}, {"limit": 0}):
            self.assertEqual(self.admin.get("/events", **query)[0], 400)
        other = self.client_of(create_key(self.data, "staging", "--scope", "admin")["key"])
        self.assertEqual(other.get("/events")[2]["result"], [])


class Files(LinkCase):
    """The files of a share folder of the test's own."""

    def server_options(self):
        share = self.folder / "share"
        for name in ("models", "connectors"):
            os.makedirs(share, exist_ok=True)
            os.symlink(ROOT / name, share / name)
        for path, text in (("web/link/index.html", "<!doctype html>"),
                           ("web/link/languages/en.json", "{}"), ("web/link/notes.md", "no"),
                           ("sdk/link/index.js", "export {};")):
            (share / path).parent.mkdir(parents=True, exist_ok=True)
            (share / path).write_text(text)
        return ("--share", str(share))

    def test_the_page_may_be_framed_by_one_origin(self):
        for query, ancestors in (("", "'none'"), (f"?mode=iframe&origin={ORIGIN}", ORIGIN),
                                 (f"?mode=popup&origin={ORIGIN}", "'none'"),
                                 ("?mode=iframe&origin=http://localhost:3000",
                                  "http://localhost:3000")):
            status, headers, body = self.page.get("/link" + query)
            self.assertEqual((status, body), (200, b"<!doctype html>"))
            policy = headers["content-security-policy"]
            self.assertIn(f"frame-ancestors {ancestors};", policy)
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(headers["referrer-policy"], "no-referrer")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
        for origin in ("https://a.example/", "*", "https://a.example;script-src%20*", "null",
                       "https://", "https://a.example:0", "javascript:x"):
            status, _, body = self.page.get(f"/link?mode=iframe&origin={origin}")
            self.assertEqual((status, body["field"]), (400, "origin"), origin)

    def test_files_and_their_tags(self):
        status, headers, body = self.page.get("/link/languages/en.json")
        self.assertEqual((status, body), (200, {}))
        status, again, body = self.page.request("GET", "/link/languages/en.json", None,
                                                {"If-None-Match": headers["etag"]})
        self.assertEqual((status, body, again["etag"]), (304, b"", headers["etag"]))
        status, headers, _ = self.page.get("/link/sdk/index.js")
        self.assertEqual((status, headers["access-control-allow-origin"]), (200, "*"))
        for path in ("/link/notes.md", "/link/nothing.js", "/link/..%2f..%2fconnector.yaml",
                     "/link/connectors/recruitee/connector.yaml", "/link/languages/../index.html",
                     "/link/sdk/..%2flink%2findex.html", "/link/%2e%2e/secret.json"):
            self.assertEqual(self.page.get(path)[0], 404, path)


if __name__ == "__main__":
    unittest.main()
