// A client of the token broker in Node: openid-client for OAuth, `fetch` for the rest. ../README.md says how to run it.
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import * as oauth from "openid-client";

const { BROKER_URL, CLIENT_ID, SERVER, LIBRARY, RETURN_URL, CURSOR_FILE } = process.env;
const secretIn = (name) => readFileSync(process.env[name], "utf8").trim();

// Token exchange (RFC 8693). Ask whenever you need one: the broker answers from its store, and refreshes ahead.
async function tokenFor(user, rejected = "") {
  const auth = oauth.ClientSecretBasic(secretIn("CLIENT_SECRET_FILE"));
  const execute = BROKER_URL.startsWith("http:") ? [oauth.allowInsecureRequests] : []; // on your own machine alone
  const options = { algorithm: "oauth2", execute };
  const config = await oauth.discovery(new URL(BROKER_URL), CLIENT_ID, undefined, auth, options); // once, in your app
  const subject = { subject_token: user, subject_token_type: "urn:imanage-token-broker:token-type:user" };
  const form = { ...subject, audience: SERVER, rejected };
  return oauth.genericGrantRequest(config, "urn:ietf:params:oauth:grant-type:token-exchange", form);
}

async function token(user) {
  const libraries = ({ api_base_url, customer_id, header, access_token }) => {
    const url = `${api_base_url}/work/api/v2/customers/${customer_id}/libraries`;
    return fetch(url, { headers: { [header]: access_token }, redirect: "error" }); // to iManage and nowhere else
  };
  const token = await tokenFor(user);
  let answer = await libraries(token);
  if (answer.status === 401) answer = await libraries(await tokenFor(user, token.fingerprint)); // reported, and another
  console.log(`iManage answered ${answer.status}`);
}

async function broker(method, path, body, read = (answer) => answer.json()) {
  const authorization = `Basic ${btoa(`${CLIENT_ID}:${secretIn("CLIENT_SECRET_FILE")}`)}`;
  const headers = { authorization, "content-type": "application/json" };
  const answer = await fetch(BROKER_URL + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error("refused", { cause: await answer.json() }); // RFC 9457
  return read(answer);
}

async function connect(user) {
  const subject = { type: "user", id: user };
  const session = { server: SERVER, subject, return_url: RETURN_URL };
  const { id, start_url } = await broker("POST", "/v1/connect-sessions", session);
  const app = createServer().listen(new URL(RETURN_URL).port, "127.0.0.1", () =>
    console.log(`Open: ${start_url}`),
  );
  const [request, response] = await once(app, "request");
  const returned = new URL(request.url, RETURN_URL).searchParams;
  // In your app: the session that this very browser began, and as `subject` whoever is signed in there now.
  if (returned.get("connect_session") !== id) throw new Error("Another session came back: run this again.");
  const finish = { completion: returned.get("completion"), subject };
  const { grant } = await broker("POST", `/v1/connect-sessions/${id}/complete`, finish);
  response.writeHead(200, { connection: "close" }).end("Connected. You may close this window.\n");
  app.close();
  console.log(`Connected ${user}: ${grant}`);
}

// Standard Webhooks: over the body as it came, byte for byte, before anybody has parsed it.
async function verify() {
  const body = readFileSync(0);
  const { WEBHOOK_ID: id, WEBHOOK_TIMESTAMP: time, WEBHOOK_SIGNATURE: signatures } = process.env;
  const key = Buffer.from(secretIn("WEBHOOK_SECRET_FILE").replace("whsec_", ""), "base64");
  const ours = createHmac("sha256", key).update(`${id}.${time}.`).update(body).digest();
  const given = signatures.split(" ").map((each) => Buffer.from(each.replace(/^v1,/, ""), "base64"));
  const fits = given.some((each) => each.length === ours.length && timingSafeEqual(each, ours));
  if (!fits || !(Math.abs(Date.now() / 1000 - Number(time)) <= 300))
    throw new Error("Not the broker's, or old.");
  console.log(JSON.parse(body).type);
}

async function changes() {
  const { id } = await broker("POST", "/v1/syncs", { server: SERVER, library: LIBRARY });
  if (!existsSync(CURSOR_FILE)) {
    const text = await broker("GET", `/v1/syncs/${id}/snapshot`, undefined, (answer) => answer.text());
    const [begin, ...lines] = JSON.parse(`[${text.trim().replaceAll("\n", ",")}]`);
    if (lines.pop()?.kind !== "snapshot.end") throw new Error("The snapshot was cut short: run this again.");
    console.log(`snapshot of ${lines.length} documents`);
    writeFileSync(CURSOR_FILE, begin.cursor);
  }
  for (let page; page?.items.length !== 0; ) {
    const query = new URLSearchParams({ cursor: readFileSync(CURSOR_FILE, "utf8") }); // to follow: wait=30, for ever
    page = await broker("GET", `/v1/syncs/${id}/changes?${query}`);
    for (const { kind, object, document } of page.items) console.log(kind, object, document?.name ?? "");
    writeFileSync(CURSOR_FILE, page.cursor); // in your app: in the transaction that applies the changes
  }
}

const [name, user] = process.argv.slice(2);
try {
  const command = { token, connect, verify, changes }[name];
  if (!command) throw new Error("token USER | connect USER | verify | changes");
  await command(user);
} catch (error) {
  const { code, title, error_description, action, remedy } = error.cause ?? {};
  if (code === "cursor_expired") rmSync(CURSOR_FILE); // what was kept for us is gone: the next run takes the snapshot
  console.error(code ? `${title ?? error_description} ${action} (${code})` : error.message);
  process.exitCode = remedy === "time" ? 75 : 1; // 75, "temporary failure": the same call again, after Retry-After
}
