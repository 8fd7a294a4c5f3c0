import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { AccessTokenAnswer, Answer, WalkingClient } from "../walk/client.ts";
import { connect, type Person } from "../walk/connect.ts";
import { lendLibrary } from "../walk/lend-library.ts";
import { returnUrlOf } from "./app.ts";
import { ChecklistStory } from "./checklist-story.ts";
import { cli } from "./cli.ts";
import type { Memory } from "./folder.ts";
import { type GrantBody, grantsTable } from "./grants-table.ts";
import { HART, LIBRARY, LINDQVIST, MOREAU } from "./people.ts";
import { CLIENT, type SimulatedFirm } from "./simulated.ts";
import { must, type Teller } from "./teller.ts";

const IDLE_MINUTES = 31;
/** Between two refreshes that rejected tokens caused, the broker lets a minute pass; the library's came a little later. */
const REJECTED_COOL_DOWN_MS = 75_000;
const AT_ONCE = 200;
const MIN_TTL_SECONDS = 60;
const TAKEOVER_MAX_SECONDS = 17;
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const USER_TYPE = "urn:imanage-token-broker:token-type:user";

export interface StoryParts {
  readonly firm: SimulatedFirm;
  readonly teller: Teller;
  readonly appAddress: string;
  readonly trackerAddress: string;
  readonly memory: Memory;
  /** At once: a run that fails later must not make the next one fail. */
  readonly remember: (learned: Partial<Memory>) => void;
}

/** The product's whole job in small, on real processes. */
export async function tellStory(parts: StoryParts): Promise<void> {
  await new Story(parts).tell();
}

class Story {
  readonly #firm: SimulatedFirm;
  readonly #teller: Teller;
  readonly #appAddress: string;
  readonly #trackerAddress: string;
  readonly #memory: Memory;
  /** Marks this run's tokens in the audit. */
  readonly #purpose = `demo ${new Date().toISOString()}`;
  readonly #remember: StoryParts["remember"];
  #tokens = 0;
  #rejectedAt: number | undefined;

  constructor({ firm, teller, appAddress, trackerAddress, memory, remember }: StoryParts) {
    this.#firm = firm;
    this.#teller = teller;
    this.#appAddress = appAddress;
    this.#trackerAddress = trackerAddress;
    this.#memory = memory;
    this.#rejectedAt = memory.rejectedAt;
    this.#remember = remember;
  }

