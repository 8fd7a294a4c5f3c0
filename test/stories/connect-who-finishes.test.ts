import { describe, expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { complete } from "../../scripts/walk/connect.ts";
import { days } from "../../src/domain/instant.ts";
import { addOrganisation } from "../kit/additions.ts";
import {
  begin,
  expectFailed,
  expectNothingStored,
  expectPage,
  expectProblem,
  expectRefusedCallback,
  returned,
  sessionOf,
  signInAtImanage,
  start,
  storedNouns,
  tokenRequests,
  unusedCodes,
} from "../kit/connecting.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";

const WINDOW_MS = 25_000;
/** A multiple of eight. The whole count is for `npm run verify:threats`. */
const SIGN_INS = Number(process.env.THREAT_SIGN_INS ?? 200);

describe("T02 the one who finishes is the one who started", () => {
  it("a sign-in that somebody else finishes ends unredeemed, its code thrown away, and its page says what happened", async () => {
    const built = await world();
    const { client, simulator } = built;
    // Amelia's link in Moreau's browser: he signs in, and lands in the application as himself.
    const { session, completion } = await returned(built, MOREAU, AMELIA.subject);
    const refused = await complete(client, session, completion, MOREAU.subject);
    expectProblem(refused, "session_user_mismatch");
    expect(refused.body).toMatchObject({ link: `${built.base}/connect/result/${session}` });

    const page = await expectFailed(built, client, session, "session_user_mismatch");
    expect(page).toContain("thrown away unused");
    expect(page).not.toContain(AMELIA.subject);
    await expectNothingStored(built);

    expectProblem(await complete(client, session, completion, AMELIA.subject), "connect_session_used");
    expect(tokenRequests(simulator)).toBe(0);
    expect(unusedCodes(simulator)).toBe(1);
    const told = built.lines
      .map((line) => JSON.parse(line))
      .find(({ message }) => message === "connect failed");
    expect(told).toMatchObject({ code: "session_user_mismatch" });
  });

  it("somebody of the same name whom another issuer vouches for is somebody else", async () => {
    const built = await world();
    const { session, completion } = await returned(built);
    const refused = await built.client.call("POST", `/v1/connect-sessions/${session}/complete`, {
      completion,
      subject: { type: "user", id: AMELIA.subject, issuer: "https://idp.example" },
    });
    expectProblem(refused, "session_user_mismatch");
    expect(tokenRequests(built.simulator)).toBe(0);
  });

  it("completed too late is told with the time that passed, and nothing is redeemed", async () => {
    const built = await world();
    const { session, completion } = await returned(built);
    built.advance(WINDOW_MS + 1_000);
    const late = await complete(built.client, session, completion, AMELIA.subject);
    expectProblem(late, "completed_too_late");
    const { elapsed_ms, window_ms } = late.body as unknown as { elapsed_ms: number; window_ms: number };
    expect(window_ms).toBe(WINDOW_MS);
    expect(elapsed_ms).toBeGreaterThan(WINDOW_MS);
    expect(elapsed_ms).toBeLessThan(WINDOW_MS + 10_000);
    await expectFailed(built, built.client, session, "completed_too_late");
    await expectNothingStored(built);
    expect(tokenRequests(built.simulator)).toBe(0);
  });

  it("the window is five seconds shorter than a code lives at this server, and never longer than a minute", async () => {
    for (const [codeLifeMs, windowMs] of [
      [10_000, 5_000],
      [3_600_000, 60_000],
    ] as const) {
      const built = await world({
        serverSettings: { codeLifeMs },
        prepare: (simulator) => simulator.setSwitches({ work_token_grant_expiry_seconds: 3_600 }),
      });
      const late = await returned(built);
      built.advance(windowMs);
      const refused = await complete(built.client, late.session, late.completion, AMELIA.subject);
      expectProblem(refused, "completed_too_late");
      const inTime = await returned(built);
      built.advance(windowMs - 1_000);
      const connected = await complete(built.client, inTime.session, inTime.completion, AMELIA.subject);
      expect(connected.body).toMatchObject({ state: "connected" });
    }
  });

  it("a code that iManage let lapse sooner than was said shortens the next window, instead of being refused again", async () => {
    const built = await world();
    built.simulator.setSwitches({ work_token_grant_expiry_seconds: 10 });
    const first = await returned(built);
    built.advance(15_000);
    const refused = await complete(built.client, first.session, first.completion, AMELIA.subject);
    expectProblem(refused, "code_expired_at_imanage");
    expect(tokenRequests(built.simulator)).toBe(1);

    const second = await returned(built);
    built.advance(11_000);
    const late = await complete(built.client, second.session, second.completion, AMELIA.subject);
    expectProblem(late, "completed_too_late");
    const { window_ms } = late.body as unknown as { window_ms: number };
    expect(window_ms).toBeGreaterThanOrEqual(10_000);
    expect(window_ms).toBeLessThan(11_000);
    expect(tokenRequests(built.simulator)).toBe(1);

    // A week later it is tried as the settings say: somebody may have mended it.
    built.advance(days(8));
    built.simulator.setSwitches({ work_token_grant_expiry_seconds: 30 });
    const third = await returned(built);
    built.advance(20_000);
    const connected = await complete(built.client, third.session, third.completion, AMELIA.subject);
    expect(connected.body).toMatchObject({ state: "connected" });
  });

  it("a sign-in that nobody completes leaves nothing, and its page says that it was too late", async () => {
    const built = await world();
    const { session } = await returned(built);
    const page = async () => (await new WalkingBrowser().get(`${built.base}/connect/result/${session}`)).body;
    expect(await page()).toContain("Waiting for Matter tracker");
    built.advance(WINDOW_MS + 60_000);
    expect(await page()).toContain("<code>completed_too_late</code>");
    expect(await storedNouns(built, built.organisation)).not.toHaveProperty("grant");
    expect(tokenRequests(built.simulator)).toBe(0);
  });

  it("a completion of another session is thrown away and moves neither's authorisation to the other", async () => {
    const built = await world();
    const { client, simulator } = built;
    const amelia = await returned(built);
    const moreau = await returned(built, MOREAU);
    expectProblem(
      await complete(client, amelia.session, moreau.completion, AMELIA.subject),
      "authorization_response_invalid",
    );
    expect(tokenRequests(simulator)).toBe(0);
    // What was presented is gone; whose session it was presented at can still finish his own.
    await expectFailed(built, client, moreau.session, "authorization_response_invalid");
    expectProblem(
      await complete(client, moreau.session, moreau.completion, MOREAU.subject),
      "connect_session_used",
    );
    expect(await storedNouns(built, built.organisation)).not.toHaveProperty("grant");
    const own = await complete(client, amelia.session, amelia.completion, AMELIA.subject);
    expect(own.body).toMatchObject({ state: "connected" });
    expect(tokenRequests(simulator)).toBe(1);
    expect(unusedCodes(simulator)).toBe(1);
  });

  it("a completion that was made up takes nothing", async () => {
    const built = await world();
    const { session, completion } = await returned(built);
    const last = completion.at(-1) === "A" ? "E" : "A";
    for (const invented of [
      `${completion.slice(0, -1)}${last}`,
      completion.slice(0, -1),
      "x",
      completion.toLowerCase(),
    ]) {
      expectProblem(await complete(built.client, session, invented, AMELIA.subject), "connect_session_used");
    }
    expect((await complete(built.client, session, completion, AMELIA.subject)).body).toMatchObject({
      state: "connected",
    });
  });

  it("another client learns nothing of a session and cannot complete it; its own client still can", async () => {
    const built = await world();
    const firm = await addOrganisation(built, {
      servers: { dms: { simulator: built.simulator } },
      clients: { tracker: {}, other: {} },
    });
    const { tracker, other } = firm.clients;
    const where = { client: tracker, server: firm.servers.dms.id };
    const { session, completion } = await returned(where);
    const foreign = await complete(other, session, completion, AMELIA.subject);
    expectProblem(foreign, "not_found");
    const unknown = await complete(other, `${session.slice(0, -4)}0000`, completion, AMELIA.subject);
    expect({ ...foreign.body, request_id: "" }).toEqual({ ...unknown.body, request_id: "" });
    expectProblem(await sessionOf(other, session), "not_found");
    expect(tokenRequests(built.simulator)).toBe(0);

    const own = await complete(tracker, session, completion, AMELIA.subject);
    expect(own.body).toMatchObject({ state: "connected" });
  });

  it("of fifty completions at once one redeems", async () => {
    const built = await world();
    const { session, completion } = await returned(built);
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => complete(built.client, session, completion, AMELIA.subject)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200))
      expectProblem(answer, "connect_session_used");
    expect(tokenRequests(built.simulator)).toBe(1);
    expect((await sessionOf(built.client, session)).body).toMatchObject({
      state: "connected",
      problem: null,
    });
  });
});

