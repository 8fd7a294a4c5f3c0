import { describe, expect, inject, it } from "vitest";
import { makeClientSecrets } from "../../src/security/client-secrets.ts";
import { systemRandom } from "../../src/security/random.ts";
import { parseRootKeyset } from "../../src/security/root-keyset.ts";
import { type World, world } from "../kit/world.ts";

/** T35: guesses at a secret. Each is of the right shape, so that each would be compared. */
const GUESSES = Number(process.env.TEST_GUESSES ?? 200);
const BEHIND_PROXY = { settings: { TRUSTED_PROXY_CIDRS: "127.0.0.1/32" } };

const others = () =>
  makeClientSecrets({ rootKeyset: parseRootKeyset(inject("rootKeyset")), random: systemRandom });

async function ask(base: string, id: string, secret: string, from: string) {
  const response = await fetch(`${base}/oauth2/token`, {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`,
      "x-forwarded-for": from,
    },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return { status: response.status, body, retryAfter: response.headers.get("retry-after") };
}

describe("guesses at a client's secret (T35)", () => {
  it(
    `of ${GUESSES} from one address ten are looked at, then 429; the client itself is served elsewhere`,
    async () => {
      const here = await world(BEHIND_PROXY);
      const { id, secret } = here.credentials;
      const made = others();
      const statuses: number[] = [];
      const startedAt = performance.now();
      let next = 0;
      const guesser = async (): Promise<void> => {
        while (next++ < GUESSES)
          statuses.push((await ask(here.base, id, made.make().reveal(), "10.1.1.1")).status);
      };
      await guessedFirst(here, made);
      await Promise.all(Array.from({ length: 8 }, guesser));
      const count = (status: number) => statuses.filter((one) => one === status).length;
      const seconds = (performance.now() - startedAt) / 1_000;
      // One more each six seconds, and one for each that was on its way.
      expect(count(401)).toBeLessThanOrEqual(seconds / 6 + 8);
      expect(count(429)).toBe(GUESSES - count(401));

      const stopped = await ask(here.base, id, secret, "10.1.1.1");
      expect(stopped).toMatchObject({ status: 429, body: { code: "proof_refused_for_now", remedy: "time" } });
      expect(Number(stopped.retryAfter)).toBeGreaterThan(0);
      for (const from of ["10.1.1.2", "2001:db8::1", "192.0.2.7"]) {
        expect((await ask(here.base, id, secret, from)).status).toBe(200);
      }
    },
    60_000 + GUESSES * 20,
  );

  /** The first ten, one after another: eleven begin to be too many. */
  async function guessedFirst(here: World, made: ReturnType<typeof others>): Promise<void> {
    const first: number[] = [];
    for (let i = 0; i < 11; i++) {
      first.push((await ask(here.base, here.credentials.id, made.make().reveal(), "10.1.1.1")).status);
    }
    expect(first).toEqual([...Array(10).fill(401), 429]);
  }

  it("are counted for all replicas together, and of IPv6 for the whole /64", async () => {
    const here = await world(BEHIND_PROXY);
    const another = await here.replica({ PUBLIC_BASE_URL: here.base, TRUSTED_PROXY_CIDRS: "127.0.0.1/32" });
    const { id } = here.credentials;
    const wrong = others().make().reveal();
    for (let i = 0; i < 10; i++) await ask(here.base, id, wrong, `2001:db8:0:1::${i + 1}`);
    expect((await ask(another.base, id, wrong, "2001:db8:0:1:ffff::1")).status).toBe(429);
    expect((await ask(another.base, id, wrong, "2001:db8:0:2::1")).status).toBe(401);
  });

  it("are looked at again after a while, one at a time", async () => {
    const here = await world(BEHIND_PROXY);
    const { id, secret } = here.credentials;
    const wrong = others().make().reveal();
    for (let i = 0; i < 10; i++) await ask(here.base, id, wrong, "10.1.1.1");
    here.advance(6_000);
    // Another process, which has not heard: it looks at the store's count.
    const another = await here.replica({ PUBLIC_BASE_URL: here.base, TRUSTED_PROXY_CIDRS: "127.0.0.1/32" });
    expect((await ask(another.base, id, wrong, "10.1.1.1")).status).toBe(401);
    expect((await ask(another.base, id, secret, "10.1.1.1")).status).toBe(429);
  });

  it("cost a proof that fits nothing: no command of the store's is for them", async () => {
    const here = await world(BEHIND_PROXY);
    const { id, secret } = here.credentials;
    await ask(here.base, id, others().make().reveal(), "10.1.1.1");
    const seen: string[] = [];
    const call = here.broker.stores.fast.call.bind(here.broker.stores.fast);
    here.broker.stores.fast.call = (command) => {
      seen.push(String(command));
      return call(command);
    };
    expect((await ask(here.base, id, secret, "10.1.1.2")).status).toBe(200);
    // Its record, and beside it whether the client is contained everywhere.
    expect(seen).toHaveLength(2);
    expect(seen[0]).toContain("hget");
    expect(seen[1]).toContain("hexists");
  });
});
