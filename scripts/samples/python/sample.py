"""A client of the token broker in Python: Authlib for OAuth, requests for the rest. ../README.md says how to run it."""

import base64, hmac, json, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
from os import environ as env
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session

CLIENT = (env["CLIENT_ID"], Path(env["CLIENT_SECRET_FILE"]).read_text().strip())


def accepted(answer):  # a refusal says who must act and how: RFC 9457, and RFC 6749 with the same members
    if answer.ok:
        return answer
    problem = answer.json()
    if problem["code"] == "cursor_expired":  # what was kept for us is gone: the next run takes the snapshot
        Path(env["CURSOR_FILE"]).unlink()
    print(problem["action"], f"({problem['code']})", file=sys.stderr)
    sys.exit(75 if problem["remedy"] == "time" else 1)  # 75, "temporary failure": the same again, after Retry-After


def token_for(user, **rejected):  # RFC 8693. Ask whenever you need one: the broker has it at hand, and refreshes ahead
    oauth = OAuth2Session(*CLIENT)
    oauth.register_compliance_hook("access_token_response", accepted)
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": env["SERVER"]}
    subject = {"subject_token": user, "subject_token_type": "urn:imanage-token-broker:token-type:user"}
    return oauth.fetch_token(env["BROKER_URL"] + "/oauth2/token", timeout=60, **grant, **subject, **rejected)


def token(user, **rejected):
    at = token_for(user, **rejected)
    url = f"{at['api_base_url']}/work/api/v2/customers/{at['customer_id']}/libraries"
    headers = {at["header"]: at["access_token"]}  # for iManage and nowhere else
    answer = requests.get(url, headers=headers, allow_redirects=False, timeout=60)
    if answer.status_code == 401 and not rejected:  # reported, and another token asked for
        return token(user, rejected=at["fingerprint"])
    print("iManage answered", answer.status_code)


def broker(method, path, body=None):
    return accepted(requests.request(method, env["BROKER_URL"] + path, auth=CLIENT, json=body, timeout=90))


def connect(user):
    wish = {"server": env["SERVER"], "subject": {"type": "user", "id": user}, "return_url": env["RETURN_URL"]}
    session = broker("POST", "/v1/connect-sessions", wish).json()
    returned = {}

    class Return(BaseHTTPRequestHandler):
        def do_GET(self):
            returned.update(parse_qsl(urlsplit(self.path).query))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"Back again. You may close this window.\n")

        def log_message(self, *_):
            """Not a word: there is a secret in the address."""

    with HTTPServer(("127.0.0.1", urlsplit(env["RETURN_URL"]).port), Return) as app:
        print("Open:", session["start_url"], flush=True)
        app.handle_request()
    # In your app: the session that this very browser began, and as subject whoever is signed in there now.
    if returned.get("connect_session") != session["id"]:
        sys.exit("Another session came back: run this again.")
    finish = {"completion": returned["completion"], "subject": wish["subject"]}
    done = broker("POST", f"/v1/connect-sessions/{session['id']}/complete", finish).json()
    print(f"Connected {user}: {done['grant']}")


def verify():  # Standard Webhooks: over the body as it came, byte for byte, before anybody has parsed it
    body, at = sys.stdin.buffer.read(), env["WEBHOOK_TIMESTAMP"]
    key = base64.b64decode(Path(env["WEBHOOK_SECRET_FILE"]).read_text().strip().removeprefix("whsec_"))
    ours = base64.b64encode(hmac.digest(key, f"{env['WEBHOOK_ID']}.{at}.".encode() + body, "sha256"))
    fits = [hmac.compare_digest(b"v1," + ours, each.encode()) for each in env["WEBHOOK_SIGNATURE"].split()]  # several
    if not any(fits) or abs(time.time() - int(at)) > 300:
        sys.exit("Not the broker's, or old.")
    print(json.loads(body)["type"])


def changes():
    sync = broker("POST", "/v1/syncs", {"server": env["SERVER"], "library": env["LIBRARY"]}).json()["id"]
    cursor, page = Path(env["CURSOR_FILE"]), {"items": True}
    if not cursor.exists():
        begin, *lines = map(json.loads, broker("GET", f"/v1/syncs/{sync}/snapshot").text.splitlines())
        if lines.pop()["kind"] != "snapshot.end":
            sys.exit("The snapshot was cut short: run this again.")
        print("snapshot of", len(lines), "documents")
        cursor.write_text(begin["cursor"])
    while page["items"]:  # to follow: add &wait=30, and go on for ever
        page = broker("GET", f"/v1/syncs/{sync}/changes?limit=500&cursor={cursor.read_text()}").json()
        for change in page["items"]:
            print(change["kind"], change["object"], (change["document"] or {}).get("name", ""))
        cursor.write_text(page["cursor"])  # in your app: in the transaction that applies the changes


globals()[sys.argv[1]](*sys.argv[2:])  # token USER | connect USER | verify | changes
