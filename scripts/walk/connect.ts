import { WalkingBrowser } from "./browser.ts";
import type { Answer, WalkingClient } from "./client.ts";

export interface Person {
  /** At the client. */
  readonly subject: string;
  /** At iManage. */
  readonly username: string;
  readonly password: string;
}

export interface ConnectSessionAnswer {
  readonly id: string;
  readonly start_url: string;
  readonly state: string;
  readonly grant: string | null;
  readonly page: string;
  readonly code?: string;
  readonly remedy?: string;
}

/** A person authorises a client through iManage's own sign-in page; the client completes. */
export async function connect(
  client: WalkingClient,
  at: { readonly server: string; readonly returnUrl: string },
  person: Person,
  browser = new WalkingBrowser(),
): Promise<Answer<ConnectSessionAnswer>> {
  const returned = await connectUntilReturn(client, at, person, browser);
  return complete(client, returned.session, returned.completion, person.subject);
}

/** The same until the browser is back at the client, with nothing redeemed yet. */
export async function connectUntilReturn(
  client: WalkingClient,
  at: { readonly server: string; readonly returnUrl: string },
  person: Person,
  browser = new WalkingBrowser(),
): Promise<{ session: string; completion: string; returned: URL }> {
  const begun = await client.call<ConnectSessionAnswer>("POST", "/v1/connect-sessions", {
    server: at.server,
    subject: { type: "user", id: person.subject },
    return_url: at.returnUrl,
  });
  if (begun.status !== 201) throw new Error(`connect session: ${begun.status} ${JSON.stringify(begun.body)}`);
  const back = await signIn(browser, client.base, begun.body.start_url, person);
  const returned = new URL(back);
  return {
    session: begun.body.id,
    completion: returned.searchParams.get("completion") ?? "",
    returned,
  };
}

export function complete(
  client: WalkingClient,
  session: string,
  completion: string,
  subject: string,
): Promise<Answer<ConnectSessionAnswer>> {
  return client.call<ConnectSessionAnswer>("POST", `/v1/connect-sessions/${session}/complete`, {
    completion,
    subject: { type: "user", id: subject },
  });
}

/** From a start link through iManage's sign-in form and back. Answers the last address the broker sent the browser to. */
export async function signIn(
  browser: WalkingBrowser,
  base: string,
  start: string,
  person: Pick<Person, "username" | "password">,
): Promise<string> {
  const left = await browser.get(start);
  if (left.location === undefined) throw new Error(`the start link answered ${left.status}`);
  return signInAt(browser, base, left.location, person);
}

/** iManage's sign-in form is one POST to its own address; then back at the broker's callback and on. */
export async function signInAt(
  browser: WalkingBrowser,
  base: string,
  authorizeUrl: string,
  person: Pick<Person, "username" | "password">,
): Promise<string> {
  const answered = await browser.post(authorizeUrl, {
    username: person.username,
    password: person.password,
    action: "sign-in",
  });
  if (answered.location === undefined) throw new Error(`iManage's sign-in page answered ${answered.status}`);
  const callback = await browser.get(answered.location);
  if (callback.location === undefined)
    throw new Error(`the callback answered ${callback.status}: ${callback.body.slice(0, 200)}`);
  const last = await browser.follow(callback, [new URL(base).origin]);
  return last.location ?? last.url;
}
