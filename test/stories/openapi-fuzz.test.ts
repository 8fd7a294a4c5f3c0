import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { connect } from "../../scripts/walk/connect.ts";
import { lendLibrary } from "../../scripts/walk/lend-library.ts";
import { PROBLEMS } from "../../src/domain/problem-catalogue.ts";
import { documentOf, operationsOf } from "../http/openapi-document.ts";
import { type Added, addOrganisation } from "../kit/additions.ts";
import { needlesOf, PREFIXES, scan, told } from "../kit/canary.ts";
import { begin } from "../kit/connecting.ts";
import { type Caller, type FuzzedRequest, fuzzedRequests, type KnownIds } from "../kit/openapi-requests.ts";
import { Seeded } from "../kit/seeded.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

/** The whole count is for `npm run verify:threats`. */
const REQUESTS = Number(process.env.THREAT_REQUESTS ?? 800);
/** After so many, what was there has been deleted, switched off or renamed by requests that happened to be good. */
const REQUESTS_PER_FIRM = 2_000;
const AT_ONCE = 16;
/** Longer than anything that is answered; a request that waits longer hangs. */
const PATIENCE_MS = 20_000;

/** Faults on iManage's side, or of the time: told with their remedy, provoked by what was configured on the way. */
const PROVOKED = [
  "imanage_unavailable",
  "rate_limited",
  "refresh_pending",
  "store_unavailable",
  "client_secret_refused",
];

it("T39 requests made from the OpenAPI document, sound and spoilt, are answered or refused: none fails, hangs or touches a prototype", async () => {
  // A proxy that is not there: a server whose address was fuzzed is looked for nowhere, not even in the DNS.
  const here = await world({ settings: { EGRESS_PROXY_URL: "http://127.0.0.1:9" } });
  const { seed } = new Seeded();
  console.log(`seed ${seed}`);
  const document = documentOf(here.base);
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  onTestFinished(() => agent.destroy());
  const send = (request: FuzzedRequest, proof: string | undefined) =>
    exchange(here.base, agent, request, proof);
  const prototypes = snapshot();
  const tally = new Map<string, number>();
  const faults: string[] = [];
  const operations = new Set<string>();

  for (let done = 0; done < REQUESTS; done += REQUESTS_PER_FIRM) {
    const { known, proofs } = await firm(here);
    const count = Math.min(REQUESTS_PER_FIRM, REQUESTS - done);
    const requests = fc.sample(fuzzedRequests(document, known), { numRuns: count, seed: seed + done });
    const fire = async (request: FuzzedRequest): Promise<void> => {
      operations.add(request.operation);
      const fault = await faultOf(send, request, proofs, tally);
      if (fault !== undefined) faults.push(`${fault}\n  ${JSON.stringify(request).slice(0, 600)}`);
    };
    const queue = requests.values();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const request of queue) await fire(request);
      }),
    );
    expect(faults.slice(0, 5)).toEqual([]);
    expect(snapshot()).toEqual(prototypes);
  }

  const answered = [...tally].sort(([, a], [, b]) => b - a).map(([what, times]) => `${what} × ${times}`);
  console.log(`figure: ${REQUESTS} requests to ${operations.size} operations: ${answered.join(", ")}`);
  expect(operations.size).toBe(operationsOf(document).length);
  // Not everything was refused at the door: a part of it was sound, a part unknown, a part malformed.
  for (const status of ["200", "400", "401", "404"])
    expect(tally.get(status) ?? 0, status).toBeGreaterThan(REQUESTS / 100);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  // The broker is as good as before.
  expect((await here.connect()).body).toMatchObject({ state: "connected" });
}, 1_800_000);