describe("links and sessions are over when they are over", () => {
  it("a start link works once; whoever follows it again gets a page", async () => {
    const built = await world();
    const { startUrl, browser } = await start(built);
    for (const visitor of [browser, new WalkingBrowser()]) {
      const again = await visitor.get(startUrl);
      expect(again.status).toBe(410);
      expectPage(again, "connect_session_expired");
      expect(again.headers.getSetCookie()).toEqual([]);
    }
    await expectNothingStored(built);
  });

  it("a start link that was not followed in fifteen minutes is over", async () => {
    const built = await world();
    const begun = await begin(built);
    built.advance(15 * 60_000);
    const visit = await new WalkingBrowser().get(begun.body.start_url);
    expect(visit.status).toBe(410);
    expectPage(visit, "connect_session_expired");
  });

  it("a session that was begun and not finished is over after fifteen minutes, and how it ended is told for an hour", async () => {
    const built = await world();
    const { session } = await start(built);
    const page = async () => (await new WalkingBrowser().get(`${built.base}/connect/result/${session}`)).body;
    built.advance(15 * 60_000);
    expect(await page()).toContain("The sign-in was not finished in time");
    expect((await sessionOf(built.client, session)).status).toBe(200);
    built.advance(45 * 60_000);
    expectProblem(await sessionOf(built.client, session), "not_found");
    expect(await page()).toContain("There is no such page");
  });

  it("who came back in the last second of a session can still be completed; who came after it cannot", async () => {
    const built = await world();
    const [early, late] = [await begin(built), await begin(built, "u-late")];
    built.advance(15 * 60_000 - 8_000);
    const browser = new WalkingBrowser();
    const atDoor = async (url: string) => {
      const authorize = new URL((await browser.get(url)).location!);
      return signInAtImanage({ browser, authorize });
    };
    const [first, second] = [await atDoor(early.body.start_url), await atDoor(late.body.start_url)];
    built.advance(5_000);
    const back = await browser.get(first.href);
    built.advance(10_000);
    const completion = new URL(back.location!).searchParams.get("completion")!;
    const completed = await complete(built.client, early.body.id, completion, AMELIA.subject);
    expect(completed.body).toMatchObject({ state: "connected" });
    await expectRefusedCallback(browser, await browser.get(second.href), "connect_session_expired");
  });

  it("whoever stays ten minutes at iManage's sign-in page starts again", async () => {
    const built = await world();
    const started = await start(built);
    built.advance(10 * 60_000);
    const callback = new URL(started.authorize.searchParams.get("redirect_uri")!);
    callback.search = `${new URLSearchParams({ state: started.state, code: "late" })}`;
    const back = await started.browser.get(callback.href);
    expect(new URL(back.location!).pathname).toBe("/connect/error/authorization_response_invalid");
    await expectNothingStored(built);
  });

  it(`T05 state, PKCE challenge, start link and completion of ${SIGN_INS} sign-ins are all different`, async () => {
    const built = await world({ prepare: (simulator) => simulator.setSwitches({ silent_sso: "on" }) });
    const seen = { state: new Set(), challenge: new Set(), link: new Set(), completion: new Set() };
    const browser = new WalkingBrowser();
    const first = await start(built, AMELIA.subject, browser);
    await browser.post(first.authorize.href, {
      username: AMELIA.username,
      password: AMELIA.password,
      action: "sign-in",
    });
    const flow = async (n: number) => {
      const started = await start(built, `u-${n}`, browser);
      const back = await browser.follow(await browser.get(started.authorize.href), [built.base]);
      seen.state.add(started.state);
      seen.challenge.add(started.authorize.searchParams.get("code_challenge"));
      seen.link.add(started.startUrl);
      seen.completion.add(new URL(back.location!).searchParams.get("completion"));
    };
    for (let batch = 0; batch < SIGN_INS / 8; batch++)
      await Promise.all(Array.from({ length: 8 }, (_, n) => flow(batch * 8 + n)));
    expect(Object.fromEntries(Object.entries(seen).map(([name, values]) => [name, values.size]))).toEqual({
      state: SIGN_INS,
      challenge: SIGN_INS,
      link: SIGN_INS,
      completion: SIGN_INS,
    });
  }, 600_000);
});
