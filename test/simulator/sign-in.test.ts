import { describe, expect, test } from "vitest";
import {
  authorizeUrl,
  CALLBACK,
  challengeOf,
  codeFor,
  post,
  redeem,
  signIn,
  simulator,
  tokensFor,
} from "./visitor.ts";

const page = async (url: string, cookie = "") => {
  const response = await fetch(url, { redirect: "manual", headers: { cookie } });
  return { response, text: await response.text() };
};

describe("the sign-in page", () => {
  test("asks for user name and password and offers to cancel", async () => {
    const { response, text } = await page(authorizeUrl(await simulator()));
    expect(response.status).toBe(200);
    for (const part of [
      'name="username"',
      'name="password"',
      'value="sign-in"',
      'value="cancel"',
      "simulator",
    ])
      expect(text).toContain(part);
  });

  test("can be framed by nobody and sends its form only where it stands", async () => {
    const { response, text } = await page(authorizeUrl(await simulator()));
    expect(response.headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
    expect(text).toContain('action="/auth/oauth2/authorize?');
  });

  test("prefills login_hint and escapes it", async () => {
    const { text } = await page(authorizeUrl(await simulator(), { login_hint: '"><script>' }));
    expect(text).toContain("&quot;&gt;&lt;script&gt;");
    expect(text).not.toContain('"><script>');
  });

  test("sends the right password back with a code and the state, and nothing else", async () => {
    const { response, parameters } = await signIn(await simulator());
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toMatch(CALLBACK);
    expect([...parameters.keys()].sort()).toEqual(["code", "state"]);
    expect(parameters.get("state")).toBe("state-1");
    expect(parameters.get("code")).toMatch(/^sim_code_/);
  });

  test("takes the e-mail address as user name, whatever its case", async () => {
    const { response } = await signIn(await simulator(), { username: "Amelia.Hart@hartlowell.example" });
    expect(response.status).toBe(303);
  });

  test("keeps the query that the redirect URL has", async () => {
    const sim = await simulator();
    const redirect_uri = `${CALLBACK}?firm=1`;
    sim.registrations.patch("token-broker", { redirect_urls: [redirect_uri] });
    const { parameters } = await signIn(sim, { change: { redirect_uri } });
    expect(parameters.get("firm")).toBe("1");
    expect(parameters.get("code")).toBeTruthy();
  });

  test("tells the application access_denied on Cancel", async () => {
    const sim = await simulator();
    const response = await post(authorizeUrl(sim), { action: "cancel" });
    const parameters = new URL(response.headers.get("location")!).searchParams;
    expect(parameters.get("error")).toBe("access_denied");
    expect(parameters.get("state")).toBe("state-1");
    expect(sim.truth().codes).toEqual([]);
  });
});

describe("nobody is redirected when", () => {
  test.each([
    ["the client is unknown", { client_id: "nobody" }, 400, "Unknown application"],
    [
      "the redirect URL is not registered",
      { redirect_uri: `${CALLBACK}/` },
      400,
      "Redirect URL not registered",
    ],
    ["there is no redirect URL", { redirect_uri: null }, 400, "Redirect URL not registered"],
    ["the application is not enabled", { client_id: "not-enabled" }, 403, "Application not enabled"],
  ])("%s", async (_, change, status, title) => {
    const { response, text } = await page(authorizeUrl(await simulator(), change));
    expect(response.status).toBe(status);
    expect(response.headers.get("location")).toBeNull();
    expect(text).toContain(title);
  });

  test.each([
    ["the password is wrong", "amelia.hart", "wrong", 401, "password is wrong"],
    ["the user is unknown", "nobody", "hart", 401, "password is wrong"],
    ["the account is locked", "locked.user", "user", 403, "locked"],
    ["the user is not in the Access list", "outside.counsel", "counsel", 403, "not among the users"],
  ])("%s", async (_, username, password, status, words) => {
    const sim = await simulator();
    const { response } = await signIn(sim, { username, password });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(words);
    expect(sim.truth().codes).toEqual([]);
  });

  test("the user's organisation has not enabled the application", async () => {
    const sim = await simulator();
    sim.registrations.patch("token-broker", { customers: [6021] });
    const { response } = await signIn(sim);
    expect(response.status).toBe(403);
    expect(await response.text()).toContain("has not enabled");
  });
});

describe("the application is told", () => {
  test.each([
    ["of another response type", { response_type: "token" }, "unsupported_response_type"],
    ["of a scope it may not ask for", { scope: "everything" }, "invalid_scope"],
    ["of a plain code challenge", { code_challenge: "x", code_challenge_method: "plain" }, "invalid_request"],
  ])("%s", async (_, change, error) => {
    const { response } = await page(authorizeUrl(await simulator(), change));
    const parameters = new URL(response.headers.get("location")!).searchParams;
    expect(parameters.get("error")).toBe(error);
    expect(parameters.get("state")).toBe("state-1");
  });

  test("that a code challenge is missing where PKCE is enforced", async () => {
    const sim = await simulator();
    sim.setSwitches({ pkce: "enforced" });
    const { response } = await page(authorizeUrl(sim));
    expect(response.headers.get("location")).toContain("error=invalid_request");
    const withChallenge = { code_challenge: challengeOf("v"), code_challenge_method: "S256" };
    expect((await page(authorizeUrl(sim, withChallenge))).response.status).toBe(200);
  });
});

describe("a browser that is signed in already", () => {
  test("is asked to continue, with one click and no password", async () => {
    const sim = await simulator();
    const { cookie } = await signIn(sim);
    expect((await page(authorizeUrl(sim), cookie)).text).toContain("Continue as Amelia Hart");
    const response = await post(authorizeUrl(sim), { action: "continue" }, { cookie });
    expect(response.headers.get("location")).toContain("code=sim_code_");
  });

  test("may use another account, and is asked for it", async () => {
    const sim = await simulator();
    const { cookie } = await signIn(sim);
    const response = await post(authorizeUrl(sim), { action: "switch" }, { cookie });
    expect(await response.text()).toContain('name="password"');
    expect((await page(authorizeUrl(sim), cookie)).text).toContain('name="password"');
  });

  test("is asked again after signing out", async () => {
    const sim = await simulator();
    const { cookie } = await signIn(sim);
    await fetch(`${sim.origin}/auth/logout`, { headers: { cookie } });
    expect((await page(authorizeUrl(sim), cookie)).text).toContain('name="password"');
  });

  test("is asked again after a working day", async () => {
    const sim = await simulator();
    const { cookie } = await signIn(sim);
    sim.advance(8 * 3_600_000);
    expect((await page(authorizeUrl(sim), cookie)).text).toContain('name="password"');
  });

  test("cannot continue without its cookie", async () => {
    const response = await post(authorizeUrl(await simulator()), { action: "continue" });
    expect(await response.text()).toContain('name="password"');
  });

  test("is sent back unasked with silent_sso", async () => {
    const sim = await simulator();
    const { cookie } = await signIn(sim);
    sim.setSwitches({ silent_sso: "on" });
    const { response } = await page(authorizeUrl(sim), cookie);
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toContain("code=sim_code_");
  });
});

describe("switches of the authorization response", () => {
  test.each([
    ["sent", (origin: string) => origin],
    ["wrong", () => "https://another-server.example"],
    ["absent", () => null],
  ] as const)("iss %s", async (iss, expected) => {
    const sim = await simulator();
    sim.setSwitches({ iss });
    expect((await signIn(sim)).parameters.get("iss")).toBe(expected(sim.origin));
  });

  test("a new consent may end the earlier refresh token at the sign-in already", async () => {
    const sim = await simulator();
    sim.setSwitches({ new_consent_ends_at: "sign_in" });
    const { refresh_token } = await tokensFor(sim);
    const code = await codeFor(sim);
    expect(sim.isRefreshTokenLive(refresh_token)).toBe(false);
    expect((await redeem(sim, code)).status).toBe(200);
  });
});
