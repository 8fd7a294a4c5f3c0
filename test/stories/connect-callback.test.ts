import { describe, expect, it } from "vitest";
import { type Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import { complete } from "../../scripts/walk/connect.ts";
import {
  expectFailed,
  expectNothingStored,
  expectPrivate,
  expectProblem,
  expectRefusedCallback,
  returned,
  type Started,
  sessionOf,
  signInAtImanage,
  start,
  storedNouns,
  tokenRequests,
} from "../kit/connecting.ts";
import { AMELIA, MOREAU, RETURN_URL, type World, world } from "../kit/world.ts";
import { hostileTexts } from "../pages/hostile-text.ts";

/** Of the corpus that the pages are tested with in full, enough to pass every shape and every wrap once. */
const SAMPLE = hostileTexts().filter((_, index) => index % 7 === 0);

describe("T03 a callback belongs to one browser and works once", () => {
  it("a state that was used is refused, and the first answer stands", async () => {
    const built = await world();
    const { browser, callback, session, completion } = await returned(built);
    const again = await browser.get(callback.href);
    await expectRefusedCallback(browser, again, "authorization_response_invalid");
    expect((await complete(built.client, session, completion, AMELIA.subject)).body).toMatchObject({
      state: "connected",
    });
    await expectRefusedCallback(browser, await browser.get(callback.href), "authorization_response_invalid");
    expect(tokenRequests(built.simulator)).toBe(1);
  });

  it("without the cookie, or with another browser's, it is refused and the true browser can still finish", async () => {
    const built = await world();
    const victim = await start(built);
    const callback = await signInAtImanage(victim);
    const other = await start(built, "u-other");
    for (const stranger of [new WalkingBrowser(), other.browser]) {
      const back = await stranger.get(callback.href);
      await expectRefusedCallback(stranger, back, "authorization_response_invalid");
      expect(back.headers.getSetCookie()).toEqual([]);
    }
    // The other browser's cookie under the name that this sign-in looks for.
    const [name] = victim.browser.cookieNames(built.base);
    const planted = await fetch(callback, {
      redirect: "manual",
      headers: { cookie: `${name}=${"A".repeat(53)}` },
    });
    expect(planted.headers.get("location")).toMatch(/^\/connect\/error\/authorization_response_invalid\?/);
    await expectNothingStored(built);
    expect((await sessionOf(built.client, victim.session)).body).toMatchObject({ state: "started" });

    const back = await victim.browser.get(callback.href);
    const completion = new URL(back.location!).searchParams.get("completion")!;
    const completed = await complete(built.client, victim.session, completion, AMELIA.subject);
    expect(completed.body).toMatchObject({ state: "connected" });
    expect(victim.browser.cookieNames(built.base)).toEqual([]);
  });

  it("of a thousand callbacks with one state exactly one proceeds", async () => {
    const built = await world();
    const started = await start(built);
    const callback = await signInAtImanage(started);
    // Each takes the cookie along before any answer can take it away.
    const visits = await Promise.all(Array.from({ length: 1_000 }, () => started.browser.get(callback.href)));
    const led = visits.filter(({ location }) => location?.startsWith(RETURN_URL));
    expect(led).toHaveLength(1);
    const refused = visits.filter(({ location }) =>
      location?.startsWith(`${built.base}/connect/error/authorization_response_invalid?`),
    );
    expect(refused).toHaveLength(999);
    expect(await storedNouns(built, built.organisation)).toMatchObject({ "pending-completion": 1 });
    expect(tokenRequests(built.simulator)).toBe(0);

    const completion = new URL(led[0]!.location!).searchParams.get("completion")!;
    const completed = await complete(built.client, started.session, completion, AMELIA.subject);
    expect(completed.body).toMatchObject({ state: "connected" });
    expect(tokenRequests(built.simulator)).toBe(1);
  });

  it("two sign-ins in one browser do not disturb each other", async () => {
    const built = await world();
    const browser = new WalkingBrowser();
    const first = await start(built, AMELIA.subject, browser);
    const second = await start(built, MOREAU.subject, browser);
    const [a, b] = [await signInAtImanage(first), await signInAtImanage(second, MOREAU)];
    for (const [callback, { session }, { subject }] of [
      [b, second, MOREAU],
      [a, first, AMELIA],
    ] as const) {
      const back = await browser.get(callback.href);
      const completion = new URL(back.location!).searchParams.get("completion")!;
      expect((await complete(built.client, session, completion, subject)).body).toMatchObject({
        state: "connected",
      });
    }
  });
});

describe("T04 a code is worth nothing without the verifier of its own sign-in", () => {
  it("codes of two sign-ins that were swapped are refused by iManage, and neither is stored", async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ pkce: "enforced" }) });
    const [amelia, moreau] = [await start(built), await start(built, MOREAU.subject)];
    const codes = [await codeOf(amelia, AMELIA), await codeOf(moreau, MOREAU)] as const;
    for (const [started, person, code] of [
      [amelia, AMELIA, codes[1]],
      [moreau, MOREAU, codes[0]],
    ] as const) {
      const callback = new URL(started.authorize.searchParams.get("redirect_uri")!);
      callback.search = `${new URLSearchParams({ state: started.state, code })}`;
      const back = await started.browser.get(callback.href);
      const completion = new URL(back.location!).searchParams.get("completion")!;
      const refused = await complete(built.client, started.session, completion, person.subject);
      expectProblem(refused, "authorization_refused");
      await expectFailed(built, built.client, started.session, "authorization_refused");
    }
    await expectNothingStored(built);
    expect(tokenRequests(built.simulator)).toBe(2);
    expect(built.simulator.truth().families).toEqual([]);
  });

  it("S256 is asked for at every sign-in, and a server that insists on it is served", async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ pkce: "enforced" }) });
    const { authorize } = await start(built);
    expect(authorize.searchParams.get("code_challenge_method")).toBe("S256");
    expect(authorize.searchParams.get("code_challenge")).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect((await built.connect()).body).toMatchObject({ state: "connected" });
  });
});

