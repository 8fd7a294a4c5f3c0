import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { expect, it } from "vitest";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

const EVIL = "evil.example";
const SPOOFED_ADDRESS = "203.0.113.66";

/** What a proxy might set, each with values by which a careless reader would take us, or who asks, for somebody else. */
const SPOOFS: readonly (readonly [name: string, values: readonly string[]])[] = [
  ["X-Forwarded-For", [SPOOFED_ADDRESS, `${SPOOFED_ADDRESS}, 127.0.0.1`, "127.0.0.1", "::1", "unknown", ","]],
  ["X-Forwarded-Host", [EVIL, `${EVIL}:443`, `broker.example, ${EVIL}`]],
  ["X-Forwarded-Proto", ["https", "javascript", "https,http"]],
  ["X-Forwarded-Port", ["443", "0"]],
  ["X-Forwarded-Prefix", ["/evil", `//${EVIL}`]],
  ["X-Forwarded-Uri", [`https://${EVIL}/`, "/v1/servers"]],
  ["X-Forwarded-Server", [EVIL]],
  ["X-Forwarded-User", ["admin"]],
  ["X-Real-IP", [SPOOFED_ADDRESS]],
  ["X-Client-IP", [SPOOFED_ADDRESS]],
  ["True-Client-IP", [SPOOFED_ADDRESS]],
  ["CF-Connecting-IP", [SPOOFED_ADDRESS]],
  ["X-Original-URL", ["/v1/servers", `https://${EVIL}/`]],
  ["X-Rewrite-URL", ["/v1/servers"]],
  ["X-HTTP-Method-Override", ["DELETE"]],
  ["Forwarded", [`for=${SPOOFED_ADDRESS};host=${EVIL};proto=https`, `host="${EVIL}"`, "for=unknown"]],
  ["Via", [`1.1 ${EVIL}`]],
  ["Origin", [`https://${EVIL}`, "null"]],
  ["Referer", [`https://${EVIL}/`]],
  ["Host", [EVIL, `${EVIL}:80`, "127.0.0.1.evil.example", "localhost"]],
];

const COMBINATIONS = 200;

it("T07 two hundred spoofed requests get the address, the links and the audit entry of an honest one", async () => {
  const here = await world();
  await here.connect();
  const seeded = new Seeded();
  console.log(`seed ${seeded.seed}`);
  const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };

  const spoofed = async (n: number) => {
    const headers = combination(seeded, n);
    const label = JSON.stringify(headers);
    const begun = await post(here, "/v1/connect-sessions", { ...ask, return_url: RETURN_URL }, headers);
    expect(begun.status, label).toBe(201);
    expect(begun.body.start_url.startsWith(`${here.base}/connect/start/`), label).toBe(true);
    if (n % 10 === 0) {
      const left = await fetch(begun.body.start_url, { redirect: "manual", headers: withoutHost(headers) });
      const redirect = new URL(left.headers.get("location")!).searchParams.get("redirect_uri")!;
      expect(redirect.startsWith(`${here.base}/oauth2/callback/`), label).toBe(true);
    }
    const token = await post(here, "/v1/access-tokens", ask, headers);
    expect(token.status, label).toBe(200);
    expect(`${token.text}${begun.text}${JSON.stringify(token.headers)}`, label).not.toContain("evil");
  };
  for (let at = 0; at < COMBINATIONS; at += 20)
    await Promise.all(Array.from({ length: 20 }, (_, n) => spoofed(at + n)));
  await here.broker.workerStories.exportAudit();
  const entries = (await readFile(here.environment.AUDIT_FILE!, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { action: string; organisation?: string; address?: string })
    // Whatever other tests left in this Redis is exported along.
    .filter(({ action, organisation }) => action === "token.issued" && organisation === here.organisation);
  expect(entries.length).toBe(COMBINATIONS);
  expect([...new Set(entries.map(({ address }) => address))]).toEqual(["127.0.0.1"]);
});

it("T07 a header name with an underscore, and a doubled one that says who asks or where a body ends, are refused", async () => {
  const here = await world();
  for (const name of ["X_Forwarded_For", "x_forwarded_host", "X-Forwarded_Proto", "Content_Length", "_"]) {
    const answer = await raw(here, [name, SPOOFED_ADDRESS]);
    expect(answer, name).toMatchObject({ status: 400 });
  }
  for (const [name, first, second] of [
    ["Authorization", "Basic eDp5", "Bearer imb_at_x"],
    ["Content-Type", "application/json", "text/plain"],
    ["Host", "127.0.0.1", EVIL],
  ] as const) {
    const answer = await raw(here, [name, first, name, second]);
    expect(answer, name).toMatchObject({ status: 400 });
  }
  // As it is without them: refused for want of a proof alone.
  expect(await raw(here, [])).toMatchObject({ status: 401 });
});

/** From one spoof alone to six at once, in changing cases. */
function combination(seeded: Seeded, n: number): Record<string, string> {
  const chosen = new Map<string, string>();
  const alone = SPOOFS[n % SPOOFS.length]!;
  for (const [name, values] of [alone, ...Array.from({ length: n % 6 }, () => seeded.pick(SPOOFS))]) {
    const spelled = seeded.pick([name, name.toLowerCase(), name.toUpperCase()]);
    if (![...chosen.keys()].some((known) => known.toLowerCase() === name.toLowerCase()))
      chosen.set(spelled, seeded.pick(values));
  }
  return Object.fromEntries(chosen);
}

const withoutHost = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "host"));

interface Answered {
  readonly status: number;
  readonly headers: object;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the test is about
  readonly body: any;
}

/** By hand: `fetch` lets nobody say who is asked. */
function post(here: World, path: string, body: object, headers: Record<string, string>): Promise<Answered> {
  const { id, secret } = here.credentials;
  return send(here, path, JSON.stringify(body), [
    ...Object.entries(headers).flat(),
    ...["content-type", "application/json"],
    ...["authorization", `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`],
    ...(Object.keys(headers).some((name) => name.toLowerCase() === "host") ? [] : hostOf(here)),
  ]);
}

const raw = (here: World, headers: readonly string[]): Promise<Answered> =>
  send(here, "/v1/access-tokens", "{}", [...(headers[0] === "Host" ? [] : hostOf(here)), ...headers]);

const hostOf = ({ base }: World): readonly string[] => ["Host", new URL(base).host];

function send({ base }: World, path: string, body: string, headers: readonly string[]): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request(
      base + path,
      {
        method: "POST",
        headers: [...headers, "Content-Length", String(Buffer.byteLength(body))] as never,
        setHost: false,
        agent: false,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          const json = /json/.test(response.headers["content-type"] ?? "");
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            text,
            body: json ? JSON.parse(text) : undefined,
          });
        });
      },
    );
    sent.on("error", reject).end(body);
  });
}
