import { createHash } from "node:crypto";
import { onTestFinished } from "vitest";
import {
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from "../../src/simulator/start-simulator.ts";

export const CLIENT = "token-broker";
export const SECRET = "sim_secret_token-broker";
export const CALLBACK = "http://127.0.0.1:3000/callback";
export const NOON = Date.parse("2026-11-20T12:00:00.000Z");
export const MINUTE = 60_000;
export const DAY = 86_400_000;

/** A simulator whose clock stands at noon, closed when the test ends. */
export async function simulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const started = await startSimulator({ now: () => NOON, ...options });
  onTestFinished(() => started.close());
  return started;
}

export const authorizeUrl = (of: Simulator, change: Record<string, string | null> = {}): string => {
  const url = new URL("/auth/oauth2/authorize", of.origin);
  const parameters = {
    response_type: "code",
    client_id: CLIENT,
    redirect_uri: CALLBACK,
    state: "state-1",
    scope: "user",
    ...change,
  };
  for (const [name, value] of Object.entries(parameters))
    if (value !== null) url.searchParams.set(name, value);
  return url.href;
};

export const post = (url: string, form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body: new URLSearchParams(form), headers, redirect: "manual" });

/** Posts the sign-in form and returns where it leads. */
export async function signIn(
  of: Simulator,
  { username = "amelia.hart", password = "hart", change = {} as Record<string, string | null> } = {},
): Promise<{ response: Response; parameters: URLSearchParams; cookie: string }> {
  const response = await post(authorizeUrl(of, change), { username, password, action: "sign-in" });
  const location = response.headers.get("location");
  return {
    response,
    parameters: new URLSearchParams(location === null ? "" : new URL(location).search),
    cookie: (response.headers.get("set-cookie") ?? "").split(";")[0]!,
  };
}

export const codeFor = async (of: Simulator, by?: Parameters<typeof signIn>[1]): Promise<string> =>
  (await signIn(of, by)).parameters.get("code")!;

export interface TokenAnswer {
  status: number;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is anything
  body: any;
  headers: Headers;
}

export async function token(
  of: Simulator,
  form: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<TokenAnswer> {
  const response = await post(`${of.origin}/auth/oauth2/token`, form, headers);
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return { status: response.status, text, body, headers: response.headers };
}

const CREDENTIALS = { client_id: CLIENT, client_secret: SECRET };

export const redeem = (of: Simulator, code: string, change: Record<string, string> = {}) =>
  token(of, { ...CREDENTIALS, grant_type: "authorization_code", code, redirect_uri: CALLBACK, ...change });

export const refresh = (of: Simulator, refresh_token: string, change: Record<string, string> = {}) =>
  token(of, { ...CREDENTIALS, grant_type: "refresh_token", refresh_token, ...change });

/** Signs in and redeems. */
export async function tokensFor(of: Simulator, by?: Parameters<typeof signIn>[1]) {
  const { body } = await redeem(of, await codeFor(of, by));
  return body as { access_token: string; refresh_token: string; expires_in: number };
}

export async function api(
  of: Simulator,
  path: string,
  accessToken: string,
  headers: Record<string, string> = {},
) {
  const response = await fetch(of.origin + path, { headers: { "x-auth-token": accessToken, ...headers } });
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers is anything
  return { status: response.status, body: (await response.json()) as any, headers: response.headers };
}

/** A resource of the REST API that needs a live token. */
export const LIBRARIES = "/work/api/v2/customers/5948/libraries";

export const challengeOf = (verifier: string): string =>
  createHash("sha256").update(verifier).digest("base64url");

/** What a failed fetch failed of: ECONNRESET, UND_ERR_SOCKET… */
export const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no failure",
    (error) => error.cause?.code ?? error.code ?? error.name,
  );
