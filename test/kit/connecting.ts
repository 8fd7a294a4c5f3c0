import { expect } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import type { Answer, WalkingClient } from "../../scripts/walk/client.ts";
import type { ConnectSessionAnswer, Person } from "../../scripts/walk/connect.ts";
import { PROBLEMS, type ProblemCode } from "../../src/domain/problem-catalogue.ts";
import type { Simulator } from "../../src/simulator/start-simulator.ts";
import { keysOf } from "./redis.ts";
import { AMELIA, RETURN_URL, type World } from "./world.ts";

/** Someone of the simulator's other customer. */
export const CASTELLAN: Person = { subject: "u-castellan", username: "s.castellan", password: "castellan" };

export interface Where {
  readonly client: WalkingClient;
  readonly server: string;
  readonly returnUrl?: string;
}

/** A connect session whose browser stands at iManage's door. */
export interface Started {
  readonly session: string;
  readonly startUrl: string;
  readonly browser: WalkingBrowser;
  /** Where the broker sent the browser. */
  readonly authorize: URL;
  readonly state: string;
}

export function begin(
  { client, server, returnUrl = RETURN_URL }: Where,
  subject: string = AMELIA.subject,
): Promise<Answer<ConnectSessionAnswer>> {
  return client.call<ConnectSessionAnswer>("POST", "/v1/connect-sessions", {
    server,
    subject: { type: "user", id: subject },
    return_url: returnUrl,
  });
}

export async function start(
  where: Where,
  subject: string = AMELIA.subject,
  browser = new WalkingBrowser(),
): Promise<Started> {
  const begun = await begin(where, subject);
  expect(begun.status).toBe(201);
  const left = await browser.get(begun.body.start_url);
  expect(left.status).toBe(303);
  const authorize = new URL(left.location!);
  const state = authorize.searchParams.get("state")!;
  return { session: begun.body.id, startUrl: begun.body.start_url, browser, authorize, state };
}

/** Signs in at iManage's own form. Answers the callback that iManage sends the browser to, not yet visited. */
export async function signInAtImanage(
  { browser, authorize }: Pick<Started, "browser" | "authorize">,
  person: Pick<Person, "username" | "password"> = AMELIA,
): Promise<URL> {
  const { username, password } = person;
  const answered = await browser.post(authorize.href, { username, password, action: "sign-in" });
  if (answered.location === undefined) throw new Error(`iManage's sign-in page answered ${answered.status}`);
  return new URL(answered.location);
}

/** All the way until the browser is back at the client, nothing redeemed yet. */
export async function returned(
  where: Where,
  person: Person = AMELIA,
  subject: string = person.subject,
): Promise<Started & { readonly completion: string; readonly callback: URL }> {
  const started = await start(where, subject);
  const callback = await signInAtImanage(started, person);
  const back = await started.browser.get(callback.href);
  expect(back.status).toBe(303);
  const completion = new URL(back.location!).searchParams.get("completion");
  if (completion === null) throw new Error(`the callback led to ${back.location}`);
  return { ...started, callback, completion };
}

export const sessionOf = (client: WalkingClient, id: string) =>
  client.call<ConnectSessionAnswer & { problem: { code: string } | null }>(
    "GET",
    `/v1/connect-sessions/${id}`,
  );

/** A problem as a client reads it: right status, code and remedy, and the link to send a person to. */
export function expectProblem(answer: Answer<unknown>, code: ProblemCode): void {
  const { status, remedy, title, action } = PROBLEMS[code];
  expect({ status: answer.status, body: answer.body }).toMatchObject({
    status,
    body: { code, remedy, title, action, status },
  });
  expect(answer.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(answer.headers.get("cache-control")).toBe("no-store");
}

/** The session failed so, its page says so, and nothing came of it. Answers the page. */
export async function expectFailed(
  world: Pick<World, "base">,
  client: WalkingClient,
  session: string,
  code: ProblemCode,
): Promise<string> {
  const read = await sessionOf(client, session);
  expect(read.body).toMatchObject({ state: "failed", grant: null, problem: { code } });
  const page = await new WalkingBrowser().get(read.body.page);
  expect(new URL(read.body.page).origin).toBe(world.base);
  expect(page.status).toBe(200);
  expectPage(page, code);
  return page.body;
}

/** A page of ours that names the problem and what to do. */
export function expectPage(page: Visit, code: ProblemCode): void {
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.body).toContain(`<code>${code}</code>`);
  expect(page.body).toContain("What to do");
  expectPrivate(page);
}

/** T08: what every answer to a browser carries. */
export function expectPrivate({ headers, body }: Visit): void {
  expect(headers.get("referrer-policy")).toBe("no-referrer");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("content-security-policy")).toMatch(/^default-src 'none';/);
  expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  const foreign =
    /<(script|img|iframe|object|embed|form)\b[^>]*|<link\b(?![^>]*href="data:)[^>]*|\bsrc=.{20}|@import/i;
  expect(foreign.exec(body)?.[0]).toBeUndefined();
}

/** Follows the callback's refusal to its page. */
export async function expectRefusedCallback(
  browser: WalkingBrowser,
  back: Visit,
  code: ProblemCode,
): Promise<void> {
  expect(back.status).toBe(303);
  const to = new URL(back.location!);
  expect(to.pathname).toBe(`/connect/error/${code}`);
  expect([...to.searchParams.keys()]).toEqual(["reference"]);
  const page = await browser.get(to.href);
  expect(page.status).toBe(PROBLEMS[code].status);
  expectPage(page, code);
}

/** How many records of each noun the store holds for an organisation. */
export async function storedNouns(
  { broker }: Pick<World, "broker">,
  organisation: string,
): Promise<Readonly<Record<string, number>>> {
  const prefix = `b1:{o:${organisation.slice(4)}}:`;
  const nouns: Record<string, number> = {};
  for (const key of await keysOf(broker.stores.fast.connection, prefix)) {
    const noun = key.slice(prefix.length).split(":")[0]!;
    // How sign-ins ended is remembered for a diagnosis: hints, and none of what anybody was given.
    if (noun === "sign-ins") continue;
    nouns[noun] = (nouns[noun] ?? 0) + 1;
  }
  return nouns;
}

const KEPT = ["grant", "grants", "consent", "binding", "grant-bindings", "pending-completion", "revocations"];

/** No grant, no binding, no code that waits. */
export async function expectNothingStored(
  world: Pick<World, "broker" | "organisation">,
  organisation = world.organisation,
): Promise<void> {
  const stored = await storedNouns(world, organisation);
  expect(Object.keys(stored).filter((noun) => KEPT.includes(noun))).toEqual([]);
}

/** How often iManage's token endpoint was asked. */
export const tokenRequests = (simulator: Simulator): number => simulator.counts().routes.token ?? 0;

/** Codes that were issued and never presented. */
export const unusedCodes = (simulator: Simulator): number =>
  simulator.truth().codes.filter(({ used_at }) => used_at === null).length;