const codeOf = async (started: Started, person: typeof AMELIA): Promise<string> =>
  (await signInAtImanage(started, person)).searchParams.get("code")!;

describe("T08, T09 nothing of an answer stays in the browser's address or comes back in a page", () => {
  it("on the whole way no answer of ours lets itself be framed, kept or referred to, and none repeats code or state", async () => {
    const built = await world();
    const browser = new WalkingBrowser();
    const { session, authorize, state, startUrl } = await start(built, AMELIA.subject, browser);
    const callback = await signInAtImanage({ browser, authorize });
    const code = callback.searchParams.get("code")!;
    const visits: Visit[] = [await new WalkingBrowser().get(callback.href), await browser.get(callback.href)];
    visits.push(await browser.get(callback.href), await browser.get(startUrl));
    visits.push(await browser.get(`${built.base}/connect/result/${session}`));
    visits.push(
      await browser.get(visits[0]!.location!),
      await browser.get(`${built.base}/oauth2/callback/x`),
    );
    for (const visit of visits) {
      expectPrivate(visit);
      const told = `${visit.body} ${visit.location ?? ""} ${[...visit.headers].join("\n")}`;
      expect(told).not.toContain(code);
      expect(told).not.toContain(state);
      if (visit.status === 303) expect(visit.body).toBe("");
    }
  });

  it("what a server writes into error and error_description is never repeated: not in a page, a header, the API or the log", async () => {
    const built = await world();
    const { client } = built;
    for (const [index, text] of SAMPLE.entries()) {
      const canary = `canary${index}x`;
      const hostile = `${text}${canary}`;
      const started = await start(built, `u-${index}`);
      const callback = new URL(started.authorize.searchParams.get("redirect_uri")!);
      callback.search = `${new URLSearchParams({
        state: started.state,
        error: index % 2 === 0 ? hostile.slice(0, 256) : "access_denied",
        error_description: hostile,
        error_uri: hostile,
        [hostile]: hostile,
      })}`;
      const back = await started.browser.get(callback.href);
      expect(back.location).toBe(`${built.base}/connect/result/${started.session}`);
      const page = await started.browser.get(back.location!);
      const read = await sessionOf(client, started.session);
      const code = index % 2 === 0 ? "authorization_refused" : "authorization_denied";
      expect(read.body.problem?.code).toBe(code);
      expect(page.body).toContain(`<code>${code}</code>`);
      expectSilent(
        [page.body, [...back.headers, ...page.headers].join("\n"), JSON.stringify(read.body)],
        canary,
      );
    }
    expectSilent(built.lines, "canary");
  });

  it("the same in the body of the token endpoint", async () => {
    const built = await world();
    for (const [index, text] of SAMPLE.slice(0, 25).entries()) {
      const canary = `canary${index}x`;
      const hostile = `${text}${canary}`;
      built.simulator.addFault({
        on: { route: "token" },
        do: {
          answer: {
            status: [400, 401, 403, 500, 200][index % 5]!,
            body:
              index % 3 === 0 ? hostile : { error: hostile, error_description: hostile, error_uri: hostile },
          },
        },
      });
      const { session, completion, browser } = await returned(built, AMELIA, `u-${index}`);
      const refused = await complete(built.client, session, completion, `u-${index}`);
      expect(refused.status).toBeGreaterThanOrEqual(500);
      const page = await browser.get((refused.body as unknown as { link: string }).link);
      expect(page.status).toBe(200);
      expectSilent([page.body, JSON.stringify(refused.body)], canary);
    }
    expectSilent(built.lines, "canary");
    await expectNothingStored(built);
  });

  it("error codes of RFC 6749 §4.1.2.1 each have their problem", async () => {
    const built = await world();
    for (const [error, code] of [
      ["access_denied", "authorization_denied"],
      ["unauthorized_client", "authorization_refused"],
      ["invalid_scope", "authorization_refused"],
      ["server_error", "imanage_unavailable"],
      ["temporarily_unavailable", "imanage_unavailable"],
    ] as const) {
      const started = await start(built);
      const callback = new URL(started.authorize.searchParams.get("redirect_uri")!);
      callback.search = `${new URLSearchParams({ state: started.state, error })}`;
      await started.browser.get(callback.href);
      await expectFailed(built, built.client, started.session, code);
    }
    await expectNothingStored(built);
    expect(tokenRequests(built.simulator)).toBe(0);
  });
});

function expectSilent(texts: World["lines"], canary: string): void {
  expect(texts.find((text) => text.includes(canary))?.slice(0, 500)).toBeUndefined();
}