/** What is wrong with an answer, if anything is. */
async function faultOf(
  send: (request: FuzzedRequest, proof: string | undefined) => Promise<Answered>,
  request: FuzzedRequest,
  proofs: Proofs,
  tally: Map<string, number>,
): Promise<string | undefined> {
  const { method, path, caller } = request;
  const answer = await send(request, proofs.headers[caller]).catch((error: Error) => error);
  if (answer instanceof Error) return `no answer: ${answer.message}`;
  const { status, text } = answer;
  tally.set(String(status), (tally.get(String(status)) ?? 0) + 1);
  const type = String(answer.headers["content-type"] ?? "");
  const rest = /^\/(v1\/access-tokens|oauth2\/token)/.test(path)
    ? text.replace(/"access_token":"[^"]+"/, "")
    : text;
  const leaks = scan(`${JSON.stringify(answer.headers)}${rest}`, proofs.needles, "the answer");
  if (leaks.length > 0) return told(leaks).join(", ");
  if (/\bat (async )?\S+ \(?(file|node):|node_modules|\.ts:\d/.test(text))
    return `a stack in the answer: ${text.slice(0, 300)}`;
  // An answer to HEAD has no body, and so no code: what time cures says for how long.
  if (method === "HEAD" && status === 503 && answer.headers["retry-after"] !== undefined) return undefined;
  if (!/json/.test(type)) return status >= 500 ? `${status} ${text.slice(0, 200)}` : undefined;
  let told_: { code?: string; error?: string };
  try {
    // Who accepts lines is told line by line.
    const body = /ndjson/.test(type) ? (text.trim().split("\n").at(-1) ?? "") : text;
    told_ = body === "" ? {} : JSON.parse(body);
  } catch {
    return `not JSON: ${text.slice(0, 200)}`;
  }
  if (method === "TRACE" && status < 400) return `TRACE is answered with ${status}`;
  if (status < 400) return undefined;
  const { code = "" } = told_;
  if (!Object.hasOwn(PROBLEMS, code) && method !== "HEAD")
    return `${status} without a code of the catalogue: ${text.slice(0, 200)}`;
  if (status >= 500 && !PROVOKED.includes(code)) return `${status} ${code}`;
  if (status >= 500) tally.set(code, (tally.get(code) ?? 0) + 1);
  return undefined;
}

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** By hand, since `fetch` sends no odd header. */
function exchange(
  base: string,
  agent: Agent,
  request: FuzzedRequest,
  proof: string | undefined,
): Promise<Answered> {
  const { method, path, headers, body } = request;
  return new Promise((resolve, reject) => {
    const { hostname, port, host } = new URL(base);
    const proofs = proof === undefined ? [] : [["authorization", proof] as const];
    const length = body === undefined ? [] : [["content-length", String(Buffer.byteLength(body))] as const];
    const all = [["host", host] as const, ...headers, ...proofs, ...length].flat();
    const sent = httpRequest(
      { agent, hostname, port, method, path, headers: all as never, setHost: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({
            status: answer.statusCode!,
            headers: answer.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    sent.setTimeout(PATIENCE_MS, () => sent.destroy(new Error("it hangs")));
    sent.on("error", (error: NodeJS.ErrnoException) => {
      // A kept connection that the server ended as this was sent (RFC 9112 §9.3.1): it read nothing of it.
      const stale = sent.reusedSocket && error.code === "ECONNRESET";
      if (stale) resolve(exchange(base, agent, request, proof));
      else reject(error);
    });
    sent.end(body);
  });
}

interface Proofs {
  readonly headers: Readonly<Record<Caller, string | undefined>>;
  readonly needles: ReturnType<typeof needlesOf>;
}

/** A firm of its own with one of everything, and a foreign one beside it. */
async function firm(here: World): Promise<{ readonly known: KnownIds; readonly proofs: Proofs }> {
  const servers = { dms: { simulator: here.simulator } };
  const own = await addOrganisation(here, { servers, clients: { app: {} } });
  const foreign = await addOrganisation(here, { servers, clients: { app: {} } });
  const client = own.clients.app;
  const bearer = await client.token({ grant_type: "client_credentials" });
  const stranger = await foreign.clients.app.token({ grant_type: "client_credentials" });
  return {
    known: { own: await idsOf(here, own), foreign: await idsOf(here, foreign), returnUrl: RETURN_URL },
    proofs: {
      headers: {
        bearer: `Bearer ${bearer.body.access_token}`,
        basic: client.authorization,
        stranger: `Bearer ${stranger.body.access_token}`,
        nobody: undefined,
        rubbish: `Bearer ${String(bearer.body.access_token).slice(0, -4)}AAAA`,
      },
      needles: needlesOf({
        ...Object.fromEntries(PREFIXES.map((prefix) => [`${prefix}…`, prefix])),
        "broker token": String(bearer.body.access_token),
      }),
    },
  };
}

async function idsOf(
  here: World,
  { organisation, servers, clients }: Added<"dms", "app">,
): Promise<readonly string[]> {
  const where = { client: clients.app, server: servers.dms.id, returnUrl: RETURN_URL };
  const connected = await connect(clients.app, where, AMELIA);
  const begun = await begin(where, "u-begun");
  await lendLibrary(`${here.base}/servers/${servers.dms.id}/libraries`, "ACTIVE", {
    ...AMELIA,
    email: "amelia.hart@hartlowell.example",
  });
  const sync = await clients.app.call<{ id: string }>("POST", "/v1/syncs", {
    server: servers.dms.id,
    library: "ACTIVE",
  });
  return [
    ...[organisation, servers.dms.id, servers.dms.registration, clients.app.id],
    ...[String(connected.body.grant), begun.body.id, sync.body.id],
  ];
}

function snapshot(): readonly string[] {
  return [Object.prototype, Array.prototype, Function.prototype, String.prototype, Promise.prototype].map(
    (of) => Reflect.ownKeys(of).map(String).join(" "),
  );
}
