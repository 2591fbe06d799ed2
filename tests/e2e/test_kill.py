"""kill -9 at any moment: what was acknowledged is there. TENON_KILL_ROUNDS=1000 for the long run."""
import json
import os
import random
import threading
import time

import postgresql
from harness import COMPANY, TOKEN, Case, Client, create_key

# The first write on PostgreSQL waits for a connection.
LIFE_S = 0.6 if postgresql.is_used() else 0.06
ROUNDS = int(os.environ.get("TENON_KILL_ROUNDS", "60"))


class Kill(Case):
    def write_until_killed(self, host, acknowledged):
        client = Client(host, self.admin)
        number = 0
        try:
            while True:
                number += 1
                if number % 2:
                    status, _, made = client.request("POST", "/api-token", {"name": "round"})
                    if status == 201:
                        acknowledged["keys"].append(made["key"])
                else:
                    status, _, made = client.request("POST", "/integrated-account", {
                        "connector": "recruitee", "context": {"company_id": COMPANY},
                        "credentials": {"api_token": TOKEN}})
                    if status == 201:
                        acknowledged["accounts"].append(made["id"])
        except OSError:
            pass
        except Exception as cut:  # a reply cut in the middle acknowledges nothing
            if "IncompleteRead" not in repr(cut) and "RemoteDisconnected" not in repr(cut) \
                    and "BadStatusLine" not in repr(cut):
                raise
        finally:
            client.close()

    def check(self, host, acknowledged):
        """Every key opens, every account reads; a sample of the older ones is enough."""
        keys = acknowledged["keys"]
        accounts = acknowledged["accounts"]
        for key in keys[-4:] + random.sample(keys, min(2, len(keys))):
            client = Client(host, key)
            account = accounts[-1] if accounts else "acc_none"
            status, _, body = client.get("/unified/ats/tags", integrated_account_id=account,
                                         limit=1)
            client.close()
            self.assertIn(status, (200, 404 if not accounts else 200), body)
        client = Client(host, self.admin)
        for account in accounts[-4:] + random.sample(accounts, min(2, len(accounts))):
            status, _, body = client.get(f"/integrated-account/{account}")
            self.assertEqual((status, body.get("status")), (200, "active"), body)
        client.close()

    def count_all(self, host, acknowledged):
        client = Client(host, self.admin)
        found, cursor = set(), None
        while True:
            query = {"limit": 1000, **({"next_cursor": cursor} if cursor else {})}
            _, _, page = client.get("/integrated-account", **query)
            found |= {account["id"] for account in page["result"]}
            cursor = page["next_cursor"]
            if not cursor:
                break
        client.close()
        self.assertEqual(set(acknowledged["accounts"]) - found, set())
        for key in acknowledged["keys"]:
            client = Client(host, key)
            self.assertEqual(client.get("/integration")[0], 200)
            client.close()

    def test_rounds(self):
        box = self.sandbox("--candidates", "10")
        self.admin = create_key(self.data, "production", "--scope", "admin", "--scope", "call")["key"]
        acknowledged = {"keys": [], "accounts": []}
        for _ in range(ROUNDS):
            server = self.server(box, "--workers", "2", "--log-level", "error")
            self.check(server.host, acknowledged)
            writers = [threading.Thread(target=self.write_until_killed,
                                        args=(server.host, acknowledged)) for _ in range(3)]
            for writer in writers:
                writer.start()
            time.sleep(random.uniform(0, LIFE_S))  # the moment of the kill, not a wait
            server.kill()
            for writer in writers:
                writer.join()
        server = self.server(box)
        self.count_all(server.host, acknowledged)
        self.assertGreater(len(acknowledged["keys"]) + len(acknowledged["accounts"]), ROUNDS)
        print(f"kill: {ROUNDS} rounds, {len(acknowledged['keys'])} keys and "
              f"{len(acknowledged['accounts'])} accounts acknowledged, none lost", flush=True)
