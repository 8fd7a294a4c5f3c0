import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import { WalkingClient } from "../../scripts/walk/client.ts";
import { complete, connect, type Person, signInAt } from "../../scripts/walk/connect.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import { makeId } from "../../src/domain/id.ts";
import { put } from "./put-records.ts";
import { AMELIA, RETURN_URL, type World } from "./world.ts";

export interface PortalAnswer {
  readonly id: string;
  readonly url?: string;
  readonly page: string;
  readonly expires_at: string;
  readonly code?: string;
}

type At = Pick<World, "client" | "organisation">;

/** A client opens the pages for its person. */
export const openPortal = ({ client, organisation }: At, body: object = {}) =>
  client.call<PortalAnswer>("POST", "/v1/portal-sessions", {
    organisation,
    subject: { type: "user", id: AMELIA.subject },
    role: "user",
    return_url: RETURN_URL,
    ...body,
  });

/** And his browser goes there. Answers the page it ends on. */
export async function enterPortal(at: At, body: object = {}, browser = new WalkingBrowser()) {
  const opened = await openPortal(at, body);
  if (opened.body.url === undefined)
    throw new Error(`no link: ${opened.status} ${JSON.stringify(opened.body)}`);
  const entered = await browser.get(opened.body.url);
  const page = await browser.follow(entered, [new URL(opened.body.url).origin]);
  return { browser, page, url: opened.body.url, entered };
}

/** Sends the form at `action` of a page of ours, with what it holds. */
export function submit(
  browser: WalkingBrowser,
  page: Visit,
  action: string,
  more: Record<string, string> = {},
) {
  const form = page.body
    .split("<form ")
    .slice(1)
    .map((rest) => rest.split("</form>")[0]!)
    .find((text) => text.includes(`action="${action}"`));
  const csrf = form && /name="csrf" value="([^"]+)"/.exec(form)?.[1];
  if (csrf === undefined) throw new Error(`${page.url} has no form for ${action}`);
  return browser.post(new URL(action, page.url).href, { csrf, ...more });
}

/** *Authorize* on *My integrations*, then iManage's own form. Answers the last address the broker sent the browser to. */
export async function authorizeOnPage(
  browser: WalkingBrowser,
  page: Visit,
  server: string,
  person: Pick<Person, "username" | "password"> = AMELIA,
): Promise<string> {
  const left = await submit(browser, page, `/my-integrations/${server}/authorize`);
  const to = /<meta http-equiv="refresh" content="0;url=([^"]+)">/.exec(left.body)?.[1];
  if (to === undefined) throw new Error(`${left.url} answered ${left.status}: ${left.body.slice(-900)}`);
  return signInAt(browser, new URL(page.url).origin, to.replaceAll("&amp;", "&"), person);
}

/** What a client does when the browser is back at its return URL. */
export function completeReturn(client: WalkingClient, back: string, subject = AMELIA.subject) {
  const { searchParams } = new URL(back);
  return complete(
    client,
    searchParams.get("connect_session") ?? "",
    searchParams.get("completion") ?? "",
    subject,
  );
}

/** Another application of the same firm. */
export async function anotherClient(
  { broker, base, client, organisation, server }: World,
  displayName: string,
) {
  const { configuration, clientSecrets, random, clock } = broker;
  const record = (await configuration.findClient(client.id as ClientId))!;
  const id = makeId("cli", undefined, clock.now(), random.bytes(16));
  const secret = clientSecrets.make();
  const secrets = [{ hmac: clientSecrets.hmac(secret), addedAt: clock.now(), expiresAt: undefined }];
  await put.client(configuration, { ...record, id, name: id, displayName, secrets });
  const { policy } = await configuration.findPolicy(record.id, organisation as OrganisationId);
  await put.policy(configuration, { ...policy!, client: id });
  const walking = new WalkingClient(base, id, secret.reveal());
  return {
    client: walking,
    connect: (person: Person) => connect(walking, { server, returnUrl: RETURN_URL }, person),
  };
}
