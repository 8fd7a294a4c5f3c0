import { readFile } from "node:fs/promises";
import { type Hit, needlesOf, scan } from "../kit/canary.ts";
import type { IdentityProvider } from "../kit/identity-provider.ts";
import type { RecordedExchange } from "../kit/record-http.ts";
import type { World } from "../kit/world.ts";

/** Whose exchanges are recorded. */
export interface Parties {
  readonly here: World;
  readonly provider: IdentityProvider;
}

/** Every secret of the story by its kind, as it went over the wire or was made. */
export async function secretsOf(
  parties: Parties,
  recorded: readonly RecordedExchange[],
): Promise<Record<string, string>> {
  const { here, provider } = parties;
  const secrets: Record<string, string> = {};
  const known = new Map<string, number>();
  const add = (kind: string, value: string | undefined | null) => {
    if (value === undefined || value === null || value === "" || Object.values(secrets).includes(value))
      return;
    const number = (known.get(kind) ?? 0) + 1;
    known.set(kind, number);
    secrets[`${kind} ${number}`] = value;
  };
  const wire = recorded
    .flatMap(({ url, requestHeaders, requestBody, answerHeaders, answerBody }) => [
      ...[url, requestHeaders, requestBody, answerHeaders, answerBody],
    ])
    .join("\n");
  for (const [kind, prefix] of [
    ["access token", "sim_at_"],
    ["refresh token", "sim_rt_"],
    ["authorization code", "sim_code_"],
    ["broker token", "imb_at_"],
    ["webhook secret", "whsec_"],
  ] as const) {
    for (const [value] of wire.matchAll(new RegExp(`${prefix}[A-Za-z0-9_+/=-]{20,}`, "g"))) add(kind, value);
  }
  for (const { url, requestBody, answerHeaders, answerBody, port } of recorded) {
    const ours = isOurs(parties, { port });
    const location = /^location: (.+)$/im.exec(answerHeaders)?.[1];
    const went = new URL(location ?? "/", here.base).searchParams;
    const asked = new URL(url, here.base).searchParams;
    if (ours) {
      add("state", went.get("state"));
      add("completion", went.get("completion"));
      add("calendar link", /\/calendars\/([\w-]{53})\.ics/.exec(answerBody)?.[1]);
      add("portal link", /\/portal\/open\/([\w-]+)/.exec(answerBody)?.[1]);
      add("start link", /\/connect\/start\/([\w-]+)/.exec(answerBody)?.[1]);
      add("form token", /name="csrf" value="([^"]+)"/.exec(answerBody)?.[1]);
      for (const [, value] of answerHeaders.matchAll(/^set-cookie: [^=]+=([^;\n]+)/gim)) add("cookie", value);
    } else {
      add("state", asked.get("state"));
      add("code verifier", new URLSearchParams(requestBody).get("code_verifier"));
      if (String(port) === portOf(provider.origin)) {
        add("operator's nonce", asked.get("nonce"));
        add("operator's code", went.get("code"));
        add("operator's ID token", /"id_token":"([^"]+)"/.exec(answerBody)?.[1]);
        add("operator's access token", /"access_token":"([^"]+)"/.exec(answerBody)?.[1]);
      }
    }
  }
  add("client secret", here.credentials.secret);
  add("client secret at iManage", "sim_secret_token-broker");
  add("client secret at the identity provider", provider.clientSecret);
  const keyset = await readFile(here.environment.ROOT_KEYSET_FILE!, "utf8");
  for (const [, key] of keyset.matchAll(/"([A-Za-z0-9+/_=-]{40,})"/g)) add("root key", key);
  return secrets;
}

/** Every server in this process is a replica of the broker, but two. */
export const isOurs = ({ here, provider }: Parties, { port }: { readonly port: number }): boolean =>
  ![here.simulator.localOrigin, provider.origin].map(portOf).includes(String(port));

const portOf = (origin: string): string => new URL(origin).port;

/** Where each kind of secret belongs in an answer of ours; nowhere else, and the other kinds nowhere at all. */
const BELONGS: readonly { readonly kind: string; readonly path: RegExp; readonly place: RegExp }[] = [
  {
    kind: "access token",
    path: /^POST \/(v1\/access-tokens|oauth2\/token)$/,
    place: /"access_token":"[^"]+"/,
  },
  { kind: "broker token", path: /^POST \/oauth2\/token$/, place: /"access_token":"[^"]+"/ },
  {
    kind: "webhook secret",
    path: /^POST \/v1\/event-subscriptions(\/[^/]+\/rotate-secret)?$/,
    place: /"secret":"[^"]+"/,
  },
  { kind: "start link", path: /^POST \/v1\/connect-sessions$/, place: /"start_url":"[^"]+"/ },
  { kind: "portal link", path: /^POST \/v1\/portal-sessions$/, place: /"url":"[^"]+"/ },
  { kind: "state", path: /^GET \/connect\/start\//, place: /^location: .*$/m },
  {
    kind: "state",
    path: /^POST \/(servers\/[^/]+\/libraries\/|my-integrations\/)/,
    place: /<meta http-equiv="refresh"[^>]+>|<a class="button"[^>]+>/g,
  },
  {
    kind: "calendar link",
    path: /^POST \/servers\/[^/]+\/libraries\/calendar$/,
    place: /value="http[^"]+\.ics"|href="webcal:[^"]+"/g,
  },
  { kind: "state", path: /^POST \/operators\/sign-in$/, place: /<a class="button"[^>]+>/ },
  { kind: "operator's nonce", path: /^POST \/operators\/sign-in$/, place: /<a class="button"[^>]+>/ },
  { kind: "completion", path: /^GET \/oauth2\/callback\//, place: /^location: .*$/m },
  {
    kind: "cookie",
    path: /^(GET|POST) \/(connect\/start|oauth2\/callback|servers|my-integrations|portal|settings|operators)\b/,
    place: /^set-cookie: .*$/gm,
  },
  {
    kind: "form token",
    path: /^(GET \/(servers|my-integrations|settings|operators)|POST \/operators\/.+\/(new|diagnosis))\b/,
    place: /name="csrf" value="[^"]+"/g,
  },
];

/** Every secret that an answer of ours tells where it does not belong. */
export function misplaced(
  exchange: RecordedExchange,
  secrets: Readonly<Record<string, string>>,
): readonly Hit[] {
  const route = `${exchange.method} ${exchange.url.split("?")[0]}`;
  const whole = `${exchange.answerHeaders}\n${exchange.answerBody}`;
  return Object.entries(secrets).flatMap(([name, secret]) => {
    const belongs = BELONGS.filter(({ kind, path }) => name.startsWith(kind) && path.test(route));
    const rest = belongs.reduce((text, { place }) => text.replace(place, ""), whole);
    return scan(rest, needlesOf({ [name]: secret }), `the answer to ${route.replaceAll(/[\w-]{20,}/g, "…")}`);
  });
}
