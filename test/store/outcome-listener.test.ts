import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import type { RedisConnection } from "../../src/store/connect-redis.ts";
import { REFRESH_CHANNEL } from "../../src/store/keys.ts";
import { OutcomeListener } from "../../src/store/outcome-listener.ts";

const GRANT = "grt_a" as GrantId;

/** A subscribed connection, spoken through by hand. */
class Subscribed extends EventEmitter {
  async subscribe(channel: string): Promise<number> {
    expect(channel).toBe(REFRESH_CHANNEL);
    return 1;
  }
  announce(grant: string): void {
    this.emit("message", REFRESH_CHANNEL, `${grant} committed`);
  }
}

async function listening() {
  const connection = new Subscribed();
  const outcomes = new OutcomeListener(connection as unknown as RedisConnection);
  await outcomes.listen();
  return { connection, outcomes };
}

describe("waiting for the outcome of a refresh", () => {
  it("an outcome that overtook the answer because of which somebody waits is not missed", async () => {
    const { connection, outcomes } = await listening();
    const before = outcomes.heard;
    connection.announce(GRANT);
    expect(await outcomes.next(GRANT, 20_000, before)).toBe("announced");
    // Of another grant, or from before the last look: then the next one is waited for.
    expect(await outcomes.next("grt_b" as GrantId, 1, before)).toBe("timeout");
    expect(await outcomes.next(GRANT, 1, outcomes.heard)).toBe("timeout");
    expect(await outcomes.next(GRANT, 1)).toBe("timeout");
    expect(outcomes.size).toBe(0);
  });

  it("everybody is woken when announcements are heard again", async () => {
    const { connection, outcomes } = await listening();
    const waiting = [outcomes.next(GRANT, 20_000), outcomes.next("grt_b" as GrantId, 20_000)];
    connection.emit("ready");
    expect(await Promise.all(waiting)).toEqual(["announced", "announced"]);
    expect(outcomes.size).toBe(0);
  });
});