  async tell(): Promise<void> {
    await this.#connects();
    await this.#asks();
    await this.#diesIdle();
    await this.#lends();
    await this.#expiresUnderLoad();
    // Half of it is a wait of fifteen seconds, in which life goes on.
    await Promise.all([this.#holderIsKilled(), this.#checklist()]);
    await this.#redisIsKilled();
    await this.#grantsAreListed();
    await this.#operatorContains();
    await this.#operatorLooks();
    await this.#auditIsVerified();
  }

  #connects() {
    return this.#teller.step("a user connects", "the connect session ends as connected", async () => {
      const already = await this.#grantOf(MOREAU);
      if (already !== undefined && already.state !== "reauthorization_required") {
        this.#teller.saw(`${MOREAU.username} connected in an earlier run; his grant is ${already.state}`);
        return;
      }
      await this.#connect(MOREAU);
      this.#teller.saw(`${MOREAU.username} signed in on iManage's own page, the client completed: connected`);
    });
  }

  #asks() {
    const expected = "200 with a token that opens iManage's /api";
    return this.#teller.step("the client asks for a token", expected, async () => {
      const [client] = this.#firm.clients;
      const plain = await this.#tokenThatWorks(MOREAU);
      this.#teller.saw(`POST /v1/access-tokens: token ${short(plain)}, ${plain.expires_in} s to live`);
      await this.#paste(this.#curlJson(client));

      const exchanged = await client.token({
        grant_type: TOKEN_EXCHANGE,
        audience: this.#firm.server,
        subject_token: MOREAU.subject,
        subject_token_type: USER_TYPE,
        purpose: this.#purpose,
      });
      must(exchanged.status === 200, () => told(exchanged));
      this.#tokens++;
      must(exchanged.body.fingerprint === plain.fingerprint, () => "another token than by plain JSON");
      this.#teller.saw("POST /oauth2/token, token exchange (RFC 8693): the same token");
      await this.#paste(this.#curlExchange(client));

      const api = await fetch(`${plain.api_base_url}/api`, {
        headers: { "X-Auth-Token": plain.access_token },
      });
      const { data } = (await api.json()) as {
        data?: { auth_status?: string; user?: { name?: string; customer_id?: number } };
      };
      must(data?.auth_status === "authenticated", () => `${api.status}, auth_status ${data?.auth_status}`);
      this.#teller.saw(
        `GET /api at iManage: ${data?.auth_status} as ${data?.user?.name} of ${data?.user?.customer_id}`,
      );
    });
  }

  #diesIdle() {
    const expected = "401 at iManage, then another token that works";
    return this.#teller.step("the access token dies idle", expected, async () => {
      const since = Date.now() - (this.#rejectedAt ?? 0);
      if (since < REJECTED_COOL_DOWN_MS) {
        this.#teller.skipped(
          `a token died idle ${Math.round(since / 1_000)} s ago, in the run before; the broker believes one such report a minute`,
        );
        return;
      }
      const before = await this.#token(MOREAU);
      await this.#firm.control.advance(IDLE_MINUTES * 60_000);
      const dead = await libraries(before);
      must(dead === 401, () => `the idle token got ${dead}`);
      const after = await this.#report(MOREAU, before);
      must(after.fingerprint !== before.fingerprint, () => "the same token again");
      const alive = await libraries(after);
      must(alive === 200, () => `the new token got ${alive}`);
      this.#teller.saw(
        `${IDLE_MINUTES} min later the token got 401; reported as ${short(before)}; the new one, ${short(after)}, works`,
      );
    });
  }

  #lends() {
    return this.#teller.step("a library admin lends a library", `${LIBRARY} is authorized`, async () => {
      const [client] = this.#firm.clients;
      const lent = () => client.call<Lent>("GET", `/v1/libraries?server=${this.#firm.server}`);
      const before = await lent();
      must(before.status === 200, () => told(before));
      const already = before.body.items.find(
        ({ library, state }) => library === LIBRARY && state === "authorized",
      );
      if (already !== undefined) {
        this.#teller.saw(
          `${already.lent_by.user_id} lent ${LIBRARY} in an earlier run; it is still authorized`,
        );
        return;
      }
      const page = await lendLibrary(before.body.page, LIBRARY, HART);
      must(
        page.url.endsWith(`?authorized=${LIBRARY}`),
        () => `the admin ended on ${page.url} (${page.status})`,
      );
      const after = await lent();
      const row = after.body.items.find(({ library }) => library === LIBRARY);
      must(row?.state === "authorized", () => told(after));
      this.#teller.saw(
        `${row?.lent_by.user_id} lent ${LIBRARY} on Background service authorization: Use my credentials & authorize`,
      );
    });
  }

  async #checklist(): Promise<void> {
    await new ChecklistStory({
      teller: this.#teller,
      control: this.#firm.control,
      address: this.#trackerAddress,
      libraries: `${this.#firm.product.brokerAddress(1)}/servers/${this.#firm.server}/libraries`,
      draft: this.#memory.runs + 2,
    }).tell();
  }

  #expiresUnderLoad() {
    const expected = `${AT_ONCE} answers 200 with one new token, 1 refresh at iManage`;
    return this.#teller.step(`${AT_ONCE} requests at the moment of expiry`, expected, async () => {
      const { control, clients } = this.#firm;
      await control.setSwitches({ expires_in: MIN_TTL_SECONDS + 2 });
      await this.#connect(LINDQVIST);
      const before = await this.#momentOfExpiry();
      const refreshes = await control.refreshesOf(LINDQVIST.username);

      const startedAt = performance.now();
      const answers = await Promise.all(
        Array.from({ length: AT_ONCE }, (_, at) => this.#ask(clients[at % 2 === 0 ? 0 : 1], LINDQVIST)),
      );
      const ms = Math.round(performance.now() - startedAt);
      const refused = answers.filter(({ status }) => status !== 200);
      must(refused.length === 0, () => `${refused.length} refusals, among them ${told(refused[0]!)}`);
      const tokens = new Set(answers.map(({ body }) => body.fingerprint));
      const spent = (await control.refreshesOf(LINDQVIST.username)) - refreshes;
      must(spent === 1, () => `${spent} refreshes at iManage`);
      must(tokens.size === 1 && !tokens.has(before.fingerprint), () => `${tokens.size} tokens`);
      this.#teller.saw(
        `${LINDQVIST.username}'s token ran out: ${AT_ONCE} requests on two brokers, ${ms} ms, 1 refresh at iManage`,
      );
    });
  }

  #holderIsKilled() {
    const expected = `200 from the other broker within ${TAKEOVER_MAX_SECONDS} s`;
    return this.#teller.step("kill -9 of the broker that holds a refresh", expected, async () => {
      const { control, clients, product, secondBroker } = this.#firm;
      await this.#momentOfExpiry();
      const fault = await control.addFault({
        on: { route: "token", refresh_token_of_user: LINDQVIST.username },
        do: { hold_before: true },
      });
      const lost = this.#ask(clients[1], LINDQVIST).then(
        ({ status }) => String(status),
        () => "no answer",
      );
      await control.held(fault);
      await secondBroker.kill();
      const killedAt = performance.now();
      await control.clearFaults();
      await control.setSwitches({ expires_in: "registration" });
      this.#teller.saw(
        `kill -9 of broker-2 (pid ${secondBroker.pid}) while iManage held its refresh; its caller got ${await lost}`,
      );

      const { answer, waited } = await this.#persistently(clients[0], LINDQVIST, TAKEOVER_MAX_SECONDS);
      const seconds = (performance.now() - killedAt) / 1_000;
      must(seconds <= TAKEOVER_MAX_SECONDS, () => `${seconds.toFixed(1)} s`);
      const alive = await libraries(answer.body);
      must(alive === 200, () => `its token got ${alive} at iManage`);
      this.#teller.saw(
        `broker-1 took over after ${seconds.toFixed(1)} s (${waited === 0 ? "one request" : `${waited} × 503 with Retry-After on the way`}): a token that works`,
      );
      const again = await product.startBroker(2);
      this.#teller.saw(`broker-2 is back (pid ${again.pid})`);
    });
  }

  #redisIsKilled() {
    const expected = "503 store_unavailable in between; afterwards the same grants and tokens";
    return this.#teller.step("Redis is killed and started again", expected, async () => {
      const { redis } = this.#firm.product;
      if (redis === undefined) {
        this.#teller.skipped("Redis is not killed: it is the one that REDIS_URL names, and not the demo's");
        return;
      }
      const [client] = this.#firm.clients;
      const grants = await this.#grants();
      const before = await this.#token(MOREAU);
      await redis.kill();
      const between = await this.#ask(client, MOREAU);
      must(between.status === 503 && between.body.code === "store_unavailable", () => told(between));
      await redis.restart();
      const { answer } = await this.#persistently(client, MOREAU, 10);
      must(answer.body.fingerprint === before.fingerprint, () => "another token than before");
      const after = await this.#grants();
      const told_ = (list: readonly GrantBody[]) => list.map(({ id, state }) => `${id} ${state}`).join(", ");
      must(told_(after) === told_(grants), () => `${told_(after)} instead of ${told_(grants)}`);
      this.#teller.saw(
        `kill -9 of Redis: 503 store_unavailable; started again: the same ${after.length} grants, the same token`,
      );
    });
  }

  #grantsAreListed() {
    return this.#teller.step(
      "grants are listed",
      "every grant with owner, age, state and users",
      async () => {
        const grants = await this.#grants();
        must(grants.length >= 3, () => `${grants.length} grants`);
        this.#teller.saw("GET /v1/grants:");
        this.#teller.under(grantsTable(grants, Date.now()));
      },
    );
  }

  #operatorContains() {
    const expected = "no token on either broker until it is lifted";
    return this.#teller.step("the operator stops a client's tokens", expected, async () => {
      const { clients, product } = this.#firm;
      const reason = ["--reason", "a drill"];
      const before = await this.#token(MOREAU);
      const begun = await cli(["contain", "client", CLIENT, ...reason, "--yes", "--json"], product.env);
      const { id } = JSON.parse(begun) as { id: string };
      const refused = await Promise.all(clients.map((client) => this.#ask(client, MOREAU)));
      must(
        refused.every(({ status }) => status === 401 || status === 403),
        () => refused.map(told).join("; "),
      );
      await cli(["containments", "lift", id, ...reason], product.env);
      const [client] = clients;
      const again = await this.#ask(client, MOREAU);
      must(again.status === 200, () => told(again));
      must(again.body.fingerprint === before.fingerprint, () => "another token than before");
      this.#teller.saw(
        `cli contain client ${CLIENT}: ${refused[0]!.status} on both brokers at once; lifted: the same token as before`,
      );
    });
  }

  #auditIsVerified() {
    const expected = "every entry is chained and signed";
    return this.#teller.step("the audit is verified offline", expected, async () => {
      const { folder, env } = this.#firm.product;
      const keys = folder.file("audit-keys.json");
      await writeFile(keys, await cli(["audit", "keys"], env));
      const told_ = await cli(["audit", "verify", folder.file("audit.jsonl"), "--keys", keys, "--json"], env);
      const { journals } = JSON.parse(told_) as {
        journals: readonly { entries: number; proven?: { to: number } }[];
      };
      const entries = journals.reduce((sum, journal) => sum + journal.entries, 0);
      this.#teller.saw(
        `cli audit verify: ${entries} entries of ${journals.length} journals, each proven to its end by signatures`,
      );
    });
  }

  #operatorLooks() {
    const expected = "the dashboard answers, and the audit has every token";
    return this.#teller.step("the operator looks", expected, async () => {
      const { ports, folder } = this.#firm.product;
      const board = await fetch(`http://127.0.0.1:${ports.ops1}/queues/api/queues`);
      must(board.status === 200, () => `the dashboard answered ${board.status}`);
      const { queues } = (await board.json()) as {
        queues: readonly { name: string; counts: Record<string, number> }[];
      };
      this.#teller.saw(
        `queue dashboard on the loopback ops listener: ${queues.map(({ name }) => name).join(", ")}`,
      );

      const file = folder.file("audit.jsonl");
      const until = performance.now() + 10_000;
      for (;;) {
        const lines = (await readFile(file, "utf8").catch(() => "")).split("\n").slice(0, -1);
        const ours = lines.filter(
          (line) => line.includes('"token.issued"') && line.includes(JSON.stringify(this.#purpose)),
        ).length;
        if (ours === this.#tokens) {
          this.#teller.saw(
            `audit: ${lines.length} entries in ${folder.shown("audit.jsonl")}; ${ours} tokens handed out in this story, ${ours} entries for them`,
          );
          return;
        }
        must(performance.now() < until, () => `${ours} audit entries for ${this.#tokens} tokens`);
        await pause(200);
      }
    });
  }

  // What a client does.

  async #connect(person: Person): Promise<void> {
    const [client] = this.#firm.clients;
    const at = { server: this.#firm.server, returnUrl: returnUrlOf(this.#appAddress) };
    const connected = await connect(client, at, person);
    must(connected.status === 200 && connected.body.state === "connected", () => told(connected));
  }

  async #ask(
    client: WalkingClient,
    { subject }: Person,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<Answer<AccessTokenAnswer>> {
    const answer = await client.accessToken({
      server: this.#firm.server,
      subject: { type: "user", id: subject },
      min_ttl: MIN_TTL_SECONDS,
      purpose: this.#purpose,
      ...more,
    });
    if (answer.status === 200) this.#tokens++;
    return answer;
  }

  async #token(person: Person, more: Readonly<Record<string, unknown>> = {}): Promise<AccessTokenAnswer> {
    const answer = await this.#ask(this.#firm.clients[0], person, more);
    must(answer.status === 200, () => told(answer));
    return answer.body;
  }

  /** An earlier run may have let iManage's clock run on: a 401 is reported, as every client should. */
  async #tokenThatWorks(person: Person): Promise<AccessTokenAnswer> {
    const token = await this.#token(person);
    if ((await libraries(token)) !== 401) return token;
    return this.#report(person, token);
  }

  #report(person: Person, { fingerprint }: AccessTokenAnswer): Promise<AccessTokenAnswer> {
    this.#rejectedAt = Date.now();
    this.#remember({ rejectedAt: this.#rejectedAt });
    return this.#token(person, { rejected: fingerprint });
  }

  /** Honours Retry-After, as a client should. */
  async #persistently(client: WalkingClient, person: Person, maxSeconds: number) {
    const until = performance.now() + maxSeconds * 1_000;
    for (let waited = 0; ; waited++) {
      const answer = await this.#ask(client, person);
      if (answer.status === 200) return { answer, waited };
      must(answer.status === 503, () => told(answer));
      const retryAfterMs = Number(answer.headers.get("retry-after") ?? "1") * 1_000;
      must(performance.now() + retryAfterMs <= until, () => `still ${told(answer)} after ${maxSeconds} s`);
      await pause(retryAfterMs);
    }
  }

  /** Waits until his token has less life left than callers ask for. @returns that token */
  async #momentOfExpiry(): Promise<AccessTokenAnswer> {
    const answer = await this.#ask(this.#firm.clients[0], LINDQVIST, { min_ttl: 0 });
    must(answer.status === 200, () => told(answer));
    const { expires_at } = answer.body as AccessTokenAnswer & { readonly expires_at: string };
    const left = Date.parse(expires_at) - MIN_TTL_SECONDS * 1_000 - Date.now();
    must(left <= 5_000, () => `a token that lives until ${expires_at}`);
    await pause(Math.max(0, left) + 5);
    return answer.body;
  }

  async #grants(): Promise<readonly GrantBody[]> {
    const [client] = this.#firm.clients;
    const list = await client.call<{ items: readonly GrantBody[] }>(
      "GET",
      `/v1/grants?organisation=${this.#firm.organisation}&limit=500`,
    );
    must(list.status === 200, () => told(list));
    return list.body.items;
  }

  async #grantOf({ subject }: Person): Promise<GrantBody | undefined> {
    const grants = await this.#grants();
    return grants.find(({ used_by }) => used_by.some((use) => use.subject === subject));
  }

  // The lines to paste.

  #credentials({ id }: WalkingClient): string {
    return `-u "${id}:$(cat ${quoted(this.#firm.clientSecretFile)})"`;
  }

  #curlJson(client: WalkingClient): string {
    const body = { server: this.#firm.server, subject: { type: "user", id: MOREAU.subject } };
    return `curl -sS ${client.base}/v1/access-tokens ${this.#credentials(client)} -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`;
  }

  #curlExchange(client: WalkingClient): string {
    const form = [
      `grant_type=${TOKEN_EXCHANGE}`,
      `audience=${this.#firm.server}`,
      `subject_token=${MOREAU.subject}`,
      `subject_token_type=${USER_TYPE}`,
    ];
    return `curl -sS ${client.base}/oauth2/token ${this.#credentials(client)} ${form.map((pair) => `-d ${pair}`).join(" ")}`;
  }

  /** Shows a line to paste, after pasting it. */
  async #paste(line: string): Promise<void> {
    const pasted = await sh(line);
    if (pasted.code === 127) {
      this.#teller.under(`${line}\n(not tried: there is no curl here)`);
      return;
    }
    let body: { access_token?: unknown } = {};
    try {
      body = JSON.parse(pasted.output) as typeof body;
    } catch {
      // Said below.
    }
    must(typeof body.access_token === "string", () => `pasted into sh, \`${line}\` said: ${pasted.output}`);
    this.#teller.under(`$ ${line}`);
  }
}

interface Lent {
  readonly page: string;
  readonly items: readonly {
    readonly library: string;
    readonly state: string;
    readonly lent_by: { readonly user_id: string };
  }[];
}

/** What iManage answers to a token. */
async function libraries({ access_token, api_base_url, customer_id }: AccessTokenAnswer): Promise<number> {
  const url = `${api_base_url}/work/api/v2/customers/${customer_id}/libraries`;
  const response = await fetch(url, { headers: { "X-Auth-Token": access_token } });
  await response.body?.cancel();
  return response.status;
}

const short = ({ fingerprint }: AccessTokenAnswer): string => `${fingerprint.slice(0, 6)}…`;

function told({ status, body }: Answer<unknown>): string {
  const { code, error, title, detail } = body as Record<string, unknown>;
  return [status, code ?? error, title, detail].filter((part) => part !== undefined).join(" ");
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function sh(line: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile("/bin/sh", ["-c", line], { timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({
        code: typeof error?.code === "number" ? error.code : error === null ? 0 : 1,
        output: stdout + stderr,
      }),
    );
  });
}
