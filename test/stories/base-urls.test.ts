import { request } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { connect } from "../../scripts/walk/connect.ts";
import type { ServerId } from "../../src/domain/id.ts";
import { begin, expectPage, signInAtImanage, start } from "../kit/connecting.ts";
import { firmWithOperators, signInOperator } from "../kit/operators.ts";
import { enterPortal } from "../kit/portal.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

/** The broker's second name, as a proxy in front would have it: another address of this machine, the same process behind. */
async function secondAddress(): Promise<{ readonly url: string; leadTo(here: Pick<World, "base">): void }> {
  let port = 0;
  const proxy = createServer((socket) => {
    const onward = connectTcp(port, "127.0.0.1");
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.2", resolve));
  onTestFinished(() => void proxy.close());
  return {
    url: `http://127.0.0.2:${(proxy.address() as AddressInfo).port}`,
    leadTo: ({ base }) => {
      port = Number(new URL(base).port);
    },
  };
}

async function twoAddresses() {
  const second = await secondAddress();
  const here = await world({ settings: { OTHER_PUBLIC_BASE_URLS: second.url } });
  second.leadTo(here);
  const { registration } = (await here.broker.configuration.findServer(here.server as ServerId))!;
  const redirects = [here.base, second.url].map((url) => `${url}/oauth2/callback/${registration}`);
  here.simulator.registrations.patch("token-broker", { redirect_urls: redirects });
  return { here, other: second.url, redirects };
}

/** Any Host, which `fetch` would not send. */
function ask(base: string, path: string, headers: Record<string, string>) {
  return new Promise<{ status: number; body: string; location: string }>((resolve, reject) => {
    const sent = request(base + path, { headers: { accept: "text/html", ...headers } }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      answer.on("end", () =>
        resolve({ status: answer.statusCode!, body, location: answer.headers.location ?? "" }),
      );
    });
    sent.on("error", reject).end();
  });
}

describe("several public base URLs", () => {
  it("links and redirect URIs follow the address by which somebody came, to the token, under each of them", async () => {
    const { here, other } = await twoAddresses();
    for (const base of [here.base, other]) {
      const client = here.client.at(base);
      const started = await start({ client, server: here.server });
      expect(started.startUrl.startsWith(`${base}/connect/start/`)).toBe(true);
      expect(started.authorize.searchParams.get("redirect_uri")!.startsWith(`${base}/oauth2/callback/`)).toBe(
        true,
      );
      const done = await connect(client, { server: here.server, returnUrl: RETURN_URL }, AMELIA);
      expect(done.status).toBe(200);
      const token = await client.accessToken({
        server: here.server,
        subject: { type: "user", id: AMELIA.subject },
      });
      expect(token.status).toBe(200);
      const libraries = await client.call<{ page: string }>("GET", `/v1/libraries?server=${here.server}`);
      expect(libraries.body.page.startsWith(`${base}/servers/`)).toBe(true);
      const { url, page } = await enterPortal({ client, organisation: here.organisation });
      expect(url.startsWith(`${base}/portal/open/`)).toBe(true);
      expect(page.url).toBe(`${base}/my-integrations`);
    }
  });

  it("T01 what began under one address is refused under the other, though the cookie came along, and nothing is redeemed", async () => {
    const { here, other } = await twoAddresses();
    const redeemed = () => here.simulator.events().filter(({ type }) => type === "redeemed").length;
    for (const [from, to] of [
      [here.base, other],
      [other, here.base],
    ] as const) {
      for (const [at, leadsTo] of [
        [to, "/connect/error/authorization_response_invalid"],
        [from, RETURN_URL],
      ] as const) {
        const { cookie, authorize } = await left(here, from);
        const callback = await signInAtImanage({ browser: new WalkingBrowser(), authorize });
        // The cookie of the right browser, planted under the other address.
        const back = await ask(at, callback.pathname + callback.search, { cookie });
        expect(back.status).toBe(303);
        expect(back.location).toContain(leadsTo);
      }
    }
    expect(redeemed()).toBe(0);
  });

  it("T07 a Host that is none of them is refused with nothing of it repeated; a forwarded one changes nothing", async () => {
    const { here, other } = await twoAddresses();
    const port = new URL(here.base).port;
    for (const host of [
      "evil.example",
      `evil.example:${port}`,
      "127.0.0.1",
      `127.0.0.1.evil.example:${port}`,
    ])
      for (const path of [
        "/my-integrations",
        "/v1/servers",
        "/.well-known/oauth-authorization-server",
        "/docs",
      ]) {
        const { status, body, location } = await ask(here.base, path, { host });
        expect(status, `${host} ${path}`).toBe(400);
        expect(body + location).not.toContain("evil");
      }
    const forwarded = { "x-forwarded-host": "evil.example", forwarded: "host=evil.example" };
    for (const base of [here.base, other]) {
      const begun = await here.client
        .at(base)
        .call<{ start_url: string }>(
          "POST",
          "/v1/connect-sessions",
          { server: here.server, subject: { type: "user", id: AMELIA.subject }, return_url: RETURN_URL },
          forwarded,
        );
      expect(begun.body.start_url.startsWith(base)).toBe(true);
      const { status } = await ask(base, "/my-integrations", { ...forwarded });
      expect(status).toBe(403);
    }
    const shouted = await ask(other, "/connect/error/none", { host: new URL(other).host.toUpperCase() });
    expect(shouted.status).toBe(404);
  });

  it("T07 with one address Host is never looked at, and never used", async () => {
    const here = await world();
    const { status, body } = await ask(here.base, "/.well-known/oauth-authorization-server", {
      host: "evil.example",
    });
    expect(status).toBe(200);
    expect(body).not.toContain("evil");
  });

  it("the issuer stays the first; the sheet lists the redirect URL of each; the page that names it names the visitor's own", async () => {
    const { here, other, redirects } = await twoAddresses();
    for (const base of [here.base, other]) {
      const metadata = await ask(base, "/.well-known/oauth-authorization-server", {});
      expect(JSON.parse(metadata.body).issuer).toBe(here.base);
      const sheet = await here.client
        .at(base)
        .call<{ tabs: { fields: { field: string; value: string }[] }[] }>(
          "GET",
          `/v1/servers/${here.server}/registration`,
        );
      const listed = sheet.body.tabs
        .flatMap(({ fields }) => fields)
        .filter(({ field }) => field === "Redirect URL");
      expect(listed.map(({ value }) => value)).toEqual(redirects);
      const admin = await enterPortal(
        { client: here.client.at(base), organisation: here.organisation },
        { role: "organisation_admin" },
      );
      const page = await admin.browser.get(`${base}/settings/servers/${here.server}`);
      for (const redirect of redirects) expect(page.body).toContain(redirect);
    }
  });

  it("a check looks at the redirect URL of the address by which it was asked for", async () => {
    const { here, other, redirects } = await twoAddresses();
    here.simulator.registrations.patch("token-broker", { redirect_urls: [redirects[0]!] });
    const checked = async (base: string) => {
      const { body } = await here.client
        .at(base)
        .call<{ findings: { step: string; cause: string }[] }>("POST", `/v1/servers/${here.server}/diagnose`);
      here.advance(61_000);
      return body.findings.find(({ step }) => step === "authorize")?.cause;
    };
    expect(await checked(here.base)).toBe("authorize.known");
    expect(await checked(other)).toBe("authorize.redirect_unregistered");
  });

  it("operators sign in under each of them, and come back to where they were", async () => {
    const second = await secondAddress();
    const { here, provider } = await firmWithOperators({ OTHER_PUBLIC_BASE_URLS: second.url }, second.url);
    second.leadTo(here);
    for (const base of [here.base, second.url]) {
      const { landed } = await signInOperator({ base }, provider, "olga");
      expect(landed.url).toBe(`${base}/operators`);
      expect(landed.body).toContain("olga of the firm");
    }
    expectPage(
      (await signInOperator({ base: second.url }, provider, "guest")).landed,
      "operator_not_allowed",
    );
  });
});

/** A sign-in of Amelia's that has left for iManage, with the cookie that her browser got for it. */
async function left(here: World, base: string) {
  const begun = await begin({ client: here.client.at(base), server: here.server });
  const answer = await fetch(begun.body.start_url, { redirect: "manual" });
  return {
    cookie: answer.headers.getSetCookie()[0]!.split(";")[0]!,
    authorize: new URL(answer.headers.get("location")!),
  };
}
